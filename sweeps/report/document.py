"""A report as a value: sections of paragraphs, tables and figures, before it is HTML or Markdown."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sweeps.figures.svg import NARROW, WIDE
from sweeps.formatting import format_value

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """Texts in columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    folded: bool = False  # long: shown when it is asked for


@dataclass(frozen=True)
class Figure:
    """A drawing for wide and one for narrow screens, and the same as a table."""

    name: str  # also of its file
    title: str
    wide: str
    narrow: str
    table: Table | None = None
    note: str = ""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a `warning` stands out."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Code:
    """Text as it stands."""

    text: str
    language: str = ""


Part = Table | Figure | Paragraph | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Report:
    """What is told of a sweep: first what was asked and what came out, then why one may believe it."""

    sweep: str
    question: str
    answer: tuple[str, ...]  # sentences, the first being the answer
    notices: tuple[str, ...] = ()  # what one must know before reading on
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
    made: str = ""

    @property
    def figures(self) -> list[Figure]:
        """In their order."""
        return [part for section in self.sections for part in section.parts if isinstance(part, Figure)]


@dataclass(frozen=True)
class Conclusion:
    """What the rows say of the question: sentences, and the sections that show it."""

    sentences: tuple[str, ...]
    sections: tuple[Section, ...] = field(default_factory=tuple)


def table(rows: Sequence[dict[str, Any]], *, caption: str = "", folded: bool = False) -> Table:
    """From rows as dictionaries; a column that a row lacks is a dash there."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return Table(
        columns, tuple(tuple(format_value(row.get(name)) for name in columns) for row in rows), caption, folded
    )


def both(draw: Callable[[float, str], str]) -> dict[str, str]:
    """A drawing in its two widths, as a Figure takes them."""
    return {"wide": draw(WIDE, "wide"), "narrow": draw(NARROW, "narrow")}


def choose_evenly(all_: Sequence[T], most: int) -> list[T]:
    """At most so many, evenly chosen, the first and the last among them: what a figure has room for."""
    if len(all_) <= most:
        return list(all_)
    return [all_[round(place * (len(all_) - 1) / (most - 1))] for place in range(most)]


def drop_empty(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Those that have something to say."""
    return tuple(section for section in sections if section.parts)
