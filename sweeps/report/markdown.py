"""The Markdown face of a report, for a pull request; figures are links to files beside it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sweeps.figures.svg import UNSPEAKABLE
from sweeps.report.document import Code, Figure, Paragraph, Part, Report, Table

MOST = 40  # rows of a table
SPECIAL = re.compile(r"([\\`*_\[\]|~#])")


def render_markdown(report: Report, folder: str | None = None) -> str:
    """Render the text. `folder` holds the figures as NAME.svg, relative to the file; None leaves them out."""
    return "\n".join(_lines(report, folder)).rstrip() + "\n"


def escape_markdown(text: str) -> str:
    """Escape text into one line without markup, HTML or mentions."""
    line = " ".join(UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())
    safe = SPECIAL.sub(r"\\\1", line).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("@", "&#64;").replace("://", ":&#47;&#47;")


def _lines(report: Report, folder: str | None) -> Iterator[str]:
    yield from (f"## {escape_markdown(report.sweep)}", "")
    if report.question:
        yield from (f"*{escape_markdown(report.question)}*", "")
    for notice in report.notices:
        yield from (f"> **{escape_markdown(notice)}**", "")
    for place, line in enumerate(report.lines):
        if place:
            yield f"- {escape_markdown(line)}"
        else:
            yield from (f"**{escape_markdown(line)}**", "")
    yield ""
    facts = "; ".join(f"{escape_markdown(name)}: {escape_markdown(value)}" for name, value in report.facts)
    yield from ([facts, ""] if facts else [])
    for section in report.sections:
        yield from (f"### {escape_markdown(section.title)}", "")
        for part in section.parts:
            yield from _part(part, folder)
    if report.made:
        yield f"Made {escape_markdown(report.made)} by tinker-sweeps; intervals are at 95 %."


def _part(part: Part, folder: str | None) -> Iterator[str]:
    match part:
        case Table():
            yield from _table(part)
        case Figure():
            table, title = part.table, escape_markdown(part.title)
            if folder is not None and part.is_drawn:
                yield from (f"**{title}**", "", f"![{title}]({folder}/{part.name}.svg)", "")
            elif table.folded and not table.caption:
                table = replace(table, caption=part.title)
            elif not table.caption:
                yield from (f"**{title}**", "")
            yield from _table(table)
            words = " ".join(filter(None, (part.legend if folder is not None and part.is_drawn else "", part.note)))
            if words:
                yield from (escape_markdown(words), "")
        case Paragraph():
            yield from (f"**{escape_markdown(part.text)}**" if part.warning else escape_markdown(part.text), "")
        case Code():
            fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", part.text)), default=0))
            yield from (
                f"{fence}{part.language}",
                UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", part.text.rstrip()),
                fence,
                "",
            )


def _shorten(table: Table) -> Iterator[Sequence[str]]:
    """Yield the first and the last rows of a long table: the last ones are often of the largest size."""
    if len(table.texts) <= MOST:
        yield from table.texts
        return
    yield from table.texts[: MOST // 2]
    yield ["…"] * len(table.columns)
    yield from table.texts[-(MOST - MOST // 2) :]


def _table(table: Table) -> Iterator[str]:
    """Write a table; fold a long one, and say how many of its rows are left out."""
    if table.folded:
        yield from ("<details>", f"<summary>{escape_markdown(table.caption or 'The numbers')}</summary>", "")
    elif table.caption:
        yield from (f"{escape_markdown(table.caption)}:", "")
    yield f"| {' | '.join(map(escape_markdown, table.columns))} |"
    yield f"|{'---|' * len(table.columns)}"
    yield from (f"| {' | '.join(map(escape_markdown, row))} |" for row in _shorten(table))
    yield ""
    if len(table.rows) > MOST:
        yield from (f"{len(table.rows) - MOST:,} rows between these are in the HTML report.", "")
    if table.folded:
        yield from ("</details>", "")
