"""The HTML face of a report: one page that loads nothing, neither from the network nor a script or font.

Its policy says so too: a browser that is handed this page may load nothing, and run nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from sweeps.figures.charts import draw_svg
from sweeps.figures.svg import NARROW, WIDE, escape, mark_code, tag
from sweeps.report.document import Code, Figure, Paragraph, Part, Report, Section, Table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
TOGETHER = re.compile(r"(?<=\d) (?=[%±])|(?<=[≤≥±]) ")  # where a line must not break: "95 %", "≤ 1.9", "3 ± 0.1"


def render_html(report: Report, style: str) -> str:
    """Render the whole page. `style` is our own trusted style sheet; everything else is escaped."""
    sections = [*enumerate(report.sections)]
    body = tag(
        "main",
        render_head(report),
        _contents(report.sections),
        *(render_section(place, section) for place, section in sections),
        tag("footer", tag("p", _prose(_render_footer(report)))),
    )
    head = "".join(
        [
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            tag("title", escape(f"{report.sweep}: report")),
            f"<style>\n{style}</style>",
        ]
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n'


def _prose(text: str) -> str:
    return mark_code(TOGETHER.sub("\N{NO-BREAK SPACE}", text))


def _render_footer(report: Report) -> str:
    made = f"Made {report.made} by tinker-sweeps." if report.made else "Made by tinker-sweeps."
    return f"{made} Intervals are at 95 %. The page needs no network."


def render_head(report: Report) -> str:
    """Render the question, what the reader must know first, the answer and the facts."""
    first, *others = report.lines or ("",)
    more = tag("ul", *(tag("li", _prose(line)) for line in others), class_="more") if others else ""
    facts = (tag("div", tag("dt", escape(name)), tag("dd", escape(value))) for name, value in report.facts)
    return tag(
        "header",
        tag("h1", escape(report.sweep)),
        tag("p", escape(report.question), class_="question") if report.question else "",
        *(tag("p", _prose(line), class_="notice", role="note") for line in report.notices),
        tag("div", tag("p", _prose(first), class_="headline"), more, class_="answer"),
        tag("dl", *facts, class_="facts") if report.facts else "",
    )


def _contents(sections: Sequence[Section]) -> str:
    links = [
        tag("li", tag("a", escape(section.title), href=f"#section-{place}")) for place, section in enumerate(sections)
    ]
    return tag("nav", tag("ul", *links), aria_label="Contents") if links else ""


def render_section(place: int, section: Section) -> str:
    """Render a section; its place names it within a page."""
    name = f"section-{place}"
    return tag(
        "section",
        tag("h2", escape(section.title), id=name),
        *map(_part, section.parts),
        aria_labelledby=name,
        class_="long" if all(isinstance(part, Table) and part.folded for part in section.parts) else None,
    )


def _part(part: Part) -> str:
    match part:
        case Table():
            return _table(part)
        case Figure():
            return _figure(part)
        case Paragraph():
            return tag("p", _prose(part.text), class_="warning" if part.warning else "said")
        case Code():
            return tag(
                "div",
                tag("pre", tag("code", escape(part.text))),
                class_="scroll",
                tabindex="0",
                role="region",
                aria_label="Spec",
            )


def _figure(figure: Figure) -> str:
    """Write both drawings, of which the style sheet shows the one that fits, and the table."""
    if not figure.is_drawn:
        note = tag("p", _prose(figure.note), class_="said") if figure.note else ""
        return _table(replace(figure.table, caption=figure.table.caption or figure.title)) + note
    words = " ".join(filter(None, (figure.legend, figure.note)))
    return tag(
        "figure",
        tag("h3", escape(figure.title)),
        tag("div", draw_svg(figure.chart, WIDE, "wide"), class_="wide"),
        tag("div", draw_svg(figure.chart, NARROW, "narrow"), class_="narrow"),
        tag("figcaption", _prose(words)) if words else "",
        _numbers(figure.table),
    )


def _numbers(table: Table) -> str:
    summary = tag("summary", escape(table.caption or "The numbers"))
    return tag("details", summary, _cells(table), class_="long" if table.folded else "brief")


def _table(table: Table) -> str:
    if not table.folded:
        return tag("div", _cells(table, caption=table.caption), class_="table")
    return tag("details", tag("summary", escape(table.caption or "The numbers")), _cells(table), class_="long")


def _cells(table: Table, *, caption: str = "") -> str:
    styles = ["number" if place and table.is_numeric(place) else None for place in range(len(table.columns))]
    head = "".join(
        tag("th", escape(name), scope="col", class_=style) for name, style in zip(table.columns, styles, strict=True)
    )
    rows = "\n".join(_row(row, styles) for row in table.texts)
    whole = tag(
        "table",
        tag("caption", escape(caption)) if caption else "",
        tag("thead", tag("tr", head)),
        f"<tbody>{rows}</tbody>",
    )
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=table.caption or "The numbers")


def _row(row: Sequence[str], styles: Sequence[str | None]) -> str:
    first, *others = row
    cells = [tag("td", escape(value) or " ", class_=style) for value, style in zip(others, styles[1:], strict=True)]
    return tag("tr", tag("th", escape(first) or " ", scope="row"), *cells)
