"""Terminal, HTML and Markdown say the same numbers: each is compared with the one report value, cell by cell."""

import html
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_report
from sweeps.figures.charts import LineChart
from sweeps.report.compose import compose, compose_answer
from sweeps.report.document import Figure, Paragraph, Report, Section, Table
from sweeps.report.html import render_html
from sweeps.report.markdown import escape_markdown, render_markdown
from sweeps.report.table_cells import TableCell
from tests.sweeps.reports import EXPERIMENTS, crowded, list_tables, material, scaling_rows

KINDS = (*EXPERIMENTS, "crowded")
NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]\d+)?(?: ?%)?|[-+]?\.\d+")


@cache
def report_of(kind: str) -> Report:
    return compose(crowded() if kind == "crowded" else material(kind))


class Cells(HTMLParser):
    """The tables of a page, as rows of texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self.inside = tag in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.tables[-1][-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")


def squeeze(text: str) -> str:
    """Words with single spaces: where a line breaks is the face's own."""
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def printed(report: Report, width: int = 300) -> str:
    text = io.StringIO()
    show_report(Output("table", Console(file=text, width=width)), report)
    return text.getvalue()


def rows_of(table: Table) -> list[list[str]]:
    return [list(table.columns), *(list(row) for row in table.texts)]


def on_terminal(report: Report) -> list[Table]:
    """The tables that the terminal shows: no long ones, and none whose numbers it draws only."""
    drawn = [figure.table for figure in report.figures if figure.in_cells]
    return [table for table in list_tables(report.findings) if not table.folded and table not in drawn]


@pytest.mark.parametrize("kind", KINDS)
def test_every_cell_of_the_page_is_that_of_the_report(kind: str) -> None:
    page = Cells(render_html(report_of(kind), "")).tables
    shown = [[[squeeze(cell) for cell in row] for row in table] for table in page]
    expected = [rows_of(table) for table in list_tables(report_of(kind).sections)]
    assert shown == [[[squeeze(cell) for cell in row] for row in table] for table in expected]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_of_the_markdown_is_that_of_the_report(kind: str) -> None:
    lines = render_markdown(report_of(kind)).splitlines()
    tables = list_tables(report_of(kind).findings)
    assert tables
    for table in tables:
        for row in table.texts[:40]:
            assert f"| {' | '.join(map(escape_markdown, row))} |" in lines


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_on_the_terminal_is_that_of_the_report(kind: str) -> None:
    lines = [squeeze(line) for line in printed(report_of(kind)).splitlines()]
    tables = on_terminal(report_of(kind))
    assert tables
    for table in tables:
        for row in table.texts:
            assert squeeze(" ".join(row)) in lines


@pytest.mark.parametrize("kind", KINDS)
def test_the_terminal_prints_each_row_once(kind: str) -> None:
    """Those of a table that it draws it does not print; `sweep results` has them above the answer."""
    lines = [squeeze(line) for line in printed(report_of(kind)).splitlines()]
    rows = [squeeze(" ".join(row)) for table in on_terminal(report_of(kind)) for row in table.texts]
    assert {row: lines.count(row) - rows.count(row) for row in rows if lines.count(row) != rows.count(row)} == {}
    drawn = [figure for figure in report_of(kind).figures if figure.in_cells]
    assert [row for figure in drawn for row in figure.table.texts if squeeze(" ".join(row)) in lines] == []
    assert all(letter_of(figure) in printed(report_of(kind)) for figure in drawn)


def letter_of(figure: Figure) -> str:
    """What the legend of a drawing says of its first line."""
    assert isinstance(figure.chart, LineChart)
    return f"A\N{NO-BREAK SPACE}{figure.chart.lines[0].name}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_of_the_answer_is_on_all_three(kind: str) -> None:
    report = report_of(kind)
    page, text = squeeze(re.sub("<[^>]*>", " ", render_html(report, ""))), squeeze(render_markdown(report))
    for sentence in report.answer:
        assert html.escape(squeeze(sentence)) in page
        assert squeeze(escape_markdown(sentence)) in text
        assert squeeze(sentence) in squeeze(printed(report))


def read_number(text: str) -> tuple[float, float]:
    """The first number in a text, and by how much writing it may have changed it."""
    number = NUMBER.search(text.replace("\N{MINUS SIGN}", "-"))
    assert number, text
    digits = number[0].rstrip("% ").replace(",", "")
    places = len(digits.partition("e")[0].partition(".")[2])
    scale = 0.01 if number[0].endswith("%") else 1.0
    value = float(digits) * scale
    return value, 0.5001 * 10.0**-places * scale + 0.05 * abs(value) * ("e" in digits or "×" in text)


def numbers(cells: Sequence[TableCell]) -> list[TableCell]:
    return [cell for cell in cells if isinstance(cell.value, float | int) and not isinstance(cell.value, bool)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_of_a_cell_says_its_value(kind: str) -> None:
    """A p below a thousandth is written as that."""
    cells = [cell for table in list_tables(report_of(kind).sections) for row in table.rows for cell in numbers(row)]
    assert len(cells) > 20
    for cell in cells:
        if not cell.text.startswith("<."):
            value, rounding = read_number(cell.text)
            assert value == pytest.approx(cell.value, abs=rounding, rel=1e-3), cell


def test_a_curve_is_drawn_on_the_terminal_and_named() -> None:
    text = printed(report_of("data_scaling"))
    assert "A\N{NO-BREAK SPACE}code   B\N{NO-BREAK SPACE}law" in text
    assert "┤" in text


def test_of_very_many_data_sets_each_is_drawn() -> None:
    names = [f"d{number}" for number in range(60)]
    text = printed(compose_answer(material("data_scaling", scaling_rows(names, seeds=1, top=64))))
    assert all(f"\N{NO-BREAK SPACE}{name}" in text for name in names)


def test_everything_fits_eighty_columns() -> None:
    for report in map(report_of, KINDS):
        assert max(map(len, printed(report, width=80).splitlines())) <= 80


def test_the_terminal_has_no_heading_of_what_it_leaves_to_the_page() -> None:
    table = Table(("a",), ((TableCell("1", 1),),), "cells", folded=True)
    alone = Section("All folded", (Paragraph("A row is a class."), table, table))
    beside = Section("One is shown", (table, replace(table, folded=False)))
    warned = Section("Warned", (Paragraph("Some are missing.", warning=True), table))
    text = printed(replace(report_of("grid"), findings=(alone, beside, warned)))
    assert [section.title in text for section in (alone, beside, warned)] == [False, True, True]
    assert "A row is a class." not in text
    assert re.search(r"\b4 [a-z ]*tables", text)
