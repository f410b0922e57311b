"""Grid: which cell is the best? The best one for each data set, the cells that tie with it, and what each axis does."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.analysis.deflated_sharpe import deflate_best
from sweeps.analysis.grid_cells import AxisValue, BestCell, GridCell, best_cell
from sweeps.analysis.guessing import describe_guess, find_unbeaten
from sweeps.analysis.item_analysis import NEAR, ItemsBy, select_items
from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import (
    Spec,
    choose_best,
    describe_cell,
    name_with_unit,
    split_variants,
)
from sweeps.analysis.told_items import FEWEST, may_be_conditional, warn_unknown
from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.experiments.kind import Experiment, Fact
from sweeps.figures.bars import RowPlot
from sweeps.figures.charts import IntervalChart
from sweeps.formatting import format_count, format_number
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun
from sweeps.planning.stage_builder import StageBuilder
from sweeps.records import canonicalize_row
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, Table, make_table
from sweeps.report.plain_values import simplify
from sweeps.report.shared_parts import compare_by_item, describe_rows, draw_row, mark_told, warn_of_missing
from sweeps.report.table_cells import format_estimate, show_estimate
from sweeps.results import RunResult, find_shared_keys, group_by_cell, read_values
from sweeps.spec.model import SweepFields
from sweeps.stats.intervals import find_grain
from sweeps.stats.paired_items import ItemKey, Scores, item_key

DRAWN = 20  # of the best cells
VALUES = 24  # of axes, in one figure
TIED = 7  # the colour of cells that are worse than the best
AXES = (
    "Each value of an axis is compared with the mean of runs that are alike in everything else; ± half of the 95 % "
    "interval over seeds."
)


def plan_grid(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan every data set on all its examples; without any, what is learnt by acting."""
    sweep = builder.sweep
    if not variant.data:
        yield from (DatasetRun(builder, variant, variant.cell, seed, None, 1) for seed in sweep.seed_values)
    for name, spec in variant.data.items():
        dataset = builder.data.dataset(name, spec)
        cell = {**variant.cell, "data": name} if len(sweep.data) > 1 else variant.cell
        for seed in sweep.seed_values:
            yield DatasetRun(builder, variant, cell, seed, dataset, dataset.train.units)


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"data": tuple(sweep.data)} if len(sweep.data) > 1 else {}


def list_deciding(spec: Spec, _rows: Sequence[RunResult]) -> list[str]:
    """Name the metric that the best is the best by, on the holdout."""
    return [_find_metric(spec)]


def choose_runs(spec: Spec, rows: Sequence[RunResult]) -> set[ItemKey] | None:
    """Choose the runs of the best cell on each data set, and of the cells that may be as good.

    All runs (None), if how many items tell the metric decides which cell can be the best.
    """
    if may_be_conditional(_find_metric(spec)):
        return None
    near: set[bytes] = set()
    for _, group in split_variants(rows, _list_other_keys(rows)):
        found = best_cell(group, metric=_find_metric(spec), mode=choose_best(spec).mode)
        near |= {canonicalize_row(cell.cell) for cell in (found.best, *found.alike[:NEAR]) if cell}
    return {key for row in rows if (key := item_key(row.cell, row.seed))[0] in near}


def list_best(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the best cell of each data set, and the cells that may be as good."""
    metric, facts = _find_metric(spec), list[Fact]()
    for on, group in group_by_cell(rows, without=_list_other_keys(rows)):
        found = best_cell(group, metric=metric, mode=choose_best(spec).mode, items=select_items(items, metric))
        ties = {"best": simplify(found.best), "alike": simplify(found.alike), "needed_seeds": found.needed_seeds}
        runs = [row for row in group if found.best and row.cell == found.best.cell]
        guess = simplify(find_unbeaten(runs, metric, select_items(items, metric)))
        deflated = simplify(deflate_best(found, group, select_items(items, metric)))
        facts.append(
            {**on, "metric": metric, "by": found.by, **ties, "no_better_than": guess, "deflated_sharpe": deflated}
        )
    return facts


def _find_metric(spec: Spec) -> str:
    return strip_validation(choose_best(spec).metric)


def _list_other_keys(rows: Sequence[RunResult]) -> set[str]:
    """List the keys of cells besides the data set: losses on different holdouts do not compare."""
    return {key for row in rows for key in row.cell} - {"data"}


def answer_grid(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Answer:
    """Name the best cell of each data set: losses on different holdouts do not compare."""
    best = choose_best(spec)
    metric, sentences, sections = strip_validation(best.metric), list[str](), list[Section]()
    for place, (where, group) in enumerate(split_variants(rows, _list_other_keys(rows))):
        found = best_cell(group, metric=metric, mode=best.mode, items=select_items(items, metric))
        on = f" on {where.removeprefix('data=')}" if where else ""
        known = warn_unknown(metric, found.best.told) if found.best else ""
        deflated = deflate_best(found, group, select_items(items, metric))
        beyond_luck = deflated.describe() if deflated else ""
        sentences.append(name_best(found, on) + known + _weigh_guess(found, group, items) + beyond_luck)
        ranked = [cell for cell in found.cells if cell.is_ranked]
        if not ranked:
            sections.append(Section(f"Which cell?{on}", tuple(_list_unranked(found))))
        else:
            parts = (
                _say_how_chosen(found, len(ranked)),
                *warn_of_missing(found.runs),
                _draw_cells(f"cells-{place}", found, ranked) if len(ranked) > 1 else _show_one(group, ranked[0], items),
                *_list_ties(found),
                *_list_unranked(found),
                *compare_by_item(
                    f"{found.metric}, less the best", {_name_cell(cell): cell.by_item for cell in found.alike}
                ),
                *_draw_axes(f"axes-{place}", found),
            )
            sections.append(Section(f"Which cell?{on}", parts))
    return Answer(tuple(sentences), tuple(sections))


def name_best(found: BestCell, on: str) -> str:
    """Name the best cell, and say what it has on the holdout."""
    if found.best is None:
        few = any(cell.chosen_by for cell in found.cells)
        why = f"has {FEWEST} items that tell {found.metric}" if few else f"has a result for {found.metric} yet"
        return f"No {'cell' if few else 'run'}{on} {why}."
    what, held_out = _name_cell(found.best), found.best.held_out
    known = "is not known yet"
    if held_out is not None:
        interval = " (95 % interval)" if held_out.half_width is not None else ""
        known = f"{format_estimate(held_out)}{interval} over {format_count(held_out.seeds, 'seed')}"
    ties = f"; {_count_alike(len(found.alike))} not clearly worse" if found.alike else ""
    held = f"held-out {found.metric} {known}{ties}"
    return f"Best{on}: {what}: {held}." if what else f"The only cell{on}: {held}."


def _weigh_guess(found: BestCell, rows: Sequence[RunResult], items: ItemsBy) -> str:
    """Say that the best cell is no better on the holdout than a guess, if it is so."""
    runs = [row for row in rows if found.best and row.cell == found.best.cell]
    guess = describe_guess(runs, found.metric, select_items(items, found.metric))
    return f" It is not clearly better than {guess}." if guess else ""


def _name_cell(cell: GridCell) -> str:
    return describe_cell(cell.cell, without={"data"})


def _say_how_chosen(found: BestCell, among: int) -> Paragraph:
    if among == 1:
        return Paragraph("There is one cell, so there is nothing to choose.")
    chosen = f"Chosen among {format_count(among, 'cell')} by {found.by}"
    if found.by == found.metric:
        biased = f"{chosen} of the holdout itself, which is optimistically biased; add `validation` to the data."
        return Paragraph(biased, warning=True)
    return Paragraph(f"{chosen}; reported on the holdout, which took no part in the choice.")


def _count_alike(count: int) -> str:
    return f"{format_count(count, 'other cell')} {'is' if count == 1 else 'are'}"


def _list_ties(found: BestCell) -> list[Part]:
    """List the cells that may be as good as the best, with how much worse they are."""
    if not found.alike:
        return []
    ties = "; ".join(
        f"{_name_cell(cell)} ({format_estimate(cell.behind, signed=True) if cell.behind else 'no seed in common'})"
        for cell in found.alike[:NEAR]
    )
    more = f"; and {len(found.alike) - NEAR} more" if len(found.alike) > NEAR else ""
    seeds = f" {found.needed_seeds} seeds would separate the first of them." if found.needed_seeds else ""
    return [Paragraph(f"Not clearly worse than the best (gap): {ties}{more}.{seeds}")]


def _list_unranked(found: BestCell) -> list[Part]:
    """List the cells that too few items tell of."""
    few = [cell for cell in found.cells if cell.chosen_by and cell.told and cell.told.is_too_few]
    if not few:
        return []
    told = "; ".join(f"{_name_cell(cell)} ({cell.told.describe()})" for cell in few[:NEAR] if cell.told)
    more = f"; and {len(few) - NEAR} more" if len(few) > NEAR else ""
    why = f"Not ranked, because fewer than {FEWEST} items tell {found.metric}"
    return [Paragraph(f"{why}: {told}{more}.", warning=True)]


def _show_one(group: Sequence[RunResult], only: GridCell, items: ItemsBy) -> Table:
    """Show everything that was measured for the only cell."""
    runs = [run for run in group if run.cell == only.cell]
    found = {name: read_values(runs, name) for name in sort_metrics({name for run in runs for name in run.metrics})}
    rows = [
        {
            "metric": name,
            "mean": show_estimate(
                estimate_level(each, name, find_grain(each.values()), _read_scores(runs, name, items))
            ),
            "seeds": len(each),
        }
        for name, each in found.items()
        if each
    ]
    return make_table(rows, caption="Means over the seeds with their 95 % intervals")


def _read_scores(runs: Sequence[RunResult], metric: str, items: ItemsBy) -> Mapping[int, Scores]:
    return read_run_scores(runs, metric, select_items(items, metric))


def _draw_cells(name: str, found: BestCell, ranked: Sequence[GridCell]) -> Figure:
    """Draw the best cells, and show which of them tie with the first."""
    same = find_shared_keys([cell.cell for cell in ranked])
    rows = [
        draw_row(describe_cell(cell.cell, without=same), cell.chosen_by, TIED if cell.apart else 0)
        for cell in ranked[:DRAWN]
    ]
    better = "more is better" if found.mode == "max" else "less is better"
    title = f"The best of {format_count(len(ranked), 'cell')}, by {found.by}"
    words = RowPlot(name, title, describe_rows(rows), f"{name_with_unit(found.by)}, {better}")
    left = f" The {DRAWN} best of {len(ranked):,} cells are drawn." if len(ranked) > DRAWN else ""
    legend = f"Grey: worse than the best; all others are not clearly worse.{left}"
    note = "Means over the seeds with their 95 % intervals; worse by: seed by seed, tied: after Holm over all cells."
    numbers = make_table([_show_cell(cell, found) for cell in ranked], folded=len(ranked) > DRAWN)
    return Figure(IntervalChart(words, rows), numbers, legend, note)


def _show_cell(cell: GridCell, found: BestCell) -> dict[str, Any]:
    measured = {found.by: cell.chosen_by, found.metric: cell.held_out}
    return {
        **{key: value for key, value in cell.cell.items() if key != "data"},
        "seeds": cell.runs.measured,
        **{metric: show_estimate(estimate, mark=mark_told(cell.told)) for metric, estimate in measured.items()},
        "worse by": show_estimate(cell.behind),
        "tied": "best" if cell is found.best else not cell.apart,
    }


def _draw_axes(name: str, found: BestCell) -> list[Figure]:
    """Draw what each axis does by itself; with a single axis the cells show it already."""
    axes = list(dict.fromkeys(each.axis for each in found.axes))
    known = [each for each in found.axes if each.effect]
    if len(axes) < 2 or not known:
        return []
    drawn = known[:VALUES]
    rows = [
        draw_row(describe_cell({each.axis: each.value}), each.effect, axes.index(each.axis), signed=True)
        for each in drawn
    ]
    better = "above 0 is better" if found.mode == "max" else "below 0 is better"
    across = f"effect on {name_with_unit(found.by)}, {better}"
    words = RowPlot(name, "What each axis does", describe_rows(rows), across, zero=True)
    left = f" {len(drawn)} of {len(known)} values are drawn." if len(known) > len(drawn) else ""
    numbers = make_table([_show_axis(each, found) for each in found.axes], folded=len(found.axes) > VALUES)
    return [Figure(IntervalChart(words, rows), numbers, f"Colours and marks tell the axes apart.{left}", AXES)]


def _show_axis(each: AxisValue, found: BestCell) -> dict[str, Any]:
    return {
        "axis": each.axis,
        "value": format_number(each.value),
        f"mean {found.by}": show_estimate(each.mean, missing="missing"),
        "effect": show_estimate(each.effect, signed=True, missing="missing"),
        "blocks": each.blocks,
        "left out": each.left_out,
    }


EXPERIMENT = Experiment(
    name="grid",
    title="grid",
    question="Which cell is the best?",
    needs=("train",),
    takes=("train", "best"),
    plan_runs=plan_grid,
    answer=answer_grid,
    facts_key="best",
    list_facts=list_best,
    list_cell_values=list_values,
    list_deciding=list_deciding,
    choose_runs=choose_runs,
    acts=True,
    chooses=True,
)
