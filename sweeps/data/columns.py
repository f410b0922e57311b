"""Read the columns that a spec names: those that become keys of a record, the group of a row, and its stratum.

A name is that of a column of the file, also where the column is renamed. A text with names in braces is filled in from
several columns, and a list is the same for every row. Reads no file itself.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn

from sweeps.data.foreign_formats import SHAPES, BadRow
from sweeps.errors import DataError

MISSING = "(missing)"  # the stratum of a row without a value in that column
SHOWN = 20  # columns in one message
NAMED = re.compile(r"\{([^{}]+)\}")  # a column in a text that is filled in
OF_QUESTIONS = ("context", "distractors", "candidates", "variants")
FIELDS = tuple(dict.fromkeys([*(key for shape in SHAPES for key in (*shape.keys, *shape.besides)), *OF_QUESTIONS]))


class RowLabels(NamedTuple):
    """What a row is known by beside its content; None: the spec does not ask."""

    group: str | None = None
    stratum: str | None = None


@dataclass
class ColumnReader:
    """Reads the named columns of each row, and remembers which columns there were."""

    names: Mapping[str, str | Sequence[str]] = field(default_factory=dict)  # key of the record: column, text or list
    group: str | None = None
    by: str | None = None
    there: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sources = {key: list_sources(name) for key, name in self.names.items()}
        self.used = {*(name for names in self.sources.values() for name in names)}
        self.used |= {*filter(None, (self.group, self.by))}

    def read(self, row: object) -> tuple[object, RowLabels]:
        """Rename the columns of a row, and read its group and stratum. Raises BadRow if it has no group."""
        if not (self.used or self.names) or not isinstance(row, dict):
            return row, RowLabels()
        self.there.update(dict.fromkeys(map(str, row)))
        group = _label(row.get(self.group), self.group) if self.group else None
        if self.group and group is None:
            raise BadRow(f"group: expected a value in the column {self.group!r}, got none; fill it in, or drop the row")
        stratum = (_label(row.get(self.by), self.by) or MISSING) if self.by else None
        return self._rename(row), RowLabels(group, stratum)

    def refuse_absent(self, where: str) -> None:
        """Raise DataError for a named column that no row has."""
        wanted = [(f"columns.{key}", column) for key, columns in self.sources.items() for column in columns]
        wanted += [(key, column) for key, column in (("group", self.group), ("by", self.by)) if column]
        for key, column in wanted:
            if self.there and column not in self.there:
                _refuse_column(key, column, [*self.there], where)

    def _rename(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self.names:
            return row
        gone = {*self.names, *(column for columns in self.sources.values() for column in columns)}
        filled = {key: _fill_in(name, row) for key, name in self.names.items() if {*self.sources[key]} <= {*row}}
        return {**{key: value for key, value in row.items() if key not in gone}, **filled}


def list_sources(name: str | Sequence[str]) -> list[str]:
    """List the columns that a name is read from: those in braces, or else the one of that name; none for a list."""
    if not isinstance(name, str):
        return []
    return list(dict.fromkeys(NAMED.findall(name))) or [name]


def _fill_in(name: str | Sequence[str], row: Mapping[str, Any]) -> object:
    if not isinstance(name, str):
        return [*name]
    if not NAMED.search(name):
        return _to_text(row[name])
    values = {column: _to_text(row[column]) for column in list_sources(name)}
    for column, value in values.items():
        if not isinstance(value, str):
            raise BadRow(f"{column}: expected text or a number to fill in, got a JSON {type(value).__name__}")
    return NAMED.sub(lambda match: str(values[match[1]]), name)


def refuse_columns(columns: ColumnReader, what: str) -> None:
    """Raise DataError if the spec names columns of something that has none."""
    for key, wanted in (("columns", columns.names), ("group", columns.group), ("by", columns.by)):
        if wanted:
            tables = "JSON lines, JSON, CSV, TSV, Parquet or Arrow"
            raise DataError(f"{key}: expected a file whose rows have columns ({tables}), got {what}; leave out `{key}`")


def _refuse_column(key: str, column: str, there: list[str], where: str) -> NoReturn:
    near = get_close_matches(column, there, n=3)
    advice = f"; did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else ""
    shown = ", ".join(there[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
    raise DataError(f"{where}: {key}: expected a column of the file, got {column!r}{advice} The columns are {shown}")


def _label(value: object, column: str | None) -> str | None:
    """Write a value as text, the same for each kind of file: 7, 7.0 and "7" are one group. None if it is empty."""
    if value is None:
        return None
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFC", value).split()) or None
    if isinstance(value, bool | int | float):
        return str(_to_text(value)) if value == value else None  # noqa: PLR0124 - NaN is what pandas writes for nothing
    raise BadRow(f"{column}: expected text or a number to group by, got a JSON {type(value).__name__}")


def _to_text(value: object) -> object:
    """Write a plain number as text: a column of labels often has 0 and 1."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value
