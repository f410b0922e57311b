"""The page in a real browser, with its policy enforced: a cell fills in without a reload, and the console is silent.

Skipped where there is none, as for the report (tests/sweeps/report/test_report_in_a_browser.py).
"""

from pathlib import Path
from typing import Any

import pytest

from tests.browser import Tab, browser, opened
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import wait_until
from tests.web.conftest import SPEC
from tests.web.served import Served

SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
MEASURED = "[...document.querySelectorAll('.grid td')].filter(cell => cell.innerText.includes('1.2500')).length"


def visit(tab: Tab, url: str) -> None:
    tab.call("Page.navigate", url=url)
    tab.wire.until("Page.loadEventFired", tab.session)


def resize(tab: Tab, width: int, *, dark: bool) -> None:
    looks = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    tab.call("Emulation.setEmulatedMedia", media="screen", features=[looks])
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)


def click(tab: Tab, button: str) -> None:
    tab.ask(f"document.querySelector({button!r}).click()")
    tab.wire.until("Page.loadEventFired", tab.session)


def test_who_logs_in_sees_a_cell_fill_in_without_reloading(page: Served, night: Night, tmp_path: Path) -> None:
    program = browser()
    if program is None:
        pytest.skip("NO BROWSER IS INSTALLED: the page was opened in none. `make browser`")
    night.submit(scaling("seen", [256, 512], seeds=1), spec={**SPEC, "sweep": "seen"})
    with opened(program, tmp_path) as tab:
        visit(tab, f"{page.url}/login?code={page.make_link()}")
        click(tab, "form button")
        assert tab.ask("location.pathname") == "/"
        assert tab.ask("[...document.querySelectorAll('.sweeps th a')].some(link => link.textContent == 'seen')")
        visit(tab, f"{page.url}/sweeps/seen")
        tab.ask("window.stays = true")
        wait_until(lambda: is_listened_to(page, tab, "seen"), "the page listens")
        assert tab.ask(MEASURED) == 0
        night.do("train-n256s0", "seen")
        night.do("evaluate-n256s0", "seen", {"nll": 1.25})
        wait_until(lambda: tab.ask(MEASURED) == 1, "the cell fills in")
        assert tab.ask("window.stays") is True
        for width in (390, 1280):
            resize(tab, width, dark=width == 390)
            assert tab.ask(SIDEWAYS) <= 0
        click(tab, ".bar button")
        assert tab.ask("location.pathname") == "/login"
        assert [line for line in tab.console if "chromium" not in line] == []


def is_listened_to(page: Served, tab: Tab, name: str) -> bool:
    """Has the watch of the sweep begun? The page is asked, so that the browser's words are taken too."""
    tab.ask("1")
    listeners: Any = page.watcher.listeners
    return listeners[f"sweep:{name}"] > 0 and page.watcher.find(f"sweep:{name}") is not None
