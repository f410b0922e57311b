"""How commands speak: a table for people, or one JSON object, or CSV; errors on stderr."""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Output:
    """Where a command writes, and in which form."""

    form: str  # table, json or csv
    console: Console

    @property
    def for_people(self) -> bool:
        return self.form == "table"

    def rows(self, name: str, rows: Sequence[Row], *, title: str = "", columns: Sequence[str] = ()) -> None:
        """A list under its plural name: {"sweeps": [...]}, a CSV with a header, or a table."""
        if self.form == "json":
            self.document({name: list(rows)})
        elif self.form == "csv":
            self.csv(rows)
        else:
            self.table(rows, title=title or f"{len(rows)} {name}", columns=columns)

    def document(self, document: Mapping[str, Any]) -> None:
        """One JSON object."""
        sys.stdout.write(json.dumps(document, indent=2, default=str) + "\n")

    def csv(self, rows: Sequence[Row]) -> None:
        """Rows with a header; nested values as JSON."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _flat(value) for name, value in row.items()})
        sys.stdout.write(text.getvalue())

    def table(self, rows: Sequence[Row], *, title: str = "", columns: Sequence[str] = ()) -> None:
        """Columns in the order of the first row; numbers to the right."""
        names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
        table = Table(title=title or None, title_justify="left", title_style="bold", box=None, pad_edge=False)
        for position, name in enumerate(names):
            numeric = all(isinstance(row.get(name), int | float | None) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", style="bright_cyan" if position == 0 else "")
        for row in rows:
            table.add_row(*(shown(row.get(name)) for name in names))
        self.console.print(table)

    def say(self, text: str) -> None:
        """A line for people; nothing in the other forms."""
        if self.for_people:
            self.console.print(text, highlight=False)


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-2 or abs(value) >= 1e5 else f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def dollars(micro_usd: int | None) -> str:
    """Micro-dollars for people: enough digits to see that small sums are not nothing."""
    if micro_usd is None:
        return "-"
    amount = micro_usd / 1_000_000
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.4f}"


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 3 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _flat(value: Any) -> Any:
    return json.dumps(value, default=str) if isinstance(value, Mapping | list | tuple) else value
