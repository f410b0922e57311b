"""Errors of means over items in clusters, such as questions about one passage.

Items of a cluster vary together, so m of them say less than m independent ones. The error of a mean is therefore taken
over clusters (Miller 2024, arXiv 2411.00640), with the G/(G - 1) correction and t with G - 1 degrees of freedom. If
each item is its own cluster, that is the ordinary standard error, whose deviation divides by m - 1.
"""

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.stats.intervals import critical_t

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]
Weights = tuple[Floats, Floats]
AT_ONCE = 4_000_000  # numbers that a bootstrap holds in memory at a time
PERCENTILES = (2.5, 97.5)
TINY = 1e-12  # a smaller difference is rounding


class ClusteredMean(NamedTuple):
    """A mean over items, in their unit."""

    mean: float
    error: float | None  # its standard error; None for a single cluster
    clusters: int
    items: int

    @property
    def half_width(self) -> float | None:
        """Half the width of the 95 % interval; None for a single cluster."""
        return None if self.error is None else critical_t(self.clusters - 1) * self.error


def number_clusters(clusters: Sequence[Hashable] | None, items: int) -> Places:
    """Number the cluster of each item, (m,); without clusters each item is its own."""
    if clusters is None:
        return np.arange(items)
    if len(clusters) != items:
        raise ValueError(f"expected one cluster for each of {items} items, got {len(clusters)}")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], np.intp)


def average_clusters(scores: Floats, places: Places) -> ClusteredMean:
    """Average (m,) values, with the error SE² = G/(G-1)·Σ_c (Σ_{i∈c} (s_i - mean))² / m².

    `places` are those of `number_clusters`.
    """
    mean, count = float(scores.mean()), int(places.max()) + 1
    if count < 2:
        return ClusteredMean(mean, None, count, len(scores))
    sums = np.bincount(places, scores - mean)
    return ClusteredMean(mean, math.sqrt(count / (count - 1) * float(sums @ sums)) / len(scores), count, len(scores))


def bound_p(changes: npt.ArrayLike) -> float:
    """Bound p from below: 2·2^-N, if N of the clusters (G,) change at all.

    That is the chance that all change in one direction if either is as likely; a t of a few equal differences would be
    smaller, and wrong.
    """
    return min(1.0, 2.0 ** (1 - int((np.abs(changes) > TINY).sum())))


def bootstrap_crossed(differences: Floats, places: Places, *, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean of (seeds, items), resampling seeds and clusters independently.

    This is a cross-check for many seeds: with fewer than five it is too narrow, as any bootstrap of so few is. The same
    `seed` gives the same interval.
    """
    count, clusters = len(differences), int(places.max()) + 1
    sums = np.stack([np.bincount(places, row, clusters) for row in differences])  # (seeds, clusters)
    sizes = np.bincount(places, minlength=clusters).astype(float)
    means = [
        ((by_seed @ sums) * by_cluster).sum(axis=1) / (by_cluster @ sizes)
        for by_seed, by_cluster in _draw(count, clusters, draws, seed)
    ]
    low, high = np.percentile(np.concatenate(means), PERCENTILES)
    return float(low), float(high)


def _draw(count: int, clusters: int, draws: int, seed: int) -> Iterable[Weights]:
    """Yield how often each seed (shares) and each cluster (counts) is in each draw."""
    if draws * max(clusters, count) <= AT_ONCE:
        return _keep_draws(count, clusters, draws, seed)
    return _weights(count, clusters, draws, seed)


@lru_cache(maxsize=1)
def _keep_draws(count: int, clusters: int, draws: int, seed: int) -> tuple[Weights, ...]:
    """Keep the draws for every pair of a comparison: drawing takes longer than all else."""
    return tuple(_weights(count, clusters, draws, seed))


def _weights(count: int, clusters: int, draws: int, seed: int) -> Iterator[Weights]:
    random = np.random.default_rng(seed)
    step = max(1, AT_ONCE // max(clusters, count))
    for start in range(0, draws, step):
        now = min(step, draws - start)
        yield (
            random.multinomial(count, np.full(count, 1 / count), now) / count,
            random.multinomial(clusters, np.full(clusters, 1 / clusters), now).astype(float),
        )
