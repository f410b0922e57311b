"""Between what a metric can lie, and between what the difference of two of its values can: no interval goes beyond."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from sweeps.spec.metric_names import GAINS, LOSSES, METRICS, OF_EPISODES

Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)
UNLIKE: Mapping[str, Range] = {  # a share, from 0 to 1; all others are
    **dict.fromkeys(("nll", "bits_per_byte", "semantic_entropy", "distractor_robustness", "turns"), (0.0, math.inf)),
    "preference_kl": (0.0, math.inf),
    "uplift": (-1.0, 1.0),
    "utilisation": (-math.inf, 1.0),
    **dict.fromkeys(("preference_margin", "reward"), ANY),
}
KNOWN = {*LOSSES, *GAINS, *(metric for metrics in METRICS.values() for metric in metrics)}


class Bounded(NamedTuple):
    """The ends of an interval that are told, and whether what it says by itself goes beyond them."""

    low: float
    high: float
    cut: bool


def range_of(metric: str) -> Range:
    """Of a metric under its full name ("source.accuracy"); of one that nobody knows, all numbers."""
    name = metric.rpartition(".")[2]
    if f".{OF_EPISODES}" in f".{metric}" or name not in KNOWN:
        return ANY
    return UNLIKE.get(name, (0.0, 1.0))


def difference_range(metric: str) -> Range:
    """Of one value less another."""
    low, high = range_of(metric)
    return low - high, high - low


def bounded(mean: float, half_width: float, span: Range) -> Bounded:
    """mean ± half_width, as far as it can be; the mean itself is always within."""
    low, high = mean - half_width, mean + half_width
    least, most = min(span[0], mean), max(span[1], mean)
    return Bounded(max(low, least), min(high, most), low < least or high > most)
