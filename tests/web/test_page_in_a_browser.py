"""The page in a real browser, with its policy enforced: a cell fills in without a reload, and the console is silent.

Skipped where there is none, as for the report (tests/sweeps/report/test_report_in_a_browser.py).
"""

from typing import Any

from scheduler.state import keys
from tests.browser import Tab
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import wait_until
from tests.web.conftest import SPEC
from tests.web.served import Served

LEADERLESS = "document.querySelector('main').innerText.includes('none leads')"
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


def test_a_scheduler_that_goes_and_comes_back_is_told_without_reloading(page: Served, night: Night, tab: Tab) -> None:
    client = night.store.client
    night.store.report_worker("a-worker", threads=7, busy=3, ttl=600, host="here")
    client.set(keys.LEADER, "here-1-abcdef")
    tab.look()
    tab.visit(f"{page.url}/login?code={page.make_link()}")
    tab.click("form button")
    tab.ask("window.stays = true")
    wait_until(lambda: tab.ask("1") and page.watcher.listeners["home"] > 0, "the page listens")
    assert tab.ask(LEADERLESS) is False
    client.delete(keys.LEADER)
    wait_until(lambda: tab.ask(LEADERLESS), "the page says that no scheduler leads", seconds=30)
    client.set(keys.LEADER, "here-2-abcdef")
    wait_until(lambda: not tab.ask(LEADERLESS), "the page says that one leads", seconds=30)
    assert tab.ask("window.stays") is True
    tab.visit("about:blank")
    client.delete(keys.LEADER)
    night.store.forget_worker("a-worker")
