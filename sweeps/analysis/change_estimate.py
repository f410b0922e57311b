"""Estimate what training changed in an evaluation: the same items before and after, item by item and seed by seed.

A metric that is a mean over items is compared as in `sweeps.stats.paired_items`. A metric of all items together (the
calibration errors, AURC) is compared by a paired bootstrap over the items, or their clusters, less the bias that noise
gives to each side (`sweeps.metrics.influence`). The interval holds for other seeds and other items of the same kind:
Var = s²/K + SE², with t of K - 1 degrees of freedom where seeds dominate, and more otherwise, as in
`sweeps.stats.paired_items`. With a single seed, it holds for other items.
"""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sweeps.analysis.pooled_changes import bootstrap_change, pool_scores
from sweeps.analysis.told_items import FEWEST
from sweeps.evaluation.item_rows import ItemId, ItemRow
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.metrics.influence import POOLED
from sweeps.metrics.ranges import ANY, clip_interval, find_difference_range
from sweeps.stats.clusters import bound_p, number_clusters
from sweeps.stats.intervals import ALPHA
from sweeps.stats.paired_items import Scores, compare_items, read_scores

Side = Mapping[int, Sequence[ItemRow]]  # the rows of each run, by seed


@dataclass(frozen=True)
class Change:
    """By how much a metric is larger after training than before.

    `before` and `after` are the metric as it was measured, of all rows of each side; if the two sides do not tell the
    same items, of those that both tell. The mean is over these, and of a calibration error less the bias that noise
    gives to it. An interval is infinite where there is a single cluster.
    """

    metric: str
    before: float
    after: float  # the metric of each side, mean over its seeds
    mean: float  # after - before, over the items and seeds that both have
    low: float
    high: float  # 95 % interval, for other seeds and items ("this recipe"); for one seed: for other items
    p: float
    items: int
    clusters: int
    seeds: int
    left_out: int  # items that some run of the two lacks
    clear: bool  # beyond the interval, and p at most 5 %; of what not all items tell, by 20 items or more
    after_holm: bool = False  # still clear when all of a family are considered together


def change(before: Side, after: Side, *, metric: str) -> Change | None:
    """Estimate after - before, seed by seed; a single measurement before counts for every seed.

    None where they have no seed or no item in common. Rows are those that evaluations keep: each has an "item", a
    "cluster" where items come in some, and what it says to the metric.
    """
    was, now = (_read_side(side, metric) for side in (before, after))
    if not was or not now:
        return None
    values = [statistics.fmean(run.value for run in side.values()) for side in (was, now)]
    if len(was) == 1:
        was = dict.fromkeys(now, next(iter(was.values())))
    seeds = sorted(was.keys() & now.keys())
    asked = [set(side[seed].scores.amounts) for seed in seeds for side in (was, now)]
    items = set.intersection(*asked) if asked else set()
    if not items:
        return None
    pairs = [(was[seed].select(items, metric), now[seed].select(items, metric)) for seed in seeds]
    if not all(run.scores.amounts for pair in pairs for run in pair):
        return None  # a ratio with nothing to divide by, over the items that both sides tell
    left_out = len(set.union(*asked) - items)
    if left_out:  # what each side says of its own items would compare different items
        values = [statistics.fmean(pair[side].value for pair in pairs) for side in (0, 1)]
    return _judge(metric, (values[0], values[1]), pairs, left_out)


class _Run(NamedTuple):
    """One run's rows, and what each item contributes to the metric, whose mean is `value`."""

    rows: Sequence[ItemRow]
    value: float
    scores: Scores

    @classmethod
    def read(cls, rows: Sequence[ItemRow], metric: str) -> "_Run":
        name = get_base_name(metric)
        scores = pool_scores(rows, name) if name in POOLED else read_scores(rows, metric)
        size = sum(scores.sizes.values())
        return cls(rows, sum(scores.amounts.values()) / size if size else math.nan, scores)

    def select(self, items: Collection[ItemId], metric: str) -> "_Run":
        if len(items) == len(self.scores.amounts):
            return self
        return _Run.read([row for row in self.rows if row.item in items], metric)


def _read_side(side: Side, metric: str) -> dict[int, _Run]:
    runs = {seed: _Run.read(rows, metric) for seed, rows in side.items()}
    return {seed: run for seed, run in runs.items() if run.scores.amounts}


def _judge(metric: str, values: tuple[float, float], pairs: Sequence[tuple[_Run, _Run]], left_out: int) -> Change:
    name, clusters = get_base_name(metric), pairs[0][0].scores.clusters
    places = number_clusters(list(clusters.values()), len(clusters))
    moved = [sum(now.scores.amounts[item] - was.scores.amounts[item] for was, now in pairs) for item in clusters]
    least = bound_p(np.bincount(places, moved))
    if name in POOLED:
        numbers = dict(zip(clusters, places.tolist(), strict=True))
        span = find_difference_range(metric)
        middle, claim = bootstrap_change(name, [(was.rows, now.rows) for was, now in pairs], numbers)
    else:
        before, after = ({seed: pair[side].scores for seed, pair in enumerate(pairs)} for side in (0, 1))
        difference = compare_items(after, before, cross_check=False)
        assert difference
        middle, claim, span = difference.mean, difference.recipe or difference.checkpoints, difference.span
    itself = all(was.rows is now.rows for was, now in pairs)  # measured once, and no other by chance either
    reach = 0.0 if itself else claim.half_width if claim else math.inf
    low, high, _ = clip_interval(middle, reach, span if math.isfinite(reach) else ANY)
    p = max(claim.p, least) if claim else 1.0
    return Change(
        metric,
        *values,
        mean=middle,
        low=low,
        high=high,
        p=p,
        items=len(clusters),
        clusters=int(places.max()) + 1,
        seeds=len(pairs),
        left_out=left_out,
        clear=p <= ALPHA and (low > 0 or high < 0) and not (left_out and len(clusters) < FEWEST),
    )
