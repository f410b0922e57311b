"""Compare sweeps where their conditions are the same: what each measured there, and by how much they differ.

A condition is a cell; two sweeps share it where all of its keys and values are equal. Differences are paired by seed,
because the same seed draws the same data in every sweep. Measured values come in steps, such as 1/n for a share of n
items. Where all differences are equal, their interval is therefore one step wide, and not zero; two sweeps that share
the same training differ by exactly nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeps.metrics.ranges import find_difference_range
from sweeps.records import canonicalize_row
from sweeps.results import CellSummary, RunResult, group_by_cell, keep_measured, read_values, summarize_cells
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, estimate_paired, find_grain


@dataclass(frozen=True)
class SharedCondition:
    """One cell, in the sweeps that have it."""

    cell: Mapping[str, Json]
    found: Mapping[str, CellSummary]  # by sweep
    differences: Mapping[str, Mapping[str, Estimate]]  # by metric, then by sweep: that sweep minus the first


def join_sweeps(results: Mapping[str, Sequence[RunResult]]) -> list[SharedCondition]:
    """List every condition of any sweep, in their order; differences are from the first sweep."""
    groups: dict[bytes, dict[str, list[RunResult]]] = {}
    for sweep, rows in results.items():
        for cell, runs in group_by_cell(rows):
            groups.setdefault(canonicalize_row(cell), {})[sweep] = runs
    grains = _grains([row for rows in results.values() for row in rows])
    return [_condition(found, next(iter(results)), grains) for found in groups.values()]


def _grains(rows: Sequence[RunResult]) -> Mapping[str, float]:
    """Find the smallest step between values of each metric."""
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
    """Estimate one - other over the seeds that both have measured; None without any."""
    pairs = _pairs(ones, others, metric)
    if not pairs:
        return None
    grain = 0.0 if not any(pairs) and _the_same(ones, others) else grains[metric]
    return estimate_paired(pairs, grain=grain, span=find_difference_range(metric))


def _the_same(ones: Sequence[RunResult], others: Sequence[RunResult]) -> bool:
    """Whether both are the same trainings, seed by seed."""
    left, right = ({run.seed: run.stage for run in runs} for runs in (ones, others))
    return all(left[seed] is not None and left[seed] == right[seed] for seed in left.keys() & right.keys())


def _pairs(ones: Sequence[RunResult], others: Sequence[RunResult], metric: str) -> list[float]:
    """Subtract other from one, for every seed that both have measured."""
    left, right = read_values(ones, metric), read_values(others, metric)
    return [left[seed] - right[seed] for seed in sorted(left) if seed in right]
