"""By how much a metric of one part of the items is above that of another part: other items, and perhaps other groups.

The two parts have different items, so nothing is paired but the seeds. If no cluster has items of both parts, the
squared errors of the two means are added, with the degrees of freedom of Welch and Satterthwaite. Otherwise the
difference is one sum over the clusters of both, which keeps what the parts of a cluster have in common; its degrees of
freedom are those of the part with fewer clusters. Several seeds add their spread as everywhere (`paired_items`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sweeps.evaluation.item_rows import ItemId
from sweeps.stats.clusters import TINY, Floats, average_clusters, guard_error, number_clusters
from sweeps.stats.intervals import find_grain
from sweeps.stats.paired_items import Claim, Scores, are_binary, bound_error, claim_recipe, linearize, make_claim


class PartDifference(NamedTuple):
    """The mean of one part less that of the other, with the claim about other items and, if there are, seeds."""

    mean: float
    claim: Claim


class _Part(NamedTuple):
    means: Floats  # (seeds,)
    sums: Mapping[ItemId, float]  # of each cluster: what it adds to the mean beyond its share
    step: float  # the smallest step between values
    error: float  # of the mean over clusters; if all agree, what few clusters leave open
    freedom: float


def compare_parts(first: Mapping[int, Scores], second: Mapping[int, Scores]) -> PartDifference | None:
    """Compare the scores of two parts, each by seed; None without a shared seed, or with a part of one cluster."""
    seeds = sorted(first.keys() & second.keys())
    parts = [_read_part([side[seed] for seed in seeds]) for side in (first, second)] if seeds else []
    read = [part for part in parts if part is not None]
    if len(read) < 2:
        return None
    left, right = read
    error, freedom = _find_error(left, right)
    by_seed = left.means - right.means
    mean = float(by_seed.mean())
    if len(seeds) < 2:
        return PartDifference(mean, make_claim(mean, error, freedom))
    spread = float(by_seed.var(ddof=1)) / len(seeds)
    return PartDifference(mean, claim_recipe(mean, spread, error, len(seeds) - 1, freedom))


def _read_part(runs: Sequence[Scores]) -> _Part | None:
    """Read the items that all runs have; None for a single cluster, or none."""
    items = sorted(set.intersection(*({*run.amounts} for run in runs)), key=str)
    if not items:
        return None
    values = np.stack(
        [linearize(*(np.array([side[item] for item in items]) for side in (run.amounts, run.sizes))) for run in runs]
    )
    shares = (values.mean(axis=0) - values.mean()) / len(items)
    sums: dict[ItemId, float] = {}
    for item, share in zip(items, shares.tolist(), strict=True):
        cluster = runs[0].clusters[item]
        sums[cluster] = sums.get(cluster, 0.0) + share
    grain = find_grain(values.ravel().tolist()) or 1.0  # all alike up to rounding: a step of a share of right answers
    mean_of_seeds, places = values.mean(axis=0), number_clusters([runs[0].clusters[item] for item in items], len(items))
    of_items = average_clusters(mean_of_seeds, places)
    if of_items.error is None:
        return None
    error, freedom = of_items.error, of_items.freedom
    if error <= TINY:
        error, freedom = bound_error(len(sums), grain), len(sums) - 1.0
    elif are_binary(runs):
        error = guard_error(error, mean_of_seeds, places)
    return _Part(values.mean(axis=1), sums, grain, error, freedom)


def _find_error(first: _Part, second: _Part) -> tuple[float, float]:
    """Find the standard error of the difference of two means, and its degrees of freedom."""
    if first.sums.keys().isdisjoint(second.sums):
        parts = [(part.error**2, part.freedom) for part in (first, second)]
        whole = sum(square for square, _ in parts)
        return math.sqrt(whole), whole**2 / sum(square**2 / freedom for square, freedom in parts)
    clusters = first.sums.keys() | second.sums.keys()
    squares = sum((first.sums.get(name, 0.0) - second.sums.get(name, 0.0)) ** 2 for name in clusters)
    error = math.sqrt(len(clusters) / (len(clusters) - 1) * squares)
    fewest = min(len(first.sums), len(second.sums))
    return error if error > TINY else bound_error(fewest, max(first.step, second.step)), fewest - 1
