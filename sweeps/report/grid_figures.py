"""Draw the cells of a grid, what each of its axes does, and the metrics that no cell can be the best by."""

from collections.abc import Sequence
from typing import Any

from sweeps.analysis.baselines import UntrainedChange
from sweeps.analysis.grid_cells import AxisValue, BestCell, GridCell
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.analysis.targets import describe_cell, name_cells, name_with_unit
from sweeps.analysis.told_items import count_told
from sweeps.figures.bars import Row, RowPlot
from sweeps.figures.charts import IntervalChart
from sweeps.figures.svg import UNTRAINED
from sweeps.formatting import format_count, format_number
from sweeps.report.document import Answer, Figure, Section, make_table
from sweeps.report.shared_parts import describe_rows, draw_row, mark_told
from sweeps.report.table_cells import MISSING, TableCell, format_estimate, show_estimate, show_number
from sweeps.results import RunResult, find_shared_keys, group_by_cell, read_values
from sweeps.spec.metric_wishes import ask_direction
from sweeps.stats.intervals import find_grain, is_clear

DRAWN = 20  # of the best cells
VALUES = 24  # of axes, in one figure
NAMED = 6  # conditions that are not ruled out, in a sentence
TIED = 7  # the colour of cells that are worse than the best
AXES = (
    "Each value of an axis is compared with the mean of runs that are alike in everything else; ± half of the 95 % "
    "interval over seeds. The means are over all values of the other axes, so one very bad value there can decide them."
    " Worse by: than the best condition, at its values of the other axes, which no bad value there can decide."
)


def name_cell(cell: GridCell) -> str:
    """Name a cell of a grid without its data set."""
    return describe_cell(cell.cell, without={"data"})


def name_alike(choice: BestCell) -> str:
    """Name the conditions that are not ruled out and by how much they are worse; of many, also the farthest."""
    alike = choice.alike
    if not alike:
        return ""
    named = [*alike] if len(alike) <= NAMED else [*alike[: NAMED - 1], max(alike[NAMED - 1 :], key=_measure_gap)]
    words = "; ".join(f"{name_cell(cell)} {_say_gap(cell)}" for cell in named)
    left = f"; and {len(alike) - NAMED:,} between the last two" if len(alike) > NAMED else ""
    return (
        f" Not ruled out, because not clearly worse in {choice.by} when all are judged together: "
        f"{format_count(len(alike), 'other condition')}: {words}{left}."
    )


def _say_gap(cell: GridCell) -> str:
    if cell.behind is None:
        return "(it shares no seed with the best)"
    alone = ", clear by itself" if is_clear(cell.behind) else ""
    return f"({format_estimate(cell.behind, signed=True)}{alone})"


def _measure_gap(cell: GridCell) -> float:
    return cell.behind.mean if cell.behind else 0.0


def draw_cells(name: str, choice: BestCell, ranked: Sequence[GridCell], change: UntrainedChange | None) -> Figure:
    """Draw the best cells, and show which of them tie with the first."""
    same = find_shared_keys([cell.cell for cell in ranked])
    rows = [
        draw_row(describe_cell(cell.cell, without=same), cell.chosen_by, TIED if cell.apart else 0)
        for cell in ranked[:DRAWN]
    ]
    if change and choice.by == choice.metric:  # else the chart is of the validation set
        rows.append(Row("untrained", change.before, said=f"{change.before:.4f}", kind=UNTRAINED))
    better = "more is better" if choice.mode == "max" else "less is better"
    title = f"The best of {format_count(len(ranked), 'condition')}, by {choice.by}"
    words = RowPlot(name, title, describe_rows(rows), f"{name_with_unit(choice.by)}, {better}")
    left = f" The {DRAWN} best of {len(ranked):,} conditions are drawn." if len(ranked) > DRAWN else ""
    legend = f"Grey: worse than the best; all others are not clearly worse.{left}"
    note = (
        "Means over the seeds with their 95 % intervals. Worse by: than the best, seed by seed. Clearly worse: also "
        "when all conditions are judged together (Holm). What is not clearly worse need not be as good: its seeds may "
        "differ too much to tell."
    )
    shown = [_show_cell(cell, choice) for cell in ranked]
    shown += [{**dict.fromkeys(shown[0], None), **_show_untrained(ranked[0], choice, change)}] if change else []
    numbers = make_table(shown, folded=len(ranked) > DRAWN)
    return Figure(IntervalChart(words, rows), numbers, legend, note)


def _show_cell(cell: GridCell, choice: BestCell) -> dict[str, Any]:
    measured = {choice.by: cell.chosen_by, choice.metric: cell.held_out}
    return {
        **{key: value for key, value in cell.cell.items() if key != "data"},
        "seeds": cell.runs.measured,
        **{metric: show_estimate(estimate, mark=mark_told(cell.told)) for metric, estimate in measured.items()},
        "worse by": show_estimate(cell.behind),
        "clearly worse": "best" if cell is choice.best else cell.apart,
    }


def _show_untrained(first: GridCell, choice: BestCell, change: UntrainedChange) -> dict[str, Any]:
    """Show the base model of the best cell below the cells."""
    axes = [key for key in first.cell if key != "data"]
    return {**({axes[0]: "untrained"} if axes else {}), choice.metric: show_number(change.before)}


def draw_axes(name: str, choice: BestCell) -> list[Figure]:
    """Draw what each axis does by itself; with a single axis the cells show it already."""
    axes = list(dict.fromkeys(axis_value.axis for axis_value in choice.axes))
    known = [axis_value for axis_value in choice.axes if axis_value.effect]
    if len(axes) < 2 or not known:
        return []
    drawn = known[:VALUES]
    rows = [
        draw_row(
            describe_cell({axis_value.axis: axis_value.value}),
            axis_value.effect,
            axes.index(axis_value.axis),
            signed=True,
        )
        for axis_value in drawn
    ]
    better = "above 0 is better" if choice.mode == "max" else "below 0 is better"
    across = f"effect on {name_with_unit(choice.by)}, {better}"
    words = RowPlot(name, "What each axis does", describe_rows(rows), across, zero=True)
    left = f" {len(drawn)} of {len(known)} values are drawn." if len(known) > len(drawn) else ""
    numbers = make_table(
        [_show_axis(axis_value, choice) for axis_value in choice.axes], folded=len(choice.axes) > VALUES
    )
    return [Figure(IntervalChart(words, rows), numbers, f"Colours and marks tell the axes apart.{left}", AXES)]


def _show_axis(axis_value: AxisValue, choice: BestCell) -> dict[str, Any]:
    return {
        "axis": axis_value.axis,
        "value": format_number(axis_value.value),
        f"mean {choice.by}": show_estimate(axis_value.mean, missing="missing"),
        "effect": show_estimate(axis_value.effect, signed=True, missing="missing"),
        "worse by": _show_at_the_best(axis_value, choice),
        "blocks": axis_value.blocks,
        "left out": axis_value.left_out,
    }


def _show_at_the_best(axis_value: AxisValue, choice: BestCell) -> TableCell | str:
    """Show how much worse a value is than the best condition, at its values of the other axes."""
    best = choice.best
    if best is None:
        return MISSING
    wanted = {**best.cell, axis_value.axis: axis_value.value}
    there = next((cell for cell in choice.cells if cell.cell == wanted), None)
    if there is best:
        return "best"
    return show_estimate(there.behind if there else None, missing="missing")


def describe_change(choice: BestCell, change: UntrainedChange | None, *, in_headline: bool) -> str:
    """Say what training changed against the untrained model, with the interval, unless the headline has said it."""
    if change is None:
        return ""
    if in_headline:
        return f" Untrained {change.before:.4f}."
    gap, words = format_estimate(change.change, signed=True), ""
    if change.change.half_width is not None:
        worse = (change.change.mean > 0) == (choice.mode == "min")
        words = " (95 % interval)" + (", for the worse" if worse else "") * change.clear
        words += "" if change.clear else ", which is no clear change"
    return f" Untrained {change.before:.4f}; training changed {choice.metric} by {gap}{words}."


def describe_undirected(metric: str, rows: Sequence[RunResult], items: ItemsBy, name: str) -> Answer:
    """Show each cell's mean of a metric of which no direction is known: none of them is the best."""
    kept, groups = select_items(items, metric), group_by_cell(rows)
    values = [(cell, runs, read_values(runs, metric)) for cell, runs in groups]
    known = [(cell, runs, by_seed) for cell, runs, by_seed in values if by_seed]
    if not known:
        return Answer((f"No run has a result for {metric}.",))
    grain = find_grain(value for _, _, by_seed in known for value in by_seed.values())
    levels = [estimate_level(by_seed, metric, grain, read_run_scores(runs, metric, kept)) for _, runs, by_seed in known]
    names = name_cells([cell for cell, _, _ in known])
    marks = [mark_told(count_told(runs, metric, kept)) for _, runs, _ in known]
    means = [level.mean for level in levels if level]
    span = f"{min(means):.4f}" if len(means) == 1 else f"{min(means):.4f} to {max(means):.4f} over the conditions"
    sentence = f"{metric}: {span}; {ask_direction(metric)}."
    told_levels = list(zip(names, levels, marks, strict=True))
    drawn = [draw_row(cell_name, level, 0, mark=mark) for cell_name, level, mark in told_levels][:DRAWN]
    words = RowPlot(name, f"{metric} of each condition", describe_rows(drawn), name_with_unit(metric))
    shown = [
        {"condition": cell_name, metric: show_estimate(level, mark=mark), "seeds": level.seeds if level else 0}
        for cell_name, level, mark in told_levels
    ]
    figure = Figure(IntervalChart(words, drawn), make_table(shown, folded=len(shown) > DRAWN))
    return Answer((sentence,), (Section(f"{metric} of each condition", (figure,)),))
