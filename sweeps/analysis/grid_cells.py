"""Find the best cell of a grid, the cells that are not clearly worse, and what each axis does.

The best cell has the best mean over its seeds, on the validation set where there is one: a choice by the holdout is
optimistically biased there. Where a cell lacks a seed, means are corrected for what each seed adds to all cells, so
that no cell wins because it was spared a hard seed. Every other cell is compared with the best seed by seed, because
runs of one seed share what the seed decides, and item by item where the items of the choice are kept: the interval
then holds for other seeds and other items. Without them it is ± t(.975, k - 1)·sd/√k. Holm's step-down over all cells
says which are worse; the rest are tied with the best.

The effect of an axis is estimated among runs that differ in that axis alone. A block is a seed with values of the
other axes; it counts if every value of the axis that was measured anywhere is measured in it, so that a cell that
diverged does not favour its axis. Within a block, an effect is the distance from the block's mean. The interval is
over the means of the blocks of each seed.
"""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from sweeps.analysis.baselines import drop_untrained
from sweeps.analysis.idle_policies import Inactivity, drop_inactive, find_inactivity
from sweeps.analysis.run_counts import Tally, count_runs
from sweeps.analysis.seed_estimates import Covers, estimate_difference, estimate_level, read_run_scores
from sweeps.analysis.tables import Runs, read_runs
from sweeps.analysis.told_items import FEWEST, Told, count_told, subtract_common
from sweeps.evaluation.metric_prefixes import VALIDATION
from sweeps.evaluation.registry import choose_direction
from sweeps.metrics.ranges import Range, find_difference_range, find_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell, keep_measured, read_values
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate, find_grain, holm
from sweeps.stats.paired_items import ItemDifference, Items, Scores, compare_items, judge_pairs

Mode = Literal["min", "max"]
Values = Mapping[int, float]  # by seed


@dataclass(frozen=True)
class GridCell:
    """One cell; a value is None where it is not known."""

    cell: Mapping[str, Json]
    chosen_by: Estimate | None  # of the metric that the best was chosen by
    held_out: Estimate | None  # of the metric itself
    runs: Tally  # as far as the metric that the best was chosen by goes
    behind: Estimate | None = None  # by how much it is worse than the best, over the seeds that both have
    apart: bool = False  # it is worse, after Holm over all cells
    needed_seeds: int | None = None  # that would tell it apart with 80 %, were the two as far apart as they seem
    covers: Covers | None = None  # what else the interval of `behind` holds for
    by_item: ItemDifference | None = None  # what it is above the best by, on the holdout's items
    told: Told | None = None  # how many items tell the metric, on the holdout; None: not known
    inactive: Inactivity | None = None  # it does nothing, and would be ahead of what does something

    @property
    def is_ranked(self) -> bool:
        """Whether it was measured, does something, and has enough items to be the best."""
        return self.chosen_by is not None and not self.inactive and not (self.told and self.told.is_too_few)


class AxisValue(NamedTuple):
    """One value of an axis; None where no block has it."""

    axis: str
    value: Json
    mean: Estimate | None  # of the metric, over the blocks
    effect: Estimate | None  # the same less the mean of each block
    blocks: int
    left_out: int  # runs of this value that are in no block, because another value has no counterpart there


class _Group(NamedTuple):
    """The runs of one cell, with the values of the metric that the best is chosen by, and of the metric itself."""

    runs: Sequence[RunResult]
    chosen_by: Values
    held_out: Values
    scores: Mapping[int, Scores]  # of the metric itself
    told: Told | None  # None, too, where it is not what the best is chosen by
    inactive: Inactivity | None

    @property
    def is_ranked(self) -> bool:
        return bool(self.chosen_by) and not (self.told and self.told.is_too_few)


@dataclass(frozen=True)
class BestCell:
    """The cells from the best to the worst, then those without a rank: not measured, or on too few items."""

    metric: str
    by: str  # the metric that the best was chosen by
    mode: Mode
    cells: tuple[GridCell, ...]
    axes: tuple[AxisValue, ...]
    runs: Tally

    @property
    def best(self) -> GridCell | None:
        """The best cell; None while nothing is measured."""
        return next((cell for cell in self.cells if cell.is_ranked), None)

    @property
    def alike(self) -> tuple[GridCell, ...]:
        """The cells that are not clearly worse than the best."""
        return tuple(cell for cell in self.cells if cell.is_ranked and not cell.apart and cell is not self.best)

    @property
    def needed_seeds(self) -> int | None:
        """How many seeds would separate the first tied cell that shares a seed; None if not known."""
        return next((cell.needed_seeds for cell in self.alike if cell.behind), None)


def best_cell(results: Runs, *, metric: str, mode: Mode | None = None, items: Items | None = None) -> BestCell:
    """The best of the trained cells by a metric, of which less ("min") or more ("max") is better; a known one says it.

    The runs may come as a DataFrame. `items` has, for `item_key(run.cell, run.seed)` of some or all runs, the rows of
    the evaluation of `metric`: cells that have some are compared with the best item by item, and are one family for
    Holm. Raises DataError without `mode` for a metric of which no direction is known.
    """
    if mode is None:
        mode = "min" if choose_direction(metric) == "lower" else "max"
    results = drop_untrained(read_runs(results))
    seen = f"{VALIDATION}{metric}"
    by = seen if any(seen in run.metrics for run in keep_measured(results)) else metric
    groups = [
        _Group(
            runs,
            read_values(runs, by),
            read_values(runs, metric),
            read_run_scores(runs, metric, items),
            count_told(runs, metric, items) if by == metric else None,
            find_inactivity(runs, items),
        )
        for _, runs in group_by_cell(results)
    ]
    sign = -1 if mode == "max" else 1
    ranked = _rank_groups(groups, sign)
    others = [group for group in groups if not any(group is known for known in ranked)]
    grains = {name: find_grain(_list_known(results, name)) for name in (by, metric)}
    by_item: Mapping[int, ItemDifference] = {}
    if items and ranked:
        first, *rest = (group.scores for group in ranked)
        differences = {place: compare_items(scores, first) for place, scores in enumerate(rest, 1)}
        by_item = judge_pairs({place: difference for place, difference in differences.items() if difference})
    behind = _measure_gaps(ranked, sign)
    cells = _rank_cells(
        [_cell(group, metric, by, grains) for group in ranked],
        behind,
        find_grain(value for group in ranked for value in group.chosen_by.values()),
        find_difference_range(by),
        {place: replace(item, mean=sign * item.mean) for place, item in by_item.items()} if by == metric else {},
    )
    cells = [replace(cell, by_item=by_item.get(place)) for place, cell in enumerate(cells)]
    cells += [replace(_cell(group, metric, by, grains), inactive=group.inactive) for group in others]
    return BestCell(metric, by, mode, tuple(cells), tuple(_axes(results, by)), count_runs(results, by))


def _rank_groups(groups: Sequence[_Group], sign: int) -> list[_Group]:
    """Rank the groups, the best first, without what does nothing and is ahead of what does something."""
    luck = _luck([group.chosen_by for group in groups])
    measured = (group for group in groups if group.is_ranked)
    ranked = sorted(measured, key=lambda group: sign * _mean(group.chosen_by, luck))
    return drop_inactive(ranked, [group.inactive is not None for group in ranked])


def _mean(values: Values, luck: Values) -> float:
    return statistics.fmean(value - luck.get(seed, 0.0) for seed, value in values.items())


def _luck(cells: Sequence[Values]) -> Values:
    """What each seed adds, by the cells that have them all; nothing where none has."""
    seeds = {seed for values in cells for seed in values}
    whole = [values for values in cells if values.keys() == seeds]
    return {seed: statistics.fmean(values[seed] for values in whole) for seed in seeds} if whole else {}


def _list_known(runs: Iterable[RunResult], metric: str) -> list[float]:
    """Every finite value."""
    values = (run.metrics.get(metric, math.nan) for run in keep_measured(runs))
    return [value for value in values if math.isfinite(value)]


def _cell(group: _Group, metric: str, by: str, grains: Mapping[str, float]) -> GridCell:
    held_out = estimate_level(group.held_out, metric, grains[metric], group.scores)
    return GridCell(
        group.runs[0].cell,
        held_out if by == metric else estimate_level(group.chosen_by, by, grains[by]),
        held_out,
        count_runs(group.runs, by),
        told=group.told,
    )


def _measure_gaps(ranked: Sequence[_Group], sign: int) -> dict[int, list[float]]:
    """Measure by how much each cell is worse than the first, seed by seed.

    What not all items tell is compared over the items that both tell.
    """
    gaps: dict[int, list[float]] = {}
    for place, group in enumerate(ranked[1:], 1):
        if any(side.told and side.told.is_conditional for side in (ranked[0], group)):
            differences = [*subtract_common(group.scores, ranked[0].scores).values()]
        else:
            shared = sorted(ranked[0].chosen_by.keys() & group.chosen_by.keys())
            differences = [group.chosen_by[seed] - ranked[0].chosen_by[seed] for seed in shared]
        if differences:
            gaps[place] = [sign * difference for difference in differences]
    return gaps


def _rank_cells(
    cells: Sequence[GridCell],
    behind: Mapping[int, Sequence[float]],
    grain: float,
    span: Range,
    by_item: Mapping[int, ItemDifference],
) -> list[GridCell]:
    """Say what each is behind the first, and whether that stands among all."""
    differences = {
        place: estimate_difference(values, span, grain, by_item.get(place)) for place, values in behind.items()
    }
    estimates = {place: difference.estimate for place, difference in differences.items()}
    few = {place for place in differences if _share_too_few(cells[0], cells[place], by_item.get(place))}
    p_values = {place: difference.p for place, difference in differences.items() if place not in few}
    worse = {place for place in holm(p_values) if estimates[place].mean > 0}
    return [
        replace(
            cell,
            behind=estimates.get(place),
            apart=place in worse,
            needed_seeds=None if place in worse or place not in differences else differences[place].needed_seeds,
            covers=differences[place].covers if place in differences else None,
        )
        for place, cell in enumerate(cells)
    ]


def _share_too_few(first: GridCell, other: GridCell, by_item: ItemDifference | None) -> bool:
    """Whether they have too few items in common that tell what not all items tell."""
    conditional = any(cell.told and cell.told.is_conditional for cell in (first, other))
    return conditional and (by_item is None or by_item.items < FEWEST)


def _axes(results: Sequence[RunResult], metric: str) -> Iterable[AxisValue]:
    for axis in dict.fromkeys(key for run in results for key in run.cell):
        known = {canonicalize_row(run.cell[axis]): run.cell[axis] for run in results if axis in run.cell}
        if len(known) > 1:
            yield from _axis(axis, known, results, metric)


def _axis(axis: str, known: Mapping[bytes, Json], results: Sequence[RunResult], metric: str) -> Iterable[AxisValue]:
    blocks: dict[tuple[bytes, int], dict[bytes, float]] = {}
    for run in keep_measured(results):
        measure = run.metrics.get(metric, math.nan)
        if axis in run.cell and math.isfinite(measure):
            rest = canonicalize_row({key: value for key, value in run.cell.items() if key != axis})
            blocks.setdefault((rest, run.seed), {})[canonicalize_row(run.cell[axis])] = measure
    seen, grain = {value for block in blocks.values() for value in block}, find_grain(_list_known(results, metric))
    whole = {where: block for where, block in blocks.items() if block.keys() == seen}
    for key, value in known.items():
        runs = sum(key in block for block in blocks.values())
        held = {where: block for where, block in whole.items() if key in block}
        effects = {where: block[key] - statistics.fmean(block.values()) for where, block in held.items()}
        yield AxisValue(
            axis,
            value,
            _average_blocks({where: block[key] for where, block in held.items()}, grain, find_range(metric)),
            _average_blocks(effects, grain, find_difference_range(metric)),
            len(held),
            runs - len(held),
        )


def _average_blocks(values: Mapping[tuple[bytes, int], float], grain: float, span: Range) -> Estimate | None:
    """The mean over the blocks of each seed, and what these say together."""
    by_seed: dict[int, list[float]] = {}
    for (_, seed), value in values.items():
        by_seed.setdefault(seed, []).append(value)
    means = [statistics.fmean(values) for values in by_seed.values()]
    return estimate_difference(means, span, grain).estimate if means else None
