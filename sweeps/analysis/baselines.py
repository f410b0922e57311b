"""Name the baselines of a trained cell, and compare the cell of a grid with its base model.

A grid has a row for each base model, under the same evaluations, which is measured once.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sweeps.analysis.change_estimate import Change
from sweeps.analysis.change_estimate import change as estimate_change
from sweeps.analysis.seed_estimates import estimate_difference, read_run_scores
from sweeps.evaluation.metric_prefixes import SOURCE
from sweeps.metrics.ranges import find_difference_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, keep_measured, read_values
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, find_grain
from sweeps.stats.paired_items import ItemDifference, Items, compare_items, item_key
from sweeps.stats.proportions import Interval

UNTRAINED = "untrained"  # the key of a cell that is true where the base model is measured
TRAIN = "train"  # the section whose values an untrained model does not have


@dataclass(frozen=True)
class UntrainedChange:
    """What the base model has of a metric, and by how much a trained cell is above it."""

    before: float
    change: Estimate
    clear: bool
    by_item: ItemDifference | None = None


def name_untrained(cell: Mapping[str, Json]) -> dict[str, Json]:
    """Name the untrained cell of a cell: it shares the model and the data, and has no training."""
    shared = {key: value for key, value in cell.items() if key.partition(".")[0] != TRAIN and value is not None}
    return {**shared, UNTRAINED: True}


def is_untrained(cell: Mapping[str, Json]) -> bool:
    """Whether the cell is that of a base model."""
    return bool(cell.get(UNTRAINED))


def drop_untrained(rows: Iterable[RunResult]) -> list[RunResult]:
    """Drop the rows of base models: they do not compete."""
    return [row for row in rows if not is_untrained(row.cell)]


def find_untrained(cell: Mapping[str, Json], rows: Sequence[RunResult]) -> RunResult | None:
    """Find the row of the base model of a cell; None where it is not measured."""
    wanted = canonicalize_row(name_untrained(cell))
    rows = [row for row in keep_measured(rows) if is_untrained(row.cell)]
    named = [row for row in rows if canonicalize_row(name_untrained(row.cell)) == wanted]
    return named[0] if named else None


def compare_with_untrained(
    cell: Mapping[str, Json], rows: Sequence[RunResult], metric: str, items: Items | None
) -> UntrainedChange | None:
    """Compare a cell with its base model, which is measured once and counts for every seed; None without either.

    With the items of every seed it is the same change, with the same interval, as that of all changes: for other seeds
    and other items. Without them, it is for other seeds.
    """
    base = find_untrained(cell, rows)
    runs = [row for row in rows if row.cell == cell]
    values, before = read_values(runs, metric), base.metrics.get(metric, math.nan) if base else math.nan
    if base is None or not values or not math.isfinite(before):
        return None
    after, start = read_run_scores(runs, metric, items), read_run_scores([base], metric, items)
    same = dict.fromkeys(after, next(iter(start.values()), None))
    known = {seed: scores for seed, scores in same.items() if scores}
    by_item = compare_items(after, known) if known else None
    if moved := _estimate_change(base, runs, metric, items):
        sides = (moved.mean - moved.low, moved.high - moved.mean)
        ends = None if math.isclose(*sides) else Interval(moved.low, moved.high)
        estimate = Estimate(moved.mean, max(sides), moved.seeds, find_difference_range(metric), ends)
        return UntrainedChange(before, estimate, moved.clear, by_item)
    differences = [value - before for value in values.values()]
    grain = find_grain([before, *values.values()])
    difference = estimate_difference(differences, find_difference_range(metric), grain, by_item)
    return UntrainedChange(before, difference.estimate, difference.is_clear, by_item)


def _estimate_change(base: RunResult, runs: Sequence[RunResult], metric: str, items: Items | None) -> Change | None:
    """Estimate the change item by item; None unless the items of all seeds give its interval."""
    measured = [run for run in keep_measured(runs) if math.isfinite(run.metrics.get(metric, math.nan))]
    kept = {run.seed: rows for run in measured if (rows := (items or {}).get(item_key(run.cell, run.seed)))}
    before = (items or {}).get(item_key(base.cell, base.seed), ())
    moved = estimate_change({base.seed: before}, kept, metric=metric) if before and kept else None
    return moved if moved and moved.seeds == len(measured) and math.isfinite(moved.low) else None


Against = str  # untrained, source alone, target alone, or the method that a comparison is against
AGAINST: tuple[Against, ...] = ("untrained", "target alone", "source alone")  # in the order in which they are told


def list_baselines(
    cell: Mapping[str, Json], metric: str, reference: str | None = None
) -> Iterator[tuple[Against, Mapping[str, Json]]]:
    """List the baselines of a trained cell, the most informative first; none for an untrained one.

    `reference` is the method that a comparison tells all others against.
    """
    if "method" in cell:
        if cell["method"] is not None and reference not in (None, UNTRAINED, cell["method"]):
            yield str(reference), {**cell, "method": reference}
        if cell["method"] is not None:
            yield UNTRAINED, {**cell, "method": None}
    elif metric.startswith(SOURCE):
        if cell.get("source") is not None and cell.get("size"):
            yield "source alone", {**cell, "size": 0}
    elif cell.get("size") or cell.get("source") is not None:
        source = {"source": None} if "source" in cell else {}
        yield "untrained", {**cell, **source, "size": 0}
        if cell.get("size") and cell.get("source") is not None:
            yield "target alone", {**cell, **source}
    elif "size" not in cell and not is_untrained(cell):  # of a grid
        yield "untrained", name_untrained(cell)
