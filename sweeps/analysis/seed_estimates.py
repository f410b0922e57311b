"""Estimate means and differences: each difference has one interval, for other seeds and other items of the same kind.

That is the claim about the recipe of `sweeps.stats.paired_items`, wherever two seeds or more kept their items. A
difference without items is paired by seed, and its interval holds for other seeds on these items alone.

Seeds that agree, to within one item of a share, have no spread, so Student's t has nothing to go by. Of a share, each
item (or cluster of items) is one trial, and Wilson's interval of so many trials holds for the mean; it is too wide
rather than too narrow where items are between 0 and 1. For a difference it is the interval of the same items side by
side (`sweeps.stats.paired_items`), and Newcombe's of two shares without an item in common. Without items the spread is
that of values that are rounded to the smallest step between those that were measured.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from sweeps.metrics.ranges import ANY, Range, find_range
from sweeps.results import RunResult, keep_measured
from sweeps.stats.intervals import ALPHA, Estimate, agree, compute_p, estimate_paired, is_clear
from sweeps.stats.paired_items import ItemDifference, Items, Scores, are_binary, item_key, read_scores
from sweeps.stats.power import estimate_seeds_needed
from sweeps.stats.proportions import Interval, wilson_interval

Covers = Literal["seeds_and_items", "seeds", "items"]


class SeedDifference(NamedTuple):
    """A difference over seeds, how likely chance alone makes one as large, and the seeds that would find it."""

    estimate: Estimate
    p: float
    needed_seeds: int | None
    covers: Covers | None = None  # what else the interval holds for: other seeds, other items; None without an interval

    @property
    def is_clear(self) -> bool:
        """Whether it is beyond its interval, and chance alone seldom makes one as large."""
        return is_clear(self.estimate) and self.p <= ALPHA


def read_run_scores(runs: Sequence[RunResult], metric: str, items: Items | None) -> dict[int, Scores]:
    """Read what the kept items of runs that share a cell say of a metric, by seed."""
    rows = {run.seed: (items or {}).get(item_key(run.cell, run.seed)) for run in keep_measured(runs)}
    scores = {seed: read_scores(seed_rows, metric) for seed, seed_rows in rows.items() if seed_rows}
    return {seed: measured for seed, measured in scores.items() if measured.amounts}


def estimate_level(
    values: Mapping[int, float], metric: str, grain: float, scores: Mapping[int, Scores] | None = None
) -> Estimate | None:
    """Estimate the mean of a metric over the seeds; None without any."""
    if not values:
        return None
    span, seeds, kept = find_range(metric), len(values), list((scores or {}).values())
    if span == ANY and kept and are_binary(kept):
        span = (0.0, 1.0)
    estimate = estimate_paired(list(values.values()), grain=grain, span=span)
    trials = _count_clusters(kept)
    by_items = span == (0.0, 1.0) and trials > 1 and 0 <= estimate.mean <= 1
    items = min(len(measured.amounts) for measured in kept) if by_items else 0
    if seeds < 2 or not _agree(list(values.values()), grain, items):
        return estimate
    if by_items:
        low, high = wilson_interval(estimate.mean * trials, trials)
        reach = max(estimate.mean - low, high - estimate.mean)
        return Estimate(estimate.mean, reach, seeds, span, (low, high))
    return estimate if grain else estimate._replace(half_width=None)


def _agree(values: Sequence[float], grain: float, items: int) -> bool:
    """Whether seeds agree: to within rounding, or where a share is of so many items, to within one of them."""
    return agree(values, grain) or (items > 0 and statistics.variance(values) <= 1 / items**2 / 12)


def _count_clusters(scores: Sequence[Scores]) -> int:
    return len({cluster for measured in scores for cluster in measured.clusters.values()})


def estimate_difference(
    differences: Sequence[float],
    span: Range,
    grain: float,
    by_item: ItemDifference | None = None,
    unpaired: Interval | None = None,
) -> SeedDifference:
    """Estimate the mean of differences: item by item where items can judge it, else paired by seed.

    `unpaired` is the interval of shares of other items.
    """
    if by_item and span == ANY:
        span = by_item.span
    if by_item and (recipe := by_item.recipe) and by_item.seeds >= len(differences):  # else seeds would be lost
        estimate = Estimate(by_item.mean, recipe.half_width, by_item.seeds, span)
        return SeedDifference(estimate, recipe.p, by_item.needed_seeds, "seeds_and_items")
    estimate = estimate_paired(differences, grain=grain, span=span)
    if len(differences) < 2:
        return SeedDifference(estimate, 1.0, None)
    by_seed = SeedDifference(
        estimate, compute_p(estimate, len(differences) - 1), estimate_seeds_needed(differences, grain), "seeds"
    )
    items = by_item.items if by_item and span == (-1.0, 1.0) else 0
    return _judge_agreeing(by_seed, grain, by_item, unpaired) if _agree(differences, grain, items) else by_seed


def _judge_agreeing(
    by_seed: SeedDifference, grain: float, by_item: ItemDifference | None, unpaired: Interval | None
) -> SeedDifference:
    """Judge seeds that agree by the items of one of them, or by shares of other items; else by what rounding hides."""
    estimate = by_seed.estimate
    if by_item and (claim := by_item.checkpoints):
        return SeedDifference(estimate._replace(half_width=claim.half_width), claim.p, None, "items")
    if unpaired is not None:
        return _use_unpaired(estimate, unpaired)
    if by_item or not grain:  # a single item or passage; or every value that was measured is the same
        return SeedDifference(estimate._replace(half_width=None), 1.0, None)
    return by_seed


def _use_unpaired(estimate: Estimate, unpaired: Interval) -> SeedDifference:
    """Take the interval of the items for seeds that agree; p is that of a normal error as wide towards 0."""
    low, high = unpaired
    near = estimate.mean - low if estimate.mean > 0 else high - estimate.mean
    p = compute_p(estimate._replace(half_width=near), math.inf)
    wider = max(estimate.mean - low, high - estimate.mean)
    return SeedDifference(estimate._replace(half_width=wider, interval=(low, high)), p, None, "items")
