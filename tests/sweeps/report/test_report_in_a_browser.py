"""The page in a real browser: it renders, its console stays silent, and its figures can be read.

Skipped where there is none. `make browser` brings one; any of BROWSERS on the PATH does.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.report.compose import compose
from sweeps.report.html import render_html
from tests.browser import BROWSERS, Tab, browser, opened
from tests.sweeps.reports import EXPERIMENTS, STYLE, crowded, hostile, material

PLANTED = "<!DOCTYPE html><meta charset=utf-8><title>x</title><script>console.error('planted')</script>"
REFUSED = "<!DOCTYPE html><meta charset=utf-8><title>x</title><img src='file:///nowhere/x.png'>"
WHOLE = "[document.querySelectorAll('svg').length, document.querySelectorAll('script').length, document.body.innerText]"
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
# Of each figure that is shown: labels that another one lies upon, and whatever is cut off at its edge.
MUDDLED = """
[...document.querySelectorAll('svg.figure')].filter(svg => svg.checkVisibility()).flatMap(svg => {
  const edge = svg.getBoundingClientRect(), found = []
  const all = [...svg.querySelectorAll('text')].filter(text => !text.hasAttribute('transform'))
  const boxes = all.map(text => [text.textContent, text.getBoundingClientRect()])
  for (const each of svg.querySelectorAll(':not(defs, defs *, title, desc)')) {
    const a = each.getBoundingClientRect()
    if (a.left < edge.left - 1 || a.right > edge.right + 1 || a.top < edge.top - 2 || a.bottom > edge.bottom + 2)
      found.push(`${svg.id}: ${each.outerHTML} is cut off`)
  }
  boxes.forEach(([said, a], place) => {
    for (const [other, b] of boxes.slice(place + 1)) {
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      if (wide > 1 && tall > 4) found.push(`${svg.id}: ${said} and ${other} lie upon each other`)
    }
  })
  return found
})
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = browser()
    if program is None:
        pytest.skip(f"NO BROWSER IS INSTALLED: the report was opened in none. `make browser`, or {', '.join(BROWSERS)}")
    with opened(program, tmp_path_factory.mktemp("browser")) as page:
        yield page


def visit(tab: Tab, page: str, folder: Path, **how: Any) -> list[str]:
    """What the console says when the page is opened."""
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    tab.console.clear()
    tab.show(path, **how)
    return tab.console


def test_an_error_of_a_page_would_be_seen(tab: Tab, tmp_path: Path) -> None:
    assert visit(tab, PLANTED, tmp_path) == ["planted"]
    assert visit(tab, REFUSED, tmp_path) != []


@pytest.mark.parametrize("experiment", [*sorted(EXPERIMENTS), "crowded"])
def test_the_report_opens_and_the_console_is_silent(experiment: str, tab: Tab, tmp_path: Path) -> None:
    report = compose(crowded() if experiment == "crowded" else material(experiment))
    assert visit(tab, render_html(report, STYLE), tmp_path) == []
    figures, scripts, text = tab.ask(WHOLE)
    assert (figures, scripts) == (2 * len(report.figures), 0)
    assert report.answer[0] in text.replace("\N{NO-BREAK SPACE}", " ")
    assert tab.ask(MUDDLED) == []
    assert visit(tab, render_html(report, STYLE), tmp_path, width=390, dark=True) == []
    assert tab.ask(SIDEWAYS) <= 0, "a phone scrolls down, and not sideways"
    assert tab.ask(MUDDLED) == []


def test_what_people_write_runs_nothing(tab: Tab, tmp_path: Path) -> None:
    """Nothing is refused by the page's policy either: there is nothing to refuse."""
    assert visit(tab, render_html(compose(hostile("grid")), STYLE), tmp_path) == []
    _, scripts, text = tab.ask(WHOLE)
    assert scripts == 0
    assert "<script>alert('x')" in text


def test_on_paper_the_page_is_light_and_shows_the_wide_figures(tab: Tab, tmp_path: Path) -> None:
    assert visit(tab, render_html(compose(material("grid")), STYLE), tmp_path, dark=True, paper=True) == []
    assert tab.ask("getComputedStyle(document.body).color") == "rgb(28, 35, 48)"
    shown = "[...document.querySelectorAll('svg.figure')].filter(each => each.checkVisibility()).map(each => each.id)"
    assert {name.rpartition("-")[2] for name in tab.ask(shown)} == {"wide"}
    assert tab.pdf().startswith(b"%PDF")
