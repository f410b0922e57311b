"""Shares of items: Wilson's interval, Newcombe's of a difference, and McNemar's test on the same items."""

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


def newcombe_interval(right: float, items: int, other_right: float, other_items: int) -> Interval:
    """Return the interval of the difference of two shares whose items differ (Newcombe 1998, method 10).

    With p and q the shares, and (l, u) and (m, v) their Wilson intervals, it is from p - q - √((p - l)² + (v - q)²) to
    p - q + √((u - p)² + (q - m)²): within [-1, 1], and not empty where a share is 0 or 1.
    """
    (low, high), share = wilson_interval(right, items), right / items
    (other_low, other_high), other = wilson_interval(other_right, other_items), other_right / other_items
    below, above = math.hypot(share - low, other_high - other), math.hypot(high - share, other - other_low)
    return Interval(max(share - other - below, -1.0), min(share - other + above, 1.0))


def mcnemar(only_one: int, only_other: int) -> float:
    """Return the exact two-sided p of McNemar's test: a fair coin for each item that the two answer differently.

    `only_one` items are right for the one model alone, `only_other` for the other alone. Items that both answer alike
    say nothing.
    """
    from scipy.special import bdtr  # the binomial distribution's sum

    trials = only_one + only_other
    return min(1.0, 2 * float(bdtr(min(only_one, only_other), trials, 0.5))) if trials else 1.0
