"""The ranges of metrics, and of the difference of two of their values: no interval goes beyond them."""

import math
from typing import NamedTuple

from sweeps.evaluation.registry import find_metric

Range = tuple[float, float]
ANY: Range = (-math.inf, math.inf)


class ClippedInterval(NamedTuple):
    """The ends of an interval that are told, and whether what it says by itself goes beyond them."""

    low: float
    high: float
    cut: bool


def find_range(metric: str) -> Range:
    """Return the range of a metric under its full name ("source.accuracy"); of an unknown one, all numbers."""
    known = find_metric(metric)
    return ANY if known is None else known.span


def find_difference_range(metric: str) -> Range:
    """Find the range of one value less another."""
    low, high = find_range(metric)
    return low - high, high - low


def clip_interval(mean: float, half_width: float, span: Range) -> ClippedInterval:
    """mean ± half_width, as far as it can be; the mean itself is always within."""
    low, high = mean - half_width, mean + half_width
    least, most = min(span[0], mean), max(span[1], mean)
    return ClippedInterval(max(low, least), min(high, most), low < least or high > most)
