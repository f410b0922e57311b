"""Errors of means over items in clusters, such as questions about one passage.

Items of a cluster vary together, so m of them say less than m independent ones. The error of a mean is therefore taken
over clusters (Miller 2024, arXiv 2411.00640). A cluster with the share h of the items pulls the mean to itself, so its
square is divided by 1 - h, and the degrees of freedom are fewer the less equal the clusters are (Bell and McCaffrey
2002, for items that are equally noisy). Equal clusters have the G/(G - 1) correction and G - 1 degrees of freedom. If
each item is its own cluster, that is the ordinary standard error, whose deviation divides by m - 1.

Few clusters of items that are right or wrong may agree by luck, and say nothing of those that would not. So below
20 clusters, `guard_error` mixes in the error of clusters that vary half as much as they can. It weighs little where
many items differ from the commonest value: those show what clusters do. `make bench-statistics` has the coverage.
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
FEW, MANY = 8, 20  # clusters: up to FEW the prior has its whole weight, from MANY on none
PRIOR_CLUSTERS, PRIOR_CORRELATION = 0.3, 0.5  # its weight in clusters of other values, and their correlation
TINY = 1e-12  # a smaller difference is rounding


class ClusteredMean(NamedTuple):
    """A mean over items, in their unit."""

    mean: float
    error: float | None  # its standard error; None for a single cluster
    clusters: int
    items: int
    freedom: float = 0.0  # degrees of freedom of the error

    @property
    def half_width(self) -> float | None:
        """Half the width of the 95 % interval; None for a single cluster."""
        return None if self.error is None else critical_t(self.freedom) * self.error


def number_clusters(clusters: Sequence[Hashable] | None, items: int) -> Places:
    """Number the cluster of each item, (m,); without clusters each item is its own."""
    if clusters is None:
        return np.arange(items)
    if len(clusters) != items:
        raise ValueError(f"expected one cluster for each of {items} items, got {len(clusters)}")
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], np.intp)


def average_clusters(scores: Floats, places: Places) -> ClusteredMean:
    """Average (m,) values, with the error SE² = Σ_c (Σ_{i∈c} (s_i - mean))² / (1 - m_c/m) / m².

    `places` are those of `number_clusters`.
    """
    mean, count = float(scores.mean()), int(places.max()) + 1
    if count < 2:
        return ClusteredMean(mean, None, count, len(scores))
    sums, shares = np.bincount(places, scores - mean), np.bincount(places) / len(scores)
    error = math.sqrt(float((sums**2 / (1 - shares)).sum())) / len(scores)
    return ClusteredMean(mean, error, count, len(scores), count_freedom(shares))


def count_freedom(shares: Floats) -> float:
    """Count the degrees of freedom of an error over clusters with these shares (G,) of the items: at most G - 1.

    By Satterthwaite, if all items vary alike: 1/f = Σ_cd Q_cd² h_c h_d, with Q the matrix of the error's square.
    """
    raised = 1 / (1 - shares)
    pulls = raised * shares
    pull = float(pulls @ shares)
    apart = 2 * float(pulls**2 @ shares) - pull**2
    return 1 / (apart + float((raised**2 + 2 * raised * (pull - 2 * pulls)) @ shares**2))


def guard_error(error: float, scores: Floats, places: Places) -> float:
    """Guard the error of a mean over few clusters of items that are right or wrong, or of their differences.

    SE² = (W·SE² + w·SE₀²)/(W + w), and never less than SE², where W counts the items beyond the commonest value, in
    clusters, and SE₀² is the error of clusters whose values are correlated by a half. Items by themselves need none.
    """
    sizes = np.bincount(places).astype(float)
    if len(sizes) == len(scores):
        return error
    weight = PRIOR_CLUSTERS * min(1.0, max(0.0, (MANY - len(sizes)) / (MANY - FEW)))
    if not weight:
        return error
    kish = float(sizes @ sizes) / len(scores)
    variance = (float(((scores - scores.mean()) ** 2).sum()) + 1) / len(scores)
    prior = variance * (1 + PRIOR_CORRELATION * (kish - 1)) / len(scores)
    _, counts = np.unique(np.round(scores, 9), return_counts=True)
    telling = (len(scores) - int(counts.max())) / kish
    return math.sqrt((telling * error**2 + weight * max(prior, error**2)) / (telling + weight))


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
