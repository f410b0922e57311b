"""Every kind of page in a real browser, light and wide, dark and narrow: axe finds nothing serious, nothing scrolls
sideways, and the console is silent.

Skipped where there is no browser, or no axe; `make browser` gets both.
"""

from collections.abc import Iterator

import pytest

from tests.browser import AXE, Tab
from tests.web.conftest import PASTED
from tests.web.judged import FINDINGS, SIDEWAYS
from tests.web.served import Served

LOOKS = ((1280, False), (390, True))  # `make screenshots` looks at all four
PATHS = (
    *("/", "/sweeps", "/sweeps/half", "/sweeps/half/cells", "/sweeps/half/report", "/sweeps/half/stages?state=failed"),
    *("/sweeps/half/runs", "/sweeps/half/runs/0", "/sweeps/half/runs/4"),
    *("/sweeps/half/items", "/sweeps/half/change/budget", "/compare"),
    *("/fleet", "/storage", "/stages/evaluate-n8s0", "/nowhere"),
)


@pytest.fixture(scope="module")
def judge(tab: Tab, page: Served) -> Iterator[Tab]:
    """A browser that is logged in."""
    if not AXE.exists():
        pytest.skip("AXE IS NOT INSTALLED: no test looked at accessibility. `make browser`")
    tab.visit(f"{page.url}/login?code={page.make_link()}")
    tab.click("form button")
    tab.console.clear()
    yield tab
    tab.visit("about:blank")


def assert_readable(tab: Tab) -> None:
    tab.ask(AXE.read_text() + "; 0")
    for width, dark in LOOKS:
        tab.look(width=width, dark=dark)
        assert tab.ask(FINDINGS) == [], (width, dark)
        assert tab.ask(SIDEWAYS) <= 0, (width, dark)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_serious_is_found(judge: Tab, page: Served, path: str) -> None:
    judge.visit(page.url + path)
    assert_readable(judge)
    refused = "status of 404"
    assert [line for line in judge.console if refused not in line] == []


@pytest.mark.parametrize("spec", [PASTED, "sweep: ["])
def test_nothing_serious_is_found_in_a_plan(judge: Tab, page: Served, spec: str) -> None:
    judge.visit(f"{page.url}/new")
    judge.ask(f"document.querySelector('#spec').value = {spec!r}")
    judge.click("form button:not(.bar button)")
    assert_readable(judge)


def test_nothing_serious_is_found_before_the_login(judge: Tab, page: Served) -> None:
    judge.visit(page.url)
    judge.click(".bar button")
    for path in ("/login", "/login?code=x"):
        judge.visit(page.url + path)
        assert_readable(judge)
