"""Format values for people, in a terminal, on a phone or on paper."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.stage import MICRO

if TYPE_CHECKING:  # commands that only print do not load the statistics
    from sweeps.stats.intervals import Estimate


# Control characters, and what turns the direction of writing; surrogates, which cannot be printed.
STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
BREAKS = re.compile("\r\n|[\t\n\r\v\f\x85\u2028\u2029]")


def format_number(value: Any) -> str:
    """Format a value as a file has it, so that it can be copied into one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(format_number, value))}]"
    return str(value)


LONGEST = 6  # digits that a person writes; a rule of an axis makes more


def format_cell(key: str, value: Any) -> str:
    """Format a value of a cell: no method is "untrained", no source is "none".

    A number that a rule of an axis made is shortened: 0.003162 for 0.00316227766017.
    """
    if value is None:
        return "untrained" if key == "method" else "none"
    if isinstance(value, float) and float(f"{value:.{LONGEST}g}") != value:
        return f"{value:.4g}"
    return format_number(value)


def escape(text: str) -> str:
    """Put a text on one line, without control characters: names, data and errors of others may have any."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", BREAKS.sub(" ", text))


def escape_lines(text: str) -> str:
    """Escape each line of a text."""
    return "\n".join(map(escape, text.split("\n")))


def format_value(value: Any) -> str:
    """Format a value of a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e-2 or abs(value) >= 1e5 else f"{value:.4f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def percent(share: float, digits: int) -> str:
    """Format a share of one: 3.1 %."""
    return f"{100 * share:.{digits}f} %"


def format_interval(estimate: "Estimate", digits: int, *, signed: bool = False, sign: str = " ±") -> str:
    """Format 0.7117 ±0.0190; if an end is cut at a bound, both ends: 0.9500 (0.8200 to 1.0000)."""
    plus = "+" if signed else ""
    mean, ends = f"{estimate.mean:{plus}.{digits}f}", estimate.ends
    if ends is None:
        return mean
    if ends.cut:
        return f"{mean} ({ends.low:{plus}.{digits}f} to {ends.high:{plus}.{digits}f})"
    return f"{mean}{sign}{estimate.half_width:.{digits}f}"


def join_names(names: Sequence[str]) -> str:
    """Join names: a, b and c."""
    *others, last = names or ("",)
    return f"{', '.join(others)} and {last}" if others else last


def format_count(number: int, noun: str) -> str:
    """Format a count: 1 sweep, 2 sweeps."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def name_place(number: int) -> str:
    """Name a place in a list, counted from 1: 1st, 2nd, 11th."""
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def format_usd(micro_usd: int | None) -> str:
    """Format micro-dollars, with enough digits for small sums."""
    if micro_usd is None:
        return "-"
    amount = micro_usd / MICRO
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if micro_usd >= 100 or not micro_usd else f"${amount:.6f}"


def format_span(low: str, high: str) -> str:
    """Name two ends of a range, or the one value that both are."""
    return low if low == high else f"{low} to {high}"


def format_duration(seconds: float) -> str:
    """Format a time span: 8 s, 3 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def name_loss(progress: Mapping[str, Any]) -> str:
    """Name the loss of a running training: "nll 1.980"."""
    values = ((name, progress.get(name)) for name in ("nll", "dpo_loss", "reward"))
    return " ".join(f"{name} {value:.3f}" for name, value in values if isinstance(value, float))
