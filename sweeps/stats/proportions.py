"""Shares of items: Wilson's interval, and McNemar's test of two models on the same items."""

import math
from typing import NamedTuple

from sweeps.stats.intervals import ALPHA


class Interval(NamedTuple):
    """An interval from `low` to `high`, of 95 % by default."""

    low: float
    high: float


def wilson_interval(right: float, items: int, *, alpha: float = ALPHA) -> Interval:
    """Return the interval of a share (Wilson 1927), which is within [0, 1] for any share, 0 and 1 too.

    (p + z²/2m ± z·√(p(1-p)/m + z²/4m²)) / (1 + z²/m).
    """
    from scipy.special import ndtri  # the quantile of the normal distribution

    if not 0 <= right <= items or items < 1:
        raise ValueError(f"expected at least one item and 0 ≤ right ≤ items, got {right} right of {items}")
    z, share = -float(ndtri(alpha / 2)), right / items
    middle = share + z * z / (2 * items)
    reach = z * math.sqrt(share * (1 - share) / items + z * z / (4 * items * items))
    whole = 1 + z * z / items
    low, high = (middle - reach) / whole, (middle + reach) / whole
    return Interval(low if right else 0.0, high if right < items else 1.0)


def mcnemar(only_one: int, only_other: int) -> float:
    """Return the exact two-sided p of McNemar's test: a fair coin for each item that the two answer differently.

    `only_one` items are right for the one model alone, `only_other` for the other alone. Items that both answer alike
    say nothing.
    """
    from scipy.special import bdtr  # the binomial distribution's sum

    trials = only_one + only_other
    return min(1.0, 2 * float(bdtr(min(only_one, only_other), trials, 0.5))) if trials else 1.0
