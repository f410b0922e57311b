"""Several sweeps side by side: the conditions that they share, what each measured there, and by how much they differ.

A condition is a cell; two sweeps have the same one where all of its keys and values are equal. Differences are paired
by seed, because the same seed draws the same data in every sweep. Differences that are all equal are so to within the
least step between all values that were measured; but what is the same training differs by nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeps.metrics.ranges import find_difference_range
from sweeps.records import canonicalize_row
from sweeps.results import CellSummary, RunResult, group_by_cell, keep_measured, summarize_cells
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, estimate_paired, find_grain


@dataclass(frozen=True)
class SharedCondition:
    """One cell, in the sweeps that have it."""

    cell: Mapping[str, Json]
    found: Mapping[str, CellSummary]  # by sweep
    differences: Mapping[str, Mapping[str, Estimate]]  # by metric, then by sweep: that sweep minus the first


def join_sweeps(results: Mapping[str, Sequence[RunResult]]) -> list[SharedCondition]:
    """Every condition that any of the sweeps has, in their order; differences are to the first sweep."""
    groups: dict[bytes, dict[str, list[RunResult]]] = {}
    for sweep, rows in results.items():
        for cell, runs in group_by_cell(rows):
            groups.setdefault(canonicalize_row(cell), {})[sweep] = runs
    grains = _grains([row for rows in results.values() for row in rows])
    return [_condition(found, next(iter(results)), grains) for found in groups.values()]


def _grains(rows: Sequence[RunResult]) -> Mapping[str, float]:
    """The least step of each metric."""
    values: dict[str, list[float]] = {}
    for row in keep_measured(rows):
        for metric, value in row.metrics.items():
            if math.isfinite(value):
                values.setdefault(metric, []).append(value)
    return {metric: find_grain(each) for metric, each in values.items()}


def _condition(found: Mapping[str, Sequence[RunResult]], first: str, grains: Mapping[str, float]) -> SharedCondition:
    summaries = {sweep: summarize_cells(runs)[0] for sweep, runs in found.items()}
    cell = next(iter(summaries.values())).cell
    others = [sweep for sweep in found if sweep != first and first in found]
    metrics = dict.fromkeys(metric for summary in summaries.values() for metric in summary.metrics)
    differences = {
        metric: {
            other: difference
            for other in others
            if (difference := _difference(found[other], found[first], metric, grains))
        }
        for metric in metrics
    }
    return SharedCondition(cell, summaries, {metric: each for metric, each in differences.items() if each})


def _difference(
    ones: Sequence[RunResult], others: Sequence[RunResult], metric: str, grains: Mapping[str, float]
) -> Estimate | None:
    """one - other, of the seeds that both have measured, if there are any."""
    pairs = _pairs(ones, others, metric)
    if not pairs:
        return None
    grain = 0.0 if not any(pairs) and _the_same(ones, others) else grains[metric]
    return estimate_paired(pairs, grain=grain, span=find_difference_range(metric))


def _the_same(ones: Sequence[RunResult], others: Sequence[RunResult]) -> bool:
    """Are they the same trainings, seed by seed?"""
    left, right = ({run.seed: run.stage for run in runs} for runs in (ones, others))
    return all(left[seed] is not None and left[seed] == right[seed] for seed in left.keys() & right.keys())


def _pairs(ones: Sequence[RunResult], others: Sequence[RunResult], metric: str) -> list[float]:
    """one - other for every seed that both have measured."""
    left, right = _values(ones, metric), _values(others, metric)
    return [left[seed] - right[seed] for seed in sorted(left) if seed in right]


def _values(runs: Sequence[RunResult], metric: str) -> dict[int, float]:
    found = {run.seed: run.metrics.get(metric, math.nan) for run in keep_measured(runs)}
    return {seed: value for seed, value in found.items() if math.isfinite(value)}
