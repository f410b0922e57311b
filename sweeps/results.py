"""The measured results: one row for each run, and a summary of the seeds of each cell."""

import math
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sweeps.records import canonicalize_row
from sweeps.stage import Json

GIVEN_UP = ("failed", "skipped", "cancelled")  # states of a stage without a result, and without an attempt to come


@dataclass(frozen=True)
class RunResult:
    """One cell at one seed.

    `metrics` holds "nll" (nats per token, held out), "bits_per_byte", and the same with a prefix: "source.nll" on the
    source's holdout, "validation.nll" on the validation set.
    """

    cell: Mapping[str, Json]
    seed: int
    state: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    steps: int = 0
    tokens: int = 0
    micro_usd: int | None = None
    stage: str | None = None
    before: tuple[str, ...] = ()  # in a chain, the trainings before its last one


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of the finite values; `variance` divides by count - 1 and is None for a single value."""

    count: int
    mean: float
    variance: float | None
    diverged: int  # values that were not finite


@dataclass(frozen=True)
class CellSummary:
    """The summary of one cell over its seeds. A metric without a finite value is not in `metrics`."""

    cell: Mapping[str, Json]
    count: int  # runs that have a result
    metrics: Mapping[str, Moments]


def summarize_cells(results: Iterable[RunResult]) -> list[CellSummary]:
    """Summarize the runs that have a result, cell by cell, in the order in which the cells first appear."""
    return [_summary(runs) for _, runs in group_by_cell(results)]


def group_by_cell(
    results: Iterable[RunResult], *, without: Collection[str] = ()
) -> list[tuple[Mapping[str, Json], list[RunResult]]]:
    """Group runs that share a cell; the keys in `without` do not count.

    `without={"size", "data"}` gives one group for each variant of an experiment, over all its sizes and data sets.
    """
    groups: dict[bytes, tuple[Mapping[str, Json], list[RunResult]]] = {}
    for result in results:
        cell = {key: value for key, value in result.cell.items() if key not in without}
        groups.setdefault(canonicalize_row(cell), (cell, []))[1].append(result)
    return list(groups.values())


def find_shared_keys(cells: Sequence[Mapping[str, Json]]) -> set[str]:
    """Find the keys whose value is the same in all cells: a name need not repeat them."""
    keys = {key for cell in cells for key in cell}
    return {key for key in keys if len({canonicalize_row(cell.get(key)) for cell in cells}) == 1}


def keep_measured(results: Iterable[RunResult]) -> list[RunResult]:
    """Keep the runs that have a result, or a part of one: one evaluation may succeed and another fail."""
    return [result for result in results if result.state == "succeeded" or result.metrics]


def read_values(results: Iterable[RunResult], metric: str) -> dict[int, float]:
    """Read the finite values of a metric by seed, of runs that share a cell."""
    values = {result.seed: result.metrics.get(metric, math.nan) for result in keep_measured(results)}
    return {seed: value for seed, value in values.items() if math.isfinite(value)}


def _summary(runs: list[RunResult]) -> CellSummary:
    values: dict[str, list[float]] = defaultdict(list)
    for run in keep_measured(runs):
        for metric, value in run.metrics.items():
            values[metric].append(value)
    moments = {metric: summary for metric, seen in values.items() if (summary := _moments(seen))}
    return CellSummary(runs[0].cell, len(keep_measured(runs)), moments)


def _moments(values: list[float]) -> Moments | None:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    variance = statistics.variance(finite) if len(finite) > 1 else None
    return Moments(len(finite), statistics.fmean(finite), variance, len(values) - len(finite))
