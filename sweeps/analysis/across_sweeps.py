"""Compare sweeps where their conditions are the same: what each measured there, and by how much they differ.

A condition is a cell; two sweeps share it where all of its keys and values are equal. Differences are paired by seed,
because the same seed draws the same data in every sweep. Measured values come in steps, such as 1/n for a share of n
items. Where all differences are equal, their interval is therefore one step wide, and not zero; two sweeps that share
the same training differ by exactly nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sweeps.analysis.item_analysis import select_items
from sweeps.analysis.seed_estimates import estimate_difference, read_run_scores
from sweeps.analysis.told_items import FEWEST, Told, list_conditional, subtract_common
from sweeps.metrics.ranges import find_difference_range
from sweeps.records import canonicalize_row
from sweeps.results import CellSummary, RunResult, group_by_cell, keep_measured, read_values, summarize_cells
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, estimate_paired, find_grain
from sweeps.stats.paired_items import Items, Scores, compare_items


@dataclass(frozen=True)
class SharedCondition:
    """One cell, in the sweeps that have it."""

    cell: Mapping[str, Json]
    found: Mapping[str, CellSummary]  # by sweep
    differences: Mapping[str, Mapping[str, Estimate]]  # by metric, then by sweep: that sweep minus the first
    told: Mapping[str, Mapping[str, Told]] = field(default_factory=dict)  # the same, of what not all items tell


def join_sweeps(
    results: Mapping[str, Sequence[RunResult]], items: Mapping[str, Mapping[str, Items]] | None = None
) -> list[SharedCondition]:
    """List every condition of any sweep, in their order; differences are from the first sweep.

    `items` has the items of each sweep by measure. What not all of them tell is compared over the items that both
    sweeps tell, and not at all over fewer than `FEWEST`.
    """
    groups: dict[bytes, dict[str, list[RunResult]]] = {}
    for sweep, rows in results.items():
        for cell, runs in group_by_cell(rows):
            groups.setdefault(canonicalize_row(cell), {})[sweep] = runs
    grains = _grains([row for rows in results.values() for row in rows])
    return [_condition(by_sweep, next(iter(results)), grains, items or {}) for by_sweep in groups.values()]


def _grains(rows: Sequence[RunResult]) -> Mapping[str, float]:
    """Find the smallest step between values of each metric."""
    values: dict[str, list[float]] = {}
    for row in keep_measured(rows):
        for metric, value in row.metrics.items():
            if math.isfinite(value):
                values.setdefault(metric, []).append(value)
    return {metric: find_grain(numbers) for metric, numbers in values.items()}


def _condition(
    runs_of: Mapping[str, Sequence[RunResult]],
    first: str,
    grains: Mapping[str, float],
    items: Mapping[str, Mapping[str, Items]],
) -> SharedCondition:
    sides = {sweep: _Side(runs, items.get(sweep, {})) for sweep, runs in runs_of.items()}
    summaries = {sweep: summarize_cells(runs)[0] for sweep, runs in runs_of.items()}
    cell = next(iter(summaries.values())).cell
    others = [sweep for sweep in runs_of if sweep != first and first in runs_of]
    differences: dict[str, dict[str, Estimate]] = {}
    told_counts: dict[str, dict[str, Told]] = {}
    for metric in dict.fromkeys(metric for summary in summaries.values() for metric in summary.metrics):
        for other in others:
            if difference := _compare_sides(sides[other], sides[first], metric, grains[metric]):
                differences.setdefault(metric, {})[other] = difference
        for sweep, side in sides.items():
            if metric in side.told:
                told_counts.setdefault(metric, {})[sweep] = side.told[metric]
    return SharedCondition(cell, summaries, differences, told_counts)


@dataclass(frozen=True)
class _Side:
    """One sweep's runs of a condition, with its items by measure."""

    runs: Sequence[RunResult]
    items: Mapping[str, Items]

    @cached_property
    def told(self) -> Mapping[str, Told]:
        return list_conditional(self.runs, self.items)

    def read_scores(self, metric: str) -> Mapping[int, Scores]:
        return read_run_scores(self.runs, metric, select_items(self.items, metric))


def _compare_sides(side: _Side, other: _Side, metric: str, grain: float) -> Estimate | None:
    """Estimate one - other; of what not all items tell over those that both tell, None for too few."""
    if metric not in side.told and metric not in other.told:
        return _difference(side.runs, other.runs, metric, grain)
    scores = side.read_scores(metric), other.read_scores(metric)
    by_item, pairs = compare_items(*scores, cross_check=False), list(subtract_common(*scores).values())
    if by_item is None or by_item.items < FEWEST:
        return None
    return estimate_difference(pairs, find_difference_range(metric), grain, by_item).estimate


def _difference(ones: Sequence[RunResult], others: Sequence[RunResult], metric: str, grain: float) -> Estimate | None:
    """Estimate one - other over the seeds that both have measured; None without any."""
    pairs, span = _pairs(ones, others, metric), find_difference_range(metric)
    if not pairs:
        return None
    if not any(pairs) and _the_same(ones, others):
        return estimate_paired(pairs, span=span)
    return estimate_difference(pairs, span, grain).estimate


def _the_same(ones: Sequence[RunResult], others: Sequence[RunResult]) -> bool:
    """Whether both are the same trainings, seed by seed."""
    left, right = ({run.seed: run.stage for run in runs} for runs in (ones, others))
    return all(left[seed] is not None and left[seed] == right[seed] for seed in left.keys() & right.keys())


def _pairs(ones: Sequence[RunResult], others: Sequence[RunResult], metric: str) -> list[float]:
    """Subtract other from one, for every seed that both have measured."""
    left, right = read_values(ones, metric), read_values(others, metric)
    return [left[seed] - right[seed] for seed in sorted(left) if seed in right]
