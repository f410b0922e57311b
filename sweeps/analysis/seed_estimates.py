"""Estimate means and differences over seeds. Where all seeds agree, their items say what other seeds may have.

Seeds that agree have no spread, so Student's t has nothing to go by. Of a share, each item (or cluster of items) is one
trial, and Wilson's interval of so many trials holds for the mean; it is too wide rather than too narrow where items are
between 0 and 1. For a difference it is the interval of the same items side by side (`sweeps.stats.paired_items`).
Without items the spread is that of values that are rounded to the smallest step between those that were measured.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sweeps.evaluation.registry import find_metric
from sweeps.metrics.ranges import Range, find_range
from sweeps.results import RunResult, keep_measured
from sweeps.stats.intervals import Estimate, agree, compute_p, estimate_paired, is_clear
from sweeps.stats.paired_items import ItemDifference, Items, Scores, item_key, read_scores
from sweeps.stats.power import estimate_seeds_needed
from sweeps.stats.proportions import wilson_interval


class SeedDifference(NamedTuple):
    """A difference over seeds, how likely chance alone makes one as large, and the seeds that would find it."""

    estimate: Estimate
    p: float
    needed_seeds: int | None

    @property
    def is_clear(self) -> bool:
        """Whether it is beyond its interval."""
        return is_clear(self.estimate)


def read_run_scores(runs: Sequence[RunResult], metric: str, items: Items | None) -> dict[int, Scores]:
    """Read what the kept items of runs that share a cell say of a metric, by seed."""
    rows = {run.seed: (items or {}).get(item_key(run.cell, run.seed)) for run in keep_measured(runs)}
    scores = {seed: read_scores(found, metric) for seed, found in rows.items() if found}
    return {seed: each for seed, each in scores.items() if each.amounts}


def estimate_level(
    values: Mapping[int, float], metric: str, grain: float, scores: Mapping[int, Scores] | None = None
) -> Estimate | None:
    """Estimate the mean of a metric over the seeds; None without any."""
    if not values:
        return None
    span, seeds = find_range(metric), len(values)
    found = estimate_paired(list(values.values()), grain=grain, span=span)
    if seeds < 2 or not agree(list(values.values()), grain):
        return found
    known = find_metric(metric)
    trials = _count_clusters(scores or {})
    if known and known.span == (0.0, 1.0) and trials > 1 and 0 <= found.mean <= 1:
        low, high = wilson_interval(found.mean * trials, trials)
        reach = max(found.mean - low, high - found.mean)
        return Estimate(found.mean, reach, seeds, span, (low, high))
    return found if grain else found._replace(half_width=None)


def _count_clusters(scores: Mapping[int, Scores]) -> int:
    return len({cluster for each in scores.values() for cluster in each.clusters.values()})


def estimate_difference(
    differences: Sequence[float], span: Range, grain: float, by_item: ItemDifference | None = None
) -> SeedDifference:
    """Estimate the mean of differences that are paired by seed."""
    found = estimate_paired(differences, grain=grain, span=span)
    if len(differences) < 2:
        return SeedDifference(found, 1.0, None)
    needed = estimate_seeds_needed(differences, grain)
    if not agree(differences, grain):
        return SeedDifference(found, compute_p(found, len(differences) - 1), needed)
    if by_item and (claim := by_item.recipe or by_item.checkpoints):
        needed = by_item.needed_seeds if by_item.recipe else None
        return SeedDifference(found._replace(half_width=claim.half_width), claim.p, needed)
    if not grain:  # every value that was measured is the same
        return SeedDifference(found._replace(half_width=None), 1.0, None)
    return SeedDifference(found, compute_p(found, len(differences) - 1), needed)
