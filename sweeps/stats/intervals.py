"""Means of a few paired differences with Student's t, and Holm's correction for a family of them."""

import math
import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from sweeps.metrics.ranges import ANY, ClippedInterval, Range, clip_interval
from sweeps.stage import Json

ALPHA = 0.05
ROUNDING = 1e-6  # relative; smaller differences are equal values

Key = TypeVar("Key", bound=Hashable)


class Estimate(NamedTuple):
    """A mean over `seeds` paired differences, with half the width of its 95 % interval; None for a single seed.

    The interval that people see, `low` to `high`, ends where the range of the metric ends. `interval` has its ends
    where it is not as wide to both sides; `half_width` is then its wider side.
    """

    mean: float
    half_width: float | None
    seeds: int
    span: Range = ANY
    interval: tuple[float, float] | None = None

    @property
    def ends(self) -> ClippedInterval | None:
        """The interval within the span; None for a single seed."""
        if self.interval is not None:
            return ClippedInterval(*self.interval, cut=True)
        return None if self.half_width is None else clip_interval(self.mean, self.half_width, self.span)

    def document(self) -> dict[str, Json]:
        """Return it as JSON."""
        low, high = self.ends[:2] if self.ends else (None, None)
        return {"mean": self.mean, "half_width": self.half_width, "seeds": self.seeds, "low": low, "high": high}


def estimate_paired(differences: Sequence[float], *, grain: float = 0.0, span: Range = ANY) -> Estimate:
    """Estimate the mean of differences from their own variance, by t with one degree of freedom less.

    `span` is the range of such a mean. Shares of few items are often all equal by chance: equal differences have the
    variance grain²/12, for they are equal only to within the `grain` of what was measured.
    """
    count = len(differences)
    if count < 2:
        return Estimate(statistics.fmean(differences), None, count, span)
    reach = critical_t(count - 1) * math.sqrt(estimate_variance(differences, grain) / count)
    return Estimate(statistics.fmean(differences), reach, count, span)


def estimate_variance(differences: Sequence[float], grain: float) -> float:
    """Estimate the variance of at least two differences; that of rounding to the grain if they are equal."""
    return grain**2 / 12 if agree(differences, grain) else statistics.variance(differences)


def agree(values: Sequence[float], grain: float) -> bool:
    """Whether two values or more are equal, to within what is rounding for numbers in steps of `grain`."""
    step = max(grain, ROUNDING * max(map(abs, values)))
    return max(values) - min(values) <= ROUNDING * step


def find_grain(values: Iterable[float]) -> float:
    """Find the smallest step between different values; of shares of m items it is at most a few times 1/m."""
    seen = sorted(set(values))
    least = ROUNDING * max(map(abs, seen), default=0.0)
    return min((after - before for before, after in pairwise(seen) if after - before > least), default=0.0)


def turn_estimate(estimate: Estimate) -> Estimate:
    """Turn the estimate of one less another into that of the other less the one."""
    (low, high), ends = estimate.span, estimate.interval
    turned = None if ends is None else (-ends[1], -ends[0])
    return estimate._replace(mean=0.0 - estimate.mean, span=(-high, -low), interval=turned)


def is_clear(estimate: Estimate) -> bool:
    """Is the mean beyond its own interval?"""
    if estimate.interval is not None:
        return estimate.interval[0] > 0 or estimate.interval[1] < 0
    return estimate.half_width is not None and abs(estimate.mean) > estimate.half_width


def compute_p(estimate: Estimate, freedom: float) -> float:
    """Compute the two-sided p from the half-width: t = mean / (half-width / t(.975))."""
    if not estimate.half_width:
        return 0.0 if estimate.half_width == 0 and estimate.mean else 1.0
    return compute_p_of_t(estimate.mean * critical_t(freedom) / estimate.half_width, freedom)


def compute_p_of_t(t: float, freedom: float) -> float:
    """Compute the two-sided p of a t."""
    from scipy.special import stdtr  # Student's t

    return 2 * float(stdtr(freedom, -abs(t)))


def critical_t(freedom: float, alpha: float = ALPHA) -> float:
    """Return t(1 - alpha / 2) for these degrees of freedom: t(.975)."""
    from scipy.special import stdtrit  # the quantile of t

    return float(stdtrit(freedom, 1 - alpha / 2))


def holm(p_values: Mapping[Key, float]) -> set[Key]:
    """Return what Holm (1979) rejects: in ascending order while p ≤ alpha / (hypotheses left)."""
    rejected: set[Key] = set()
    for key in sorted(p_values, key=p_values.__getitem__):
        if p_values[key] > ALPHA / (len(p_values) - len(rejected)):
            break
        rejected.add(key)
    return rejected
