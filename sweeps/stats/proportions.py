"""Shares of items: their intervals, and whether two models that answer the same items differ."""

import math
from typing import NamedTuple

from sweeps.stats.intervals import ALPHA


class Interval(NamedTuple):
    """From `low` to `high`, of 95 % unless it was asked for another."""

    low: float
    high: float


def wilson_interval(right: int, items: int, *, alpha: float = ALPHA) -> Interval:
    """Wilson 1927: (p + z²/2m ± z·√(p(1-p)/m + z²/4m²)) / (1 + z²/m); within [0, 1] for any share, 0 and 1 too."""
    from scipy.special import ndtri  # the quantile of the normal distribution

    if not 0 <= right <= items or items < 1:
        raise ValueError(f"{right} right of {items} items: of one item at least, and of no more than all, is right")
    z, share = -float(ndtri(alpha / 2)), right / items
    middle = share + z * z / (2 * items)
    reach = z * math.sqrt(share * (1 - share) / items + z * z / (4 * items * items))
    whole = 1 + z * z / items
    low, high = (middle - reach) / whole, (middle + reach) / whole
    return Interval(low if right else 0.0, high if right < items else 1.0)


def mcnemar(only_one: int, only_other: int) -> float:
    """The exact two-sided p of McNemar's test: a fair coin decides each of the items that the two answer differently.

    `only_one` items are right for the one alone, `only_other` for the other alone; what both have alike says nothing.
    """
    from scipy.special import bdtr  # the binomial distribution's sum

    trials = only_one + only_other
    return min(1.0, 2 * float(bdtr(min(only_one, only_other), trials, 0.5))) if trials else 1.0
