"""The page in a real browser, with its policy enforced: a cell fills in without a reload, and the console is silent.

Skipped where there is none, as for the report (tests/sweeps/report/test_report_in_a_browser.py).
"""

from typing import Any

from tests.browser import Tab
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import wait_until
from tests.web.conftest import SPEC
from tests.web.served import Served

MEASURED = "[...document.querySelectorAll('.grid td')].filter(cell => cell.innerText.includes('1.2500')).length"


def test_who_logs_in_sees_a_cell_fill_in_without_reloading(page: Served, night: Night, tab: Tab) -> None:
    tab.console.clear()
    night.submit(scaling("seen", [256, 512], seeds=1), spec={**SPEC, "sweep": "seen"})
    tab.look()
    tab.visit(f"{page.url}/login?code={page.make_link()}")
    tab.click("form button")
    assert tab.ask("location.pathname") == "/"
    assert tab.ask("[...document.querySelectorAll('.sweeps th a')].some(link => link.textContent == 'seen')")
    tab.visit(f"{page.url}/sweeps/seen")
    tab.ask("window.stays = true")
    wait_until(lambda: is_listened_to(page, tab, "seen"), "the page listens")
    assert tab.ask(MEASURED) == 0
    night.do("train-n256s0", "seen")
    night.do("evaluate-n256s0", "seen", {"nll": 1.25})
    wait_until(lambda: tab.ask(MEASURED) == 1, "the cell fills in")
    assert tab.ask("window.stays") is True
    tab.click(".bar button")
    assert tab.ask("location.pathname") == "/login"
    assert [line for line in tab.console if "chromium" not in line] == []


def is_listened_to(page: Served, tab: Tab, name: str) -> bool:
    """Has the watch of the sweep begun? The page is asked, so that the browser's words are taken too."""
    tab.ask("1")
    listeners: Any = page.watcher.listeners
    return listeners[f"sweep:{name}"] > 0 and page.watcher.find(f"sweep:{name}") is not None
