"""The sizes that were measured around an answer: whether the mean of each reaches the target, and how sure it is."""

from collections.abc import Sequence
from typing import NamedTuple

from sweeps.spec.size_units import SizeUnit
from sweeps.stage import Json


class SizeMean(NamedTuple):
    """The mean of a metric over the seeds of a size, with its 95 % interval where it is known."""

    size: float
    mean: float
    low: float | None
    high: float | None
    reaches: bool | None = None  # the target; None without one

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        return self._asdict()

    @property
    def words(self) -> str:
        """The mean with its interval: 0.7465 (95 % interval 0.7014 to 0.7916)."""
        if self.low is None or self.high is None:
            return f"{self.mean:.4f}"
        return f"{self.mean:.4f}, 95 % interval {self.low:.4f} to {self.high:.4f}"


def find_around(means: Sequence[SizeMean]) -> tuple[SizeMean, ...]:
    """Find the last size whose mean misses the target, and the next, from which on all reach it; if there are any."""
    missing = [place for place, known in enumerate(means) if known.reaches is False]
    if not missing:
        return ()
    return tuple(means[missing[-1] : missing[-1] + 2])


def say_beside(around: Sequence[SizeMean], unit: SizeUnit) -> str:
    """Say behind an answer of the curve what was measured around it; or nothing."""
    if not around:
        return ""
    missed, *reached = around
    first = f"{unit.write(missed.size)}{'' if reached else ', the largest size,'} miss it ({missed.words})"
    return f" by the fitted curve; measured, {first}" + "".join(
        f" and {known.size:,.0f} reach it ({known.words})" for known in reached
    )


def say_between(around: Sequence[SizeMean], unit: SizeUnit) -> str:
    """Say between which measured sizes the mean reaches the target."""
    missed, *reached = around
    if not reached:
        return f"with none of the measured sizes: {unit.write(missed.size)}, the largest, miss it ({missed.words})"
    (next_size,) = reached
    misses, reaches = (
        f"{missed.size:,.0f} miss it ({missed.words})",
        f"{next_size.size:,.0f} reach it ({next_size.words})",
    )
    return f"between {missed.size:,.0f} and {unit.write(next_size.size)}: measured, {misses}, {reaches}"
