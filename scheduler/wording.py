"""Values as people read them, in a terminal or on a phone."""

from collections.abc import Mapping
from typing import Any


def written(value: Any) -> str:
    """A value as it would stand in a file, so that it can be copied into one."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def counted(number: int, noun: str) -> str:
    """1 sweep, 2 sweeps."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def dollars(micro_usd: int | None) -> str:
    """Micro-dollars for people: enough digits to see that small sums are not nothing."""
    if micro_usd is None:
        return "-"
    amount = micro_usd / 1_000_000
    if amount >= 1:
        return f"${amount:,.2f}"
    return f"${amount:.4f}" if micro_usd >= 100 or not micro_usd else f"${amount:.6f}"


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 3 min, 2 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def loss_of(progress: Mapping[str, Any]) -> str:
    """What a training tells of its loss while it goes on: "nll 1.980"."""
    found = ((name, progress.get(name)) for name in ("nll", "dpo_loss", "reward"))
    return " ".join(f"{name} {value:.3f}" for name, value in found if isinstance(value, float))
