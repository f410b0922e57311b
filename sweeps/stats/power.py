"""How many items or seeds would settle it: the sizes at which a difference is found with 80 % at 5 %, two-sided.

m = (z(1 - α/2) + z(power))²·variance/δ² throughout (Miller 2024, arXiv 2411.00640, section 5); what differs is the
variance of one item's contribution. Counts are to the nearest item: the sizes are approximate anyway.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from sweeps.stats.intervals import ALPHA

Floats = npt.NDArray[np.float64]

POWER = 0.8
MOST_SEEDS = 1000


def power_factor(*, alpha: float = ALPHA, power: float = POWER) -> float:
    """(z(1 - α/2) + z(power))², 7.85 as it stands: δ² has to be so many times the variance of its estimate."""
    from scipy.special import ndtri  # the quantile of the normal distribution

    return float(ndtri(1 - alpha / 2) + ndtri(power)) ** 2


def count_items_needed(difference: float, variance: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Items for a mean difference whose one item varies so much; with clusters the variance of one item's share."""
    return power_factor(alpha=alpha, power=power) * variance / difference**2


def count_seeds_needed(difference: float, variance: float, *, fixed: float = 0.0) -> int | None:
    """The least K ≥ 2 at which (t(1 - α/2) + t(power))²·(variance/K + fixed) ≤ δ², t with K - 1 degrees of freedom.

    `variance` is of one seed's difference, `fixed` what more seeds do not lessen: the squared error of the items. None
    where a thousand seeds would not do.
    """
    counts, pulls = _tabulate_power()
    enough = pulls * (variance / counts + fixed) <= difference**2
    return int(counts[enough.argmax()]) if enough.any() and difference else None


@cache
def _tabulate_power() -> tuple[Floats, Floats]:
    """Every K that is looked at, and (t(1 - α/2) + t(power))² of each: the quantiles are what takes long."""
    from scipy.special import stdtrit  # the quantile of t

    counts = np.arange(2.0, MOST_SEEDS + 1)
    pulls = (stdtrit(counts - 1, 1 - ALPHA / 2) + stdtrit(counts - 1, POWER)) ** 2
    return np.asarray(counts), np.asarray(pulls)
