"""Print what a command found: a table for people, one JSON object, or CSV."""

import csv
import errno
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, TextIO

import click
from rich.console import Console
from rich.table import Table

from scheduler.cli.console.streams import make_exact
from sweeps.formatting import escape, escape_lines, format_count
from sweeps.report.plain_values import simplify
from sweeps.report.table_cells import show_value

Row = Mapping[str, Any]

RIGID = 26  # characters: what is no longer, an id or a number, is never broken; a longer text may be
FOLDED = 16  # characters that such a text needs at least
GAP = 2  # between columns
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\n]")  # what a cell begins with that is computed, or stripped before
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|[-+]?(inf|nan)")


class Terminal(Console):
    """The console of rich; a closed pipe is an error for the command to handle."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@dataclass(frozen=True)
class Output:
    """Where a command writes, and in which format."""

    form: str  # table, json or csv
    console: Console

    @classmethod
    def to_terminal(cls, form: str) -> Self:
        """Write to the terminal: data is never taken for rich's markup, and nothing is folded in a pipe or a file."""
        if form != "table":
            make_exact()
        width = None if sys.stdout.isatty() else 1000
        return cls(form, Terminal(width=width, markup=False, emoji=False, highlight=False))

    @property
    def for_people(self) -> bool:
        return self.form == "table"

    def print_rows(self, name: str, rows: Sequence[Row], *, title: str = "", columns: Sequence[str] = ()) -> None:
        """Print a list under its plural name: {"sweeps": [...]}, a CSV with a header, or a table."""
        if self.form == "json":
            self.print_document({name: list(rows)})
        elif self.form == "csv":
            self.print_csv(rows, columns=columns)
        else:
            self.print_table(rows, title=title or format_count(len(rows), name.removesuffix("s")), columns=columns)

    def print_document(self, document: Mapping[str, Any]) -> None:
        """Print one JSON object."""
        sys.stdout.write(json.dumps(simplify(document), indent=2, default=str) + "\n")

    def print_csv(self, rows: Sequence[Row], *, columns: Sequence[str] = ()) -> None:
        """Print rows with a header."""
        names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        write_csv(names, rows, text)
        sys.stdout.write(text.getvalue())

    def print_table(self, rows: Sequence[Row], *, title: str = "", columns: Sequence[str] = ()) -> None:
        """Print columns in the order of the first row; numbers to the right."""
        if title:
            self.console.print(escape(title), style="bold")  # as a title of the table it would fold to its width
        if not rows:
            return
        names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
        values = [[show_value(row.get(name)) for name in names] for row in rows]
        cells = [[escape(value.text) for value in row] for row in values]
        if _compute_least_width([names, *cells]) > self.console.width:
            self._print_one_by_one(names, rows)
            return
        table = Table(box=None, pad_edge=False)
        for position, name in enumerate(names):
            numeric = all(row[position].is_number for row in values)
            justify: Literal["left", "right"] = "right" if numeric else "left"
            rigid = all(len(row[position]) <= RIGID for row in cells)
            style = "" if position else "bright_cyan"
            table.add_column(escape(name), justify=justify, style=style, no_wrap=rigid, overflow="fold")
        for row in cells:
            table.add_row(*row)
        self.console.print(table)

    def _print_one_by_one(self, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Print rows as lines of name and value, where columns do not fit: no number is cut off."""
        wide = max(map(len, names))
        for position, row in enumerate(rows):
            shown = [(name, show_value(row.get(name))) for name in names]
            lines = [f"{name:<{wide}}  {escape(value.text)}" for name, value in shown if value.text not in ("", "-")]
            self.console.print("\n".join([""] * bool(position) + lines))

    def warn(self, texts: Iterable[str]) -> None:
        """Print warnings to stderr, whatever the format of the output."""
        for text in texts:
            click.echo(f"Warning: {escape_lines(text)}", err=True)

    def say(self, text: str) -> None:
        """Print a line for people; nothing in the other formats."""
        if self.for_people:
            self.console.print(escape_lines(text))


def _compute_least_width(cells: Sequence[Sequence[str]]) -> int:
    """Return the least width of a table with these cells, when its long texts are folded."""
    columns = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return sum(width if width <= RIGID else FOLDED for width in columns) + GAP * (len(columns) - 1)


def write_csv(names: Sequence[str], rows: Iterable[Row], file: TextIO) -> None:
    """Write rows with a header; nested values as JSON, and no cell that a spreadsheet takes for a formula."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(escape_formula, names))
    writer.writerows([escape_formula(flatten_value(row.get(name))) for name in names] for row in rows)


def escape_formula(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would compute; leave numbers, also as text, as they are."""
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n")  # which csv would not quote, and readers take for a new row
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def flatten_value(value: Any) -> Any:
    """Flatten a value for a table: nested values become JSON."""
    return json.dumps(value, default=str) if isinstance(value, Mapping | list | tuple) else value
