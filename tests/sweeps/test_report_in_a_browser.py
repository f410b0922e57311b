"""The page in a real browser: it renders, and its console stays silent. Skipped where no browser is installed.

Any of BROWSERS on the PATH does; on Debian, `apt-get install chromium-headless-shell` brings the smallest of them.
"""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from sweeps.report.compose import compose
from sweeps.report.html import html
from tests.sweeps.reports import EXPERIMENTS, material
from tests.sweeps.test_report import STYLE, hostile

BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "brave-browser"),
)
PLANTED = "<!DOCTYPE html><title>x</title><script>console.error('planted')</script>"


@functools.cache
def browser() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def visit(page: str, folder: Path, *words: str) -> tuple[str, list[str]]:
    """The document as the browser has it, and what its console says."""
    found = browser()
    if found is None:
        pytest.skip(f"NO BROWSER IS INSTALLED: the report was not opened in one; any of {', '.join(BROWSERS)} does")
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    flags = ["--headless", "--disable-gpu", "--enable-logging=stderr", "--v=0", f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # it has none for root; the page is our own
    done = subprocess.run(
        [found, *flags, "--dump-dom", *words, path.as_uri()], capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_an_error_of_a_page_would_be_seen(tmp_path: Path) -> None:
    _, console = visit(PLANTED, tmp_path)
    assert any("planted" in line for line in console)


@pytest.mark.parametrize("experiment", sorted(EXPERIMENTS))
def test_the_report_opens_and_the_console_is_silent(experiment: str, tmp_path: Path) -> None:
    report = compose(material(experiment))
    document, console = visit(html(report, STYLE), tmp_path)
    assert console == []
    assert document.count("<svg") == 2 * len(report.figures)
    assert document.rstrip().endswith("</html>")


def test_what_people_write_runs_nothing(tmp_path: Path) -> None:
    """Nothing is refused by the page's policy either: there is nothing to refuse."""
    document, console = visit(html(compose(hostile("grid")), STYLE), tmp_path)
    assert console == []
    assert "<script" not in document
    assert "&lt;script&gt;alert('x')" in document


def test_a_phone_scrolls_down_and_not_sideways(tmp_path: Path) -> None:
    """Measured by a script of the test's own, in a page whose policy is taken away for it."""
    page = html(compose(material("data_scaling")), STYLE)
    bare = page.replace("default-src 'none'", "script-src 'unsafe-inline'")
    told = "<script>document.title = `${document.documentElement.scrollWidth}/${window.innerWidth}`</script></body>"
    document, _ = visit(bare.replace("</body>", told), tmp_path, "--window-size=390,800")
    wide, room = document.partition("<title>")[2].partition("</title>")[0].split("/")
    assert int(wide) <= int(room)
