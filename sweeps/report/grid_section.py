"""Which cell is the best, by what it was chosen, and how near the others are."""

from collections.abc import Sequence
from typing import Any

from sweeps.analysis.grid import AxisValue, BestCell, GridCell, best_cell
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import (
    Spec,
    choose_best,
    describe_cell,
    estimate_mean,
    find_shared_keys,
    format_estimate,
    name_with_unit,
    split_variants,
)
from sweeps.figures.bars import Row, RowPlot, draw_intervals
from sweeps.formatting import format_count, format_number
from sweeps.report.comparison_section import by_item, lacking, row
from sweeps.report.document import Conclusion, Figure, Paragraph, Part, Section, Table, both, table
from sweeps.results import RunResult, summarize_cells
from sweeps.stats.intervals import Estimate

DRAWN = 20  # of the best cells
VALUES = 24  # of axes, in one figure
ALIKE = (
    "Among runs that are alike in all else: by how much a value of an axis is above the mean of such runs, with its "
    "95 % interval over seeds. Colours and marks tell axes apart."
)


def grid(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """The best cell on each data set: losses on different holdouts do not compare."""
    best = choose_best(spec)
    metric, sentences, sections = best.metric.removeprefix("validation."), list[str](), list[Section]()
    others = {key for each in rows for key in each.cell} - {"data"}
    for place, (where, group) in enumerate(split_variants(rows, others)):
        found = best_cell(group, metric=metric, mode=best.mode, items=select_items(items, metric))
        on = f" on {where.removeprefix('data=')}" if where else ""
        sentences.append(said(found, on))
        ranked = [cell for cell in found.cells if cell.chosen_by]
        if ranked:
            shown = _figure(f"cells-{place}", found, ranked) if len(ranked) > 1 else _only(group, ranked[0])
            parts = (
                _chosen(found, len(ranked)),
                *lacking(found.runs),
                shown,
                *_near(found),
                *_axes(f"axes-{place}", found),
            )
            sections.append(Section(f"Which cell?{on}", parts))
    return Conclusion(tuple(sentences), tuple(sections))


def said(found: BestCell, on: str) -> str:
    """The best cell and what it has on the holdout, in a sentence."""
    if found.best is None:
        return f"No run{on} has {found.metric} yet."
    what, held_out = describe_cell(found.best.cell, without={"data"}), found.best.held_out
    held = f"held-out {found.metric} {'is not known yet' if held_out is None else _told(held_out)}"
    near = f"; {format_count(len(found.alike), 'cell')} could not be told apart from it" if found.alike else ""
    return f"Best{on}: {what}: {held}{near}." if what else f"The one cell{on}: {held}."


def _near(found: BestCell) -> list[Part]:
    """The cells that may be as good, item by item."""
    return by_item(
        f"{found.metric} less that of the best cell",
        {describe_cell(cell.cell, without={"data"}): cell.by_item for cell in found.alike},
    )


def _told(estimate: Estimate) -> str:
    interval = " (95 % interval)" if estimate.half_width is not None else ""
    return f"{format_estimate(estimate)}{interval} over {format_count(estimate.seeds, 'seed')}"


def _chosen(found: BestCell, among: int) -> Paragraph:
    if among == 1:
        return Paragraph("There was one cell, and nothing to choose.")
    chosen = f"Chosen among {format_count(among, 'cell')} by {found.by}"
    if found.by == found.metric:
        return Paragraph(f"{chosen} of the holdout itself, which flatters: add `validation` to the data.", warning=True)
    return Paragraph(f"{chosen}; told by the holdout, which did not choose.")


def _only(group: Sequence[RunResult], only: GridCell) -> Table:
    """Everything that was measured of the one cell."""
    (cell,) = (each for each in summarize_cells(group) if each.cell == only.cell)
    rows = [
        {"metric": name, "mean": format_estimate(estimate_mean(cell.metrics[name], name)), "seeds": cell.count}
        for name in sort_metrics(cell.metrics)
    ]
    return table(rows, caption="Means over the seeds with their 95 % intervals")


def _figure(name: str, found: BestCell, ranked: Sequence[GridCell]) -> Figure:
    """The best cells, and which of them could not be told apart from the first."""
    same = find_shared_keys([cell.cell for cell in ranked])
    rows = [
        row(describe_cell(cell.cell, without=same), cell.chosen_by, 7 if cell.apart else 0)
        for cell in ranked[:DRAWN]
        if cell.chosen_by
    ]
    told = "; ".join(f"{each.name}: {each.said}" for each in rows)
    better = "more is better" if found.mode == "max" else "less is better"
    title = f"The best of {format_count(len(ranked), 'cell')}, by {found.by}"
    plot = RowPlot(name, title, told, f"{name_with_unit(found.by)}, {better}")
    left = f" Of {len(ranked):,} cells the {DRAWN} best are drawn; the table has all." if len(ranked) > DRAWN else ""
    numbers = table([_row(cell, found) for cell in ranked], folded=len(ranked) > DRAWN)
    note = (
        "Means over the seeds with their own 95 % intervals; grey cells are worse than the first, seed by seed and "
        f"after Holm over all, the others could not be told apart from it.{left}"
    )
    return Figure(name, title, **both(lambda w, s: draw_intervals(plot, rows, w, s)), table=numbers, note=note)


def _row(cell: GridCell, found: BestCell) -> dict[str, Any]:
    measured = {found.by: cell.chosen_by, found.metric: cell.held_out}
    return {
        **{key: value for key, value in cell.cell.items() if key != "data"},
        "seeds": cell.runs.measured,
        **{metric: format_estimate(estimate) for metric, estimate in measured.items() if estimate},
        "worse by": format_estimate(cell.behind) if cell.behind else None,
        "told apart": None if cell is found.best else cell.apart,
    }


def _axes(name: str, found: BestCell) -> list[Figure]:
    """What each axis does by itself; of a single axis the cells say it already."""
    axes = list(dict.fromkeys(each.axis for each in found.axes))
    known = [each for each in found.axes if each.effect]
    if len(axes) < 2 or not known:
        return []
    drawn = known[:VALUES]
    rows = [_effect(each, axes.index(each.axis)) for each in drawn]
    better = "above 0 is better" if found.mode == "max" else "below 0 is better"
    told = "; ".join(f"{each.name}: {each.said}" for each in rows)
    plot = RowPlot(name, "What each axis does", told, f"effect on {name_with_unit(found.by)}, {better}", zero=True)
    left = f" {len(drawn)} of {len(known)} values are drawn; the table has all." if len(known) > len(drawn) else ""
    numbers = table([_axis_row(each, found) for each in found.axes], folded=len(found.axes) > VALUES)
    sides = both(lambda width, suffix: draw_intervals(plot, rows, width, suffix))
    return [Figure(name, plot.title, **sides, table=numbers, note=f"{ALIKE}{left}")]


def _effect(each: AxisValue, kind: int) -> Row:
    return row(describe_cell({each.axis: each.value}), each.effect, kind, signed=True)


def _axis_row(each: AxisValue, found: BestCell) -> dict[str, Any]:
    return {
        "axis": each.axis,
        "value": format_number(each.value),
        f"mean {found.by}": format_estimate(each.mean) if each.mean else None,
        "effect": format_estimate(each.effect, signed=True) if each.effect else None,
        "blocks": each.blocks,
        "left out": each.left_out,
    }
