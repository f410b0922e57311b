"""Compare methods: means over the seeds, and one difference with one verdict for each pair.

Methods at one seed share what the seed decides, and their items, so a difference is estimated seed by seed and item by
item: its interval holds for other seeds and other items of the same kind (see sweeps/stats/paired_items.py). Without
items it is the mean over the seeds, ± t(.975, k - 1)·sd/√k, and holds for these items. The spread is that of each
pair's own differences, because one method may vary much more than another. The untrained model is measured once and
counts for every seed. Holm's step-down over all pairs says which differences are clear when all are judged together.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TypeVar

from sweeps.analysis.idle_policies import Inactivity, find_inactivity
from sweeps.analysis.pooled_changes import compare_pooled
from sweeps.analysis.run_counts import Tally, count_runs
from sweeps.analysis.seed_estimates import Covers, estimate_difference, estimate_level, read_run_scores
from sweeps.analysis.tables import Runs, read_runs
from sweeps.analysis.told_items import FEWEST, Told, count_told, subtract_common
from sweeps.errors import DataError
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.metrics.influence import POOLED
from sweeps.metrics.ranges import Range, find_difference_range
from sweeps.results import RunResult, group_by_cell, keep_measured, read_values
from sweeps.stats.intervals import Estimate, find_grain, holm
from sweeps.stats.paired_items import (
    ItemDifference,
    Items,
    Scores,
    compare_items,
    compare_unpaired,
    item_key,
    judge_pairs,
)
from sweeps.stats.proportions import Interval

METHOD = "method"
UNTRAINED = "untrained"  # how people name the method None

Values = Mapping[int, float]  # by seed
Pair = tuple[str | None, str | None]  # of methods
Value = TypeVar("Value")


@dataclass(frozen=True)
class MethodResult:
    """One method; `name` None is the untrained model. `estimate` is None while nothing is measured."""

    name: str | None
    estimate: Estimate | None
    tokens: float  # used on average by a run that is measured, training and measuring together
    micro_usd: float
    missing: int  # runs without a result
    told: Told | None = None  # how many items tell the metric; None: not known
    runs: Tally = field(default_factory=Tally)
    inactive: Inactivity | None = None  # it does nothing, in all items that are known


@dataclass(frozen=True)
class Difference:
    """By how much the metric of `one` is above that of `other`."""

    one: str | None
    other: str | None
    estimate: Estimate
    clear: bool  # beyond its 95 % interval
    after_holm: bool  # still clear when all pairs are considered together
    needed_seeds: int | None = None  # that would find it with 80 %, were it as large as it seems; None: not known
    by_item: ItemDifference | None = None
    covers: Covers | None = None  # what else its interval holds for; None without one


@dataclass(frozen=True)
class Comparison:
    """The methods in the order of the results, and every pair of them that shares a seed."""

    metric: str
    contestants: tuple[MethodResult, ...]
    differences: tuple[Difference, ...]
    runs: Tally = field(default_factory=Tally)
    against: str | None = None  # the method that the question is about

    def count_family(self, *pair: str | None) -> int:
        """Count the pairs that one is judged together with: those with the method asked about, or all of them."""
        asked = [
            difference
            for difference in self.differences
            if self.against in (difference.one or UNTRAINED, difference.other or UNTRAINED)
        ]
        return len(asked if self.against in [name or UNTRAINED for name in pair] else self.differences)


def compare(
    results: Runs, *, metric: str, items: Items | None = None, cross_check: bool = True, against: str | None = None
) -> Comparison:
    """Compare the methods by one metric, from runs or a DataFrame. Raises DataError for runs of several variants.

    `items` has, for `item_key(run.cell, run.seed)` of some or all runs, the rows that their evaluation kept. Without
    the cross-check there is no `by_item.crossed`, which takes longer than all the rest. The pairs with the method
    `against` ("untrained": the base model) are what is asked, so they are judged among themselves.
    """
    results = read_runs(results)
    variants = [variant for variant, _ in group_by_cell(results, without={METHOD})]
    if len(variants) > 1:
        raise DataError(f"runs of {len(variants)} variants, such as {variants[0]} and {variants[1]}: one is wanted")
    runs: dict[str | None, list[RunResult]] = {}
    for run in results:
        name = run.cell.get(METHOD)
        runs.setdefault(None if name is None else str(name), []).append(run)
    values = {name: read_values(rows, metric) for name, rows in runs.items()}
    grain = find_grain(value for by_seed in values.values() for value in by_seed.values())
    scores = {name: read_run_scores(rows, metric, items) for name, rows in runs.items()}
    levels = {name: estimate_level(by_seed, metric, grain, scores[name]) for name, by_seed in values.items()}
    told_counts = {name: count_told(rows, metric, items) for name, rows in runs.items()}
    contestants = tuple(
        replace(
            _contestant(name, rows, levels[name], metric),
            told=told_counts[name],
            inactive=find_inactivity(rows, items),
        )
        for name, rows in runs.items()
    )
    if get_base_name(metric) in POOLED:
        by_item = _compare_pooled(runs, metric, items)
    else:
        by_item = _compare_by_item(scores, cross_check=cross_check)
    conditional = {name for name, count in told_counts.items() if count and count.is_conditional}
    pairs = _subtract_pairs(values, scores, conditional)
    unpaired = _compare_unpaired(scores, by_item)
    scale = find_difference_range(metric), grain
    differences = _differences(pairs, by_item, unpaired, conditional, scale=scale, against=against)
    return Comparison(metric, contestants, tuple(differences), count_runs(results, metric), against)


def _contestant(name: str | None, runs: Sequence[RunResult], level: Estimate | None, metric: str) -> MethodResult:
    done = keep_measured(runs)
    return MethodResult(
        name=name,
        estimate=level,
        tokens=statistics.fmean(run.tokens for run in done) if done else 0.0,
        micro_usd=statistics.fmean(run.micro_usd or 0 for run in done) if done else 0.0,
        missing=len(runs) - (level.seeds if level else 0),
        runs=count_runs(runs, metric),
    )


def _subtract_pairs(
    values: Mapping[str | None, Values],
    scores: Mapping[str | None, Mapping[int, Scores]],
    conditional: set[str | None],
) -> dict[Pair, list[float]]:
    """Subtract seed by seed; what not all items tell, over the items that both sides tell."""
    pairs: dict[Pair, list[float]] = {}
    for other, method in combinations(values, 2):
        if {method, other} & conditional:
            differences = list(subtract_common(*_fill_seeds(scores, method, other)).values())
        else:
            left, right = _fill_seeds(values, method, other)
            differences = [left[seed] - right[seed] for seed in sorted(left.keys() & right.keys())]
        if differences:
            pairs[method, other] = differences
    return pairs


def _differences(
    pairs: Mapping[Pair, Sequence[float]],
    by_item: Mapping[Pair, ItemDifference],
    unpaired: Mapping[Pair, Interval],
    conditional: set[str | None],
    *,
    scale: tuple[Range, float],
    against: str | None,
) -> list[Difference]:
    estimates = {
        pair: estimate_difference(differences, *scale, by_item.get(pair), unpaired.get(pair))
        for pair, differences in pairs.items()
    }
    few = {pair for pair in pairs if {*pair} & conditional and (pair not in by_item or by_item[pair].items < FEWEST)}
    chances = {pair: difference.p for pair, difference in estimates.items() if pair not in few}
    asked = {pair: p for pair, p in chances.items() if against in (pair[0] or UNTRAINED, pair[1] or UNTRAINED)}
    clear = {*holm(chances), *holm(asked)}
    return [
        Difference(
            *pair,
            difference.estimate,
            difference.is_clear and pair not in few,
            pair in clear,
            None if pair in few else difference.needed_seeds,
            by_item.get(pair),
            difference.covers,
        )
        for pair, difference in estimates.items()
    ]


def _compare_by_item(
    scores: Mapping[str | None, Mapping[int, Scores]], *, cross_check: bool
) -> dict[Pair, ItemDifference]:
    pairs = {(method, other): _fill_seeds(scores, method, other) for other, method in combinations(scores, 2)}
    compared = {pair: compare_items(*sides, cross_check=cross_check) for pair, sides in pairs.items()}
    return judge_pairs({pair: difference for pair, difference in compared.items() if difference})


def _compare_pooled(
    runs: Mapping[str | None, Sequence[RunResult]], metric: str, items: Items | None
) -> dict[Pair, ItemDifference]:
    """Compare by a metric of all items together, such as a calibration error."""
    rows = {
        name: {
            run.seed: kept for run in keep_measured(own) if (kept := (items or {}).get(item_key(run.cell, run.seed)))
        }
        for name, own in runs.items()
    }
    pairs = {(name, other): _fill_seeds(rows, name, other) for other, name in combinations(rows, 2)}
    compared = {pair: compare_pooled(metric, *sides) for pair, sides in pairs.items()}
    return judge_pairs({pair: difference for pair, difference in compared.items() if difference})


def _compare_unpaired(
    scores: Mapping[str | None, Mapping[int, Scores]], by_item: Mapping[Pair, ItemDifference]
) -> dict[Pair, Interval]:
    """Compare the shares of pairs that have no item in common."""
    pairs = {(name, other): (scores[name], scores[other]) for other, name in combinations(scores, 2)}
    intervals = {pair: compare_unpaired(*sides) for pair, sides in pairs.items() if pair not in by_item}
    return {pair: interval for pair, interval in intervals.items() if interval}


def _fill_seeds(
    values: Mapping[str | None, Mapping[int, Value]], method: str | None, other: str | None
) -> tuple[Mapping[int, Value], Mapping[int, Value]]:
    """Return both sides by seed; the untrained model has the same value for every seed of the other side."""
    left, right = values[method], values[other]
    if method is None and left:
        left = dict.fromkeys(right, next(iter(left.values())))
    elif other is None and right:
        right = dict.fromkeys(left, next(iter(right.values())))
    return left, right
