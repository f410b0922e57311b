"""Helpers for trainings that take minutes: when they run, and the interval of three seeds."""

import os
import statistics

import pytest

from sweeps.stats.intervals import critical_t

LONG = pytest.mark.skipif(os.environ.get("METHODS") != "all", reason="minutes of training: make methods")


def half_interval(values: list[float]) -> float:
    """Half of the 95 % interval of a mean of three: t with 2 degrees of freedom."""
    return critical_t(2) * statistics.stdev(values) / 3**0.5
