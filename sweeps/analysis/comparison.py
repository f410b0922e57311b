"""Compare methods: means over the seeds, and differences that are paired by seed.

Methods at one seed share what the seed decides, so differences are taken seed by seed: their mean,
± t(.975, k - 1)·sd/√k. The spread is that of each pair's own differences, because one method may vary much more than
another. The untrained model is measured once and counts for every seed. Holm's step-down over all pairs says which
differences are clear when all are judged together. With the items of the runs, each difference is also estimated item
by item (see sweeps/stats/paired_items.py).
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

from sweeps.analysis.run_counts import Tally, count_runs
from sweeps.analysis.seed_estimates import estimate_difference, estimate_level, read_run_scores
from sweeps.analysis.tables import Runs, read_runs
from sweeps.errors import DataError
from sweeps.metrics.ranges import Range, find_difference_range
from sweeps.results import RunResult, group_by_cell, keep_measured, read_values
from sweeps.stats.intervals import Estimate, find_grain, holm
from sweeps.stats.paired_items import ItemDifference, Items, Scores, compare_items, judge_pairs

METHOD = "method"

Values = Mapping[int, float]  # by seed
Value = TypeVar("Value")


@dataclass(frozen=True)
class MethodResult:
    """One method; `name` None is the untrained model. `estimate` is None while nothing is measured."""

    name: str | None
    estimate: Estimate | None
    tokens: float  # used on average by a run that is measured, training and measuring together
    micro_usd: float
    missing: int  # runs without a result
    runs: Tally = field(default_factory=Tally)


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


@dataclass(frozen=True)
class Comparison:
    """The methods in the order of the results, and every pair of them that shares a seed."""

    metric: str
    contestants: tuple[MethodResult, ...]
    differences: tuple[Difference, ...]
    runs: Tally = field(default_factory=Tally)


def compare(results: Runs, *, metric: str, items: Items | None = None) -> Comparison:
    """Compare the methods by one metric, from runs or a DataFrame. Raises DataError for runs of several variants.

    `items` has, for `item_key(run.cell, run.seed)` of some or all runs, the rows that their evaluation kept.
    """
    results = read_runs(results)
    variants = [variant for variant, _ in group_by_cell(results, without={METHOD})]
    if len(variants) > 1:
        raise DataError(f"runs of {len(variants)} variants, such as {variants[0]} and {variants[1]}: one is wanted")
    runs: dict[str | None, list[RunResult]] = {}
    for run in results:
        name = run.cell.get(METHOD)
        runs.setdefault(None if name is None else str(name), []).append(run)
    values = {name: read_values(of, metric) for name, of in runs.items()}
    grain = find_grain(value for each in values.values() for value in each.values())
    scores = {name: read_run_scores(of, metric, items) for name, of in runs.items()}
    levels = {name: estimate_level(each, metric, grain, scores[name]) for name, each in values.items()}
    contestants = tuple(_contestant(name, of, levels[name], metric) for name, of in runs.items())
    by_item = _compare_by_item(scores)
    differences = _differences(values, by_item, grain, find_difference_range(metric))
    return Comparison(metric, contestants, tuple(differences), count_runs(results, metric))


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


def _differences(
    values: Mapping[str | None, Values],
    by_item: Mapping[tuple[str | None, str | None], ItemDifference],
    grain: float,
    span: Range,
) -> list[Difference]:
    found: dict[tuple[str | None, str | None], list[float]] = {}
    for other, one in combinations(values, 2):
        sides = _fill_seeds(values, one, other)
        if pairs := [sides[0][seed] - sides[1][seed] for seed in sorted(sides[0].keys() & sides[1].keys())]:
            found[one, other] = pairs
    estimates = {pair: estimate_difference(each, span, grain, by_item.get(pair)) for pair, each in found.items()}
    clear = holm({pair: each.p for pair, each in estimates.items()})
    return [
        Difference(*pair, each.estimate, each.is_clear, pair in clear, each.needed_seeds, by_item.get(pair))
        for pair, each in estimates.items()
    ]


def _compare_by_item(
    scores: Mapping[str | None, Mapping[int, Scores]],
) -> dict[tuple[str | None, str | None], ItemDifference]:
    pairs = {(one, other): _fill_seeds(scores, one, other) for other, one in combinations(scores, 2)}
    return judge_pairs({pair: found for pair, sides in pairs.items() if (found := compare_items(*sides))})


def _fill_seeds(
    values: Mapping[str | None, Mapping[int, Value]], one: str | None, other: str | None
) -> tuple[Mapping[int, Value], Mapping[int, Value]]:
    """Return both sides by seed; the untrained model has the same value for every seed of the other side."""
    left, right = values[one], values[other]
    if one is None and left:
        left = dict.fromkeys(right, next(iter(left.values())))
    elif other is None and right:
        right = dict.fromkeys(left, next(iter(right.values())))
    return left, right
