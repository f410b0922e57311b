"""The terminal's face of a report: its sentences, its tables, and its line charts in characters."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scheduler.cli.console.output import Output
from sweeps.figures.charts import LineChart
from sweeps.figures.terminal import draw_curves
from sweeps.formatting import format_count
from sweeps.report.document import Code, Figure, Paragraph, Part, Report, Section, Table, describe_caveats

CURVES = 13  # lines in one drawing: the letters of more run into each other


def show_report(output: Output, report: Report) -> None:
    """Print the conclusion of a report, its answer in detail, and the sections that show it."""
    show_conclusion(output, report)
    show_findings(output, report)


def show_conclusion(output: Output, report: Report) -> None:
    """Print the conclusion, what limits it, and what the reader must know next."""
    if conclusion := report.conclusion:
        output.say("\n".join(filter(None, (*conclusion.sentences, describe_caveats(conclusion)))))
    for notice in report.notices:
        output.say(notice)


def show_findings(output: Output, report: Report) -> None:
    """Print the answer in detail, and the sections that show it."""
    headline = report.conclusion.sentences if report.conclusion else []
    if details := [line for line in report.answer if line not in headline]:
        output.say("\n" + "\n".join(details))
    folded = 0
    for section in report.findings:
        if section.further or _is_folded(section):
            folded += sum(isinstance(part, Table | Figure) for part in section.parts)
            continue
        output.say(f"\n{section.title}")
        folded += sum(_show_part(output, part) for part in _say_once(section.parts))
    if folded:
        output.say(f"\n{format_count(folded, 'table')} more: `sweep report {report.sweep}` has everything")


def _is_folded(section: Section) -> bool:
    """Whether all that it has to show is left to the page: then its heading and its notes say nothing."""
    shown = [part for part in section.parts if not isinstance(part, Paragraph) or part.warning]
    return bool(shown) and all(_find_folded(part) for part in shown)


def _find_folded(part: Part) -> Table | None:
    """Find the long table of a part that the terminal leaves to the page."""
    table = part.table if isinstance(part, Figure) and not part.in_cells else part
    return table if isinstance(table, Table) and table.folded else None


def _say_once(parts: Sequence[Part]) -> Iterator[Part]:
    """Leave out the note of a figure that says the same as one before it."""
    notes = set[str]()
    for part in parts:
        if isinstance(part, Figure) and not part.table.folded:
            yield replace(part, note="") if part.note in notes else part
            notes.add(part.note)
        else:
            yield part


def _show_part(output: Output, part: Part) -> bool:
    """Print a part, and return whether it is a long table, which is left to the page.

    A figure is its table, which has each number once; or its drawing, where the numbers are printed already.
    """
    match part:
        case Paragraph() | Code():
            output.say(part.text)
        case Table():
            return _show_table(output, part, part.caption)
        case Figure(in_cells=True, is_drawn=False):
            return False
        case Figure(chart=LineChart(words=words, lines=lines), in_cells=True):
            groups = [lines[at : at + CURVES] for at in range(0, len(lines), CURVES)]
            output.say("\n".join(draw_curves(group, up=words.up, across=words.across) for group in groups))
            return False
        case Figure():
            folded = _show_table(output, part.table, part.title)
            if part.note and not folded:
                output.say(part.note)
            return folded
    return False


def _show_table(output: Output, table: Table, title: str) -> bool:
    if not table.folded:
        output.print_table(_name_columns(table), title=title, columns=table.columns)
    return table.folded


def _name_columns(table: Table) -> Sequence[dict[str, object]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]
