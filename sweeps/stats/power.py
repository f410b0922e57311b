"""How many items or seeds find a difference with a power of 80 % at the 5 % level, two-sided.

m = (z(1 - α/2) + z(power))²·variance/δ² (Miller 2024, arXiv 2411.00640, section 5). The sizes are approximate.
"""

import statistics
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from sweeps.stats.intervals import ALPHA, estimate_variance

Floats = npt.NDArray[np.float64]

POWER = 0.8
MOST_SEEDS = 1000


def power_factor(*, alpha: float = ALPHA, power: float = POWER) -> float:
    """Return (z(1 - α/2) + z(power))², 7.85 by default: δ² must be this many times the variance of its estimate."""
    from scipy.special import ndtri  # the quantile of the normal distribution

    return float(ndtri(1 - alpha / 2) + ndtri(power)) ** 2


def count_items_needed(difference: float, variance: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Count the items for a mean difference of which one item has this variance, or with clusters its share."""
    return power_factor(alpha=alpha, power=power) * variance / difference**2


def count_seeds_needed(difference: float, variance: float, *, fixed: float = 0.0) -> int | None:
    """Find the least K ≥ 2 at which (t(1 - α/2) + t(power))²·(variance/K + fixed) ≤ δ², t by K - 1 degrees.

    `variance` is that of one seed's difference, `fixed` the squared error of the items, which more seeds do not reduce.
    None if a thousand seeds are too few.
    """
    counts, pulls = _tabulate_power()
    enough = pulls * (variance / counts + fixed) <= difference**2
    return int(counts[enough.argmax()]) if enough.any() and difference else None


def estimate_seeds_needed(differences: Sequence[float], grain: float = 0.0) -> int | None:
    """Estimate from the differences of some seeds how many find their mean; None for fewer than two."""
    if len(differences) < 2:
        return None
    return count_seeds_needed(statistics.fmean(differences), estimate_variance(differences, grain))


@cache
def _tabulate_power() -> tuple[Floats, Floats]:
    """Tabulate (t(1 - α/2) + t(power))² for every K: computing the quantiles is slow."""
    from scipy.special import stdtrit  # the quantile of t

    counts = np.arange(2.0, MOST_SEEDS + 1)
    pulls = (stdtrit(counts - 1, 1 - ALPHA / 2) + stdtrit(counts - 1, POWER)) ** 2
    return np.asarray(counts), np.asarray(pulls)
