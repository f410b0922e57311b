"""How many items or seeds would settle it: the sizes at which a difference is found with 80 % at 5 %, two-sided.

m = (z(1 - α/2) + z(power))²·variance/δ² throughout (Miller 2024, arXiv 2411.00640, section 5); what differs is the
variance of one item's contribution. Counts are to the nearest item: the sizes are approximate anyway.
"""

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from sweeps.stats.intervals import ALPHA

Floats = npt.NDArray[np.float64]

POWER = 0.8
MOST_SEEDS = 1000


def pull(*, alpha: float = ALPHA, power: float = POWER) -> float:
    """(z(1 - α/2) + z(power))², 7.85 as it stands: δ² has to be so many times the variance of its estimate."""
    from scipy.special import ndtri  # the quantile of the normal distribution

    return float(ndtri(1 - alpha / 2) + ndtri(power)) ** 2


def items_for(difference: float, variance: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """Items for a mean difference whose one item varies so much; with clusters the variance of one item's share."""
    return pull(alpha=alpha, power=power) * variance / difference**2


def items_of_sampled(
    difference: float, between: float, within: tuple[float, float] = (0.0, 0.0), samples: tuple[int, int] = (1, 1)
) -> int:
    """Paired, with K samples of each item: variance ω² + σ²_A/K_A + σ²_B/K_B.

    `between` is ω², of the items' true differences; `within` and `samples` are σ² and K of the two.
    """
    noise = sum(each / count for each, count in zip(within, samples, strict=True))
    return round(items_for(difference, between + noise))


def items_paired(difference: float, discordant: float) -> int:
    """Paired and binary, a share of the items being answered differently: variance discordant - δ²."""
    if not 0 < abs(difference) <= discordant <= 1:
        raise ValueError(f"{difference} of {discordant} discordant: 0 < |difference| ≤ discordant ≤ 1 is right")
    return round(items_for(difference, discordant - difference**2))


def items_unpaired(difference: float, share: float = 0.5) -> int:
    """Of each of two models with items of their own, at about this share of right ones: variance 2p(1 - p)."""
    return round(items_for(difference, 2 * share * (1 - share)))


def half_width(items: int, share: float = 0.5) -> float:
    """Of the 95 % interval of a share, by the normal distribution: what so many items can tell apart at all."""
    from scipy.special import ndtri

    return float(ndtri(1 - ALPHA / 2)) * math.sqrt(share * (1 - share) / items)


def seeds_for(difference: float, variance: float, *, fixed: float = 0.0) -> int | None:
    """The least K ≥ 2 at which (t(1 - α/2) + t(power))²·(variance/K + fixed) ≤ δ², t with K - 1 degrees of freedom.

    `variance` is of one seed's difference, `fixed` what more seeds do not lessen: the squared error of the items. None
    where a thousand seeds would not do.
    """
    counts, pulls = _pulls()
    enough = pulls * (variance / counts + fixed) <= difference**2
    return int(counts[enough.argmax()]) if enough.any() and difference else None


@cache
def _pulls() -> tuple[Floats, Floats]:
    """Every K that is looked at, and (t(1 - α/2) + t(power))² of each: the quantiles are what takes long."""
    from scipy.special import stdtrit  # the quantile of t

    counts = np.arange(2.0, MOST_SEEDS + 1)
    pulls = (stdtrit(counts - 1, 1 - ALPHA / 2) + stdtrit(counts - 1, POWER)) ** 2
    return np.asarray(counts), np.asarray(pulls)
