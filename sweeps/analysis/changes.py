"""Estimate what training changed in an evaluation: the same items before and after, item by item and seed by seed.

A metric that is a mean over items is compared as in `sweeps.stats.paired_items`. A metric of all items together (the
calibration errors, AURC) is compared by a paired bootstrap over the items, or their clusters, less the bias that noise
gives to each side (`sweeps.metrics.influence`). The interval holds for other seeds and other items of the same kind:
Var = s²/K + SE², with t of K - 1 degrees of freedom where seeds dominate, and more otherwise, as in
`sweeps.stats.paired_items`. With a single seed, it holds for other items.
"""

import math
import statistics
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from sweeps.analysis.told_items import FEWEST
from sweeps.evaluation.item_rows import ItemId, ItemRow
from sweeps.evaluation.metric_prefixes import SOURCE, get_base_name
from sweeps.metrics.influence import POOLED, resample, split_by_item
from sweeps.metrics.ranges import ANY, clip_interval, find_difference_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.clusters import Floats, Places, bound_p, number_clusters
from sweeps.stats.intervals import ALPHA, holm
from sweeps.stats.paired_items import (
    Claim,
    Items,
    Key,
    Scores,
    bound_error,
    claim_recipe,
    compare_items,
    item_key,
    make_claim,
    read_scores,
    select_stated,
)

Side = Mapping[int, Sequence[ItemRow]]  # the rows of each run, by seed
DRAWS = 200
ROUGH = 1e-6  # what is no error of a metric between 0 and 1: answers of next to no probability move it by as much
Against = Literal["untrained", "source alone", "target alone"]


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


@dataclass(frozen=True)
class Changed:
    """One trained cell of a sweep, and the baseline it is compared with."""

    cell: Mapping[str, Json]
    beside: Mapping[str, Json]
    against: Against
    change: Change


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
        scores = _pool_scores(rows, name) if name in POOLED else read_scores(rows, metric)
        size = sum(scores.sizes.values())
        return cls(rows, sum(scores.amounts.values()) / size if size else math.nan, scores)

    def select(self, items: Collection[ItemId], metric: str) -> "_Run":
        if len(items) == len(self.scores.amounts):
            return self
        return _Run.read([row for row in self.rows if row.item in items], metric)


def _pool_scores(rows: Sequence[ItemRow], name: str) -> Scores:
    """Split a metric of all items together into what each item contributes."""
    asked, confidence, right = select_stated(rows)
    values = split_by_item(name, confidence, right).tolist() if asked else ()
    amounts: dict[ItemId, float] = {}
    sizes: dict[ItemId, float] = {}
    for row, value in zip(asked, values, strict=True):
        amounts[row.item] = amounts.get(row.item, 0.0) + value
        sizes[row.item] = sizes.get(row.item, 0.0) + 1.0
    return Scores(amounts, sizes, {row.item: row.group for row in asked})


def _places(clusters: Sequence[ItemId]) -> Places:
    return number_clusters(clusters, len(clusters))


def _read_side(side: Side, metric: str) -> dict[int, _Run]:
    runs = {seed: _Run.read(rows, metric) for seed, rows in side.items()}
    return {seed: run for seed, run in runs.items() if run.scores.amounts}


def _judge(metric: str, values: tuple[float, float], pairs: Sequence[tuple[_Run, _Run]], left_out: int) -> Change:
    clusters = pairs[0][0].scores.clusters
    count = int(_places(list(clusters.values())).max()) + 1
    middle, claim = _bootstrap(metric, pairs) if get_base_name(metric) in POOLED else _compare_by_item(pairs)
    itself = all(before.rows is after.rows for before, after in pairs)  # measured once, and no other by chance either
    reach = 0.0 if itself else claim.half_width if claim else math.inf
    low, high, _ = clip_interval(middle, reach, find_difference_range(metric) if math.isfinite(reach) else ANY)
    p = max(claim.p, _least(pairs)) if claim else 1.0
    return Change(
        metric,
        *values,
        mean=middle,
        low=low,
        high=high,
        p=p,
        items=len(clusters),
        clusters=count,
        seeds=len(pairs),
        left_out=left_out,
        clear=p <= ALPHA and (low > 0 or high < 0) and not (left_out and len(clusters) < FEWEST),
    )


def _compare_by_item(pairs: Sequence[tuple[_Run, _Run]]) -> tuple[float, Claim | None]:
    before, after = ({seed: pair[side].scores for seed, pair in enumerate(pairs)} for side in (0, 1))
    found = compare_items(after, before, cross_check=False)
    assert found
    return found.mean, found.recipe or found.checkpoints


def _bootstrap(metric: str, pairs: Sequence[tuple[_Run, _Run]]) -> tuple[float, Claim | None]:
    """Estimate the change less its bias: the items of all runs are resampled together, and seeds add their spread."""
    clusters = pairs[0][0].scores.clusters
    numbers = dict(zip(clusters, _places(list(clusters.values())), strict=True))
    count = int(max(numbers.values())) + 1
    weights = _weights(count)

    def drawn_of(run: _Run) -> Floats:
        asked, confidence, right = select_stated(run.rows)
        places = np.array([numbers[row.item] for row in asked])
        return resample(get_base_name(metric), confidence, right, places, weights)

    known = {id(run): drawn_of(run) for pair in pairs for run in pair}  # one before stands for all seeds
    draws = np.stack([known[id(after)] - known[id(before)] for before, after in pairs])
    middle, error = float(draws[:, 0].mean()), float(draws[:, 1:].mean(axis=0).std(ddof=1))
    if count < 2:
        return middle, None
    if error <= ROUGH:  # no draw is another: what few answers leave open
        error = bound_error(count)
    if len(pairs) < 2:
        return middle, make_claim(middle, error, count - 1)
    by_seed = float(draws[:, 0].var(ddof=1)) / len(pairs)
    return middle, claim_recipe(middle, by_seed, error, len(pairs) - 1, count - 1)


@lru_cache(maxsize=1)
def _weights(clusters: int) -> Floats:
    """Draw how often each cluster counts, (1 + draws, clusters): once, then as resampled; the same for all metrics."""
    random = np.random.default_rng(0)
    again = random.multinomial(clusters, np.full(clusters, 1 / clusters), DRAWS)
    return np.vstack([np.ones(clusters), again])


def _least(pairs: Sequence[tuple[_Run, _Run]]) -> float:
    clusters = pairs[0][0].scores.clusters
    moved = [
        sum(after.scores.amounts[item] - before.scores.amounts[item] for before, after in pairs) for item in clusters
    ]
    return bound_p(np.bincount(_places(list(clusters.values())), moved))


def judge_together(found: Mapping[Key, Change]) -> dict[Key, Change]:
    """Mark the changes that are clear when all of them are judged together (Holm)."""
    stands = holm({key: each.p for key, each in found.items()})
    return {key: replace(each, after_holm=each.clear and key in stands) for key, each in found.items()}


def compare_with_baselines(results: Sequence[RunResult], items: Items, *, metric: str) -> tuple[Changed, ...]:
    """Compare every trained cell with its baseline in the same experiment, in the order of the results.

    A method beside the untrained model; a size beside size 0; in transfer, on the target, beside the zero-shot cell
    and the target alone, and on the source (a metric that begins with "source.") beside the source alone: forgetting.
    A grid has no baseline. `items` has, for `item_key(run.cell, run.seed)`, the rows of the evaluation that the metric
    is of. Cells against the same are one family for Holm.
    """
    runs = {canonicalize_row(cell): (cell, found) for cell, found in group_by_cell(results)}
    found: dict[tuple[Against, bytes], Changed] = {}
    for key, (cell, of) in runs.items():
        for against, beside in list_baselines(cell, metric):
            if (base := runs.get(canonicalize_row(beside))) and (told := _compare_cells(base[1], of, items, metric)):
                found[against, key] = Changed(cell, beside, against, told)
    families = {against: {key: each.change for key, each in found.items() if key[0] == against} for against, _ in found}
    judged = {key: each for family in families.values() for key, each in judge_together(family).items()}
    return tuple(replace(each, change=judged[key]) for key, each in found.items())


def list_baselines(cell: Mapping[str, Json], metric: str) -> Iterator[tuple[Against, Mapping[str, Json]]]:
    """List the baselines of a trained cell, the most informative first; none for an untrained one."""
    if "method" in cell:
        if cell["method"] is not None:
            yield "untrained", {**cell, "method": None}
    elif metric.startswith(SOURCE):
        if cell.get("source") is not None and cell.get("size"):
            yield "source alone", {**cell, "size": 0}
    elif cell.get("size") or cell.get("source") is not None:
        source = {"source": None} if "source" in cell else {}
        yield "untrained", {**cell, **source, "size": 0}
        if cell.get("size") and cell.get("source") is not None:
            yield "target alone", {**cell, **source}


def _compare_cells(before: Sequence[RunResult], after: Sequence[RunResult], items: Items, metric: str) -> Change | None:
    """Compare two cells: one run before counts for all seeds, several count for their own, even if some are lost."""
    was, now = ({run.seed: rows for run in keep_measured(side) if (rows := items.get(item_key(run.cell, run.seed)))}
                for side in (before, after))  # fmt: skip
    if len(before) > 1:
        was, now = ({seed: rows for seed, rows in side.items() if seed in was and seed in now} for side in (was, now))
    return change(was, now, metric=metric)
