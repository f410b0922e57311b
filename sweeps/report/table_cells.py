"""How a report writes a number, in one place: a table cell keeps the value beside the text that every face shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.formatting import format_interval, format_usd, format_value, percent
from sweeps.stage import MICRO

if TYPE_CHECKING:  # a command that only prints tables does not load the statistics
    from sweeps.stats.intervals import Estimate

MINUS = "−"  # as wide as a plus
MISSING = "-"


@dataclass(frozen=True)
class TableCell:
    """A text, and the value that it shows: a number, or whatever else it was written from."""

    text: str
    value: Any = None

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right, as numbers do; a missing value is no reason to stand to the left."""
        number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return number or (self.value is None and self.text in ("", MISSING))


def show_value(value: Any) -> TableCell:
    """Write a plain value; a cell stays what it is."""
    return value if isinstance(value, TableCell) else TableCell(format_value(value), value)


def format_estimate(estimate: "Estimate", digits: int = 4, *, signed: bool = False) -> str:
    """Write a mean with half of its 95 % interval: 0.7117 ± 0.0190."""
    return format_interval(estimate, digits, signed=signed, sign=" ± ").replace("-", MINUS)


def show_estimate(
    estimate: "Estimate | None", digits: int = 4, *, signed: bool = False, missing: str = MISSING, mark: str = ""
) -> TableCell:
    """Write a mean with its interval, and a mark behind it."""
    if estimate is None:
        return TableCell(missing)
    return TableCell(format_estimate(estimate, digits, signed=signed) + mark, estimate.mean)


def show_number(value: float | None, digits: int = 4, *, signed: bool = False, missing: str = MISSING) -> TableCell:
    """Write a number with so many decimal places."""
    if value is None:
        return TableCell(missing)
    return TableCell(f"{value:{'+' if signed else ''}.{digits}f}".replace("-", MINUS), value)


def show_share(value: float | None, digits: int = 2) -> TableCell:
    """Write a share of one as a percentage."""
    return TableCell(MISSING) if value is None else TableCell(percent(value, digits).replace("-", MINUS), value)


def show_dollars(micro_usd: int | None) -> TableCell:
    """Write micro-dollars; the value is in dollars."""
    return TableCell(format_usd(micro_usd), None if micro_usd is None else micro_usd / MICRO)


def show_rows(rows: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], tuple[tuple[TableCell, ...], ...]]:
    """Turn rows into the columns and cells of a table; a column that a row lacks is a dash there."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return columns, tuple(tuple(show_value(row.get(name)) for name in columns) for row in rows)
