"""Values as people read them, in a terminal or on a phone."""

from collections.abc import Mapping
from typing import Any

from sweeps.wording import counted, dollars, of_cell, written

__all__ = ["counted", "dollars", "duration", "loss_of", "of_cell", "written"]


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
