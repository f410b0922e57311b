"""The answer to the question, for the terminal: fitted curves, the transfer matrix, the best cell."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from scheduler.cli.console.output import Output
from scheduler.cli.items import show_by_item, show_changes
from sweeps.analysis.comparison import METHOD, MethodResult, compare
from sweeps.analysis.data_multiplier import Multiplier
from sweeps.analysis.grid import BestCell, best_cell
from sweeps.analysis.item_analysis import NEAR, NO_ITEMS, ItemsBy, list_changes, select_items
from sweeps.analysis.run_counts import Tally
from sweeps.analysis.targets import (
    Spec,
    choose_best,
    describe_law_unit,
    describe_met_sizes,
    find_metric,
    fit_runs,
    format_multiplier,
    list_compared,
    split_variants,
    write_formula,
)
from sweeps.analysis.transfer import AXES, Overall, TransferCell, TransferMatrix, transfer_matrix
from sweeps.errors import SweepsError
from sweeps.figures.terminal import DrawnCurve, draw_curves
from sweeps.formatting import format_cell, format_count, format_interval, format_number, format_usd
from sweeps.report.comparison_section import named as named_method
from sweeps.report.transfer_section import SHARED
from sweeps.results import CellSummary, RunResult, group_by_cell, keep_measured, summarize_cells
from sweeps.scaling.fit import MinimumData, ScalingFit
from sweeps.spec.sections import Equal
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate
from sweeps.training.schedule import describe_equal

CURVES = 13  # in one drawing: of more, nobody could tell the letters apart


def answer(output: Output, spec: Spec, rows: Sequence[RunResult], items: ItemsBy = NO_ITEMS) -> None:
    """Say what the rows mean for the question that was asked, and what their items say, where there are some."""
    done = keep_measured(rows)
    if not done:
        output.say("nothing has been measured yet")
        return
    experiment = str(spec["experiment"])  # all but the curves count for themselves what is missing
    ANSWERS[experiment](output, spec, done if experiment == "data_scaling" else rows, items)
    show_changes(output, list_changes(rows, items))


def _scaling(output: Output, spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> None:
    metric = find_metric(spec)
    kept = select_items(items, metric)
    for title, group in split_variants(rows, ("size", "data")):
        names = dict.fromkeys(str(row.cell["data"]) for row in group)
        fits = {name: fit_runs(spec, [row for row in group if row.cell["data"] == name], kept) for name in names}
        output.say(f"\nHow much data? {title}".rstrip())
        if any(len(fit.n) > 1 for fit in fits.values()):
            series = [_series(name, fit) for name, fit in fits.items()]
            for start in range(0, len(series), CURVES):
                output.say(draw_curves(series[start : start + CURVES]))
        table = [_fit_row(name, each) for name, fit in fits.items() for each in (fit, *fit.alternatives)]
        output.table(table, title=f"fitted curves, {describe_law_unit(metric)}")
        for name, fit in fits.items():
            if fit.refused and fit.curve:  # else it stands in the table, where a law would
                output.say(f"{name}: no answer: {fit.refused}")
            if known := describe_met_sizes(fit, metric):
                output.say(f"{name}: {known}")
            for warning in dict.fromkeys(said for each in (fit, *fit.alternatives) for said in each.warnings):
                output.say(f"{name}: {warning}")


def _series(name: str, fit: ScalingFit) -> DrawnCurve:
    return DrawnCurve(name, fit.n.tolist(), fit.loss.tolist(), fit.line if fit.curve else None)


def _fit_row(name: str, fit: ScalingFit) -> dict[str, Any]:
    """What one law says; the hold-out error is beside whatever it says, an extrapolation above all."""
    if fit.law is None:
        return {"data": name, "law": "none", "L(n)": fit.refused}
    row = {
        "data": name,
        "law": fit.law,
        "L(n)": write_formula(fit),
        "R²": fit.r2,
        "hold-out error": None if fit.holdout_error is None else f"{fit.holdout_error:.2%}",
    }
    if least := fit.minimum_data:
        row["target"] = least.target
        row["examples needed"] = _needed(least)
        row["status"] = least.status + ("" if least.times is None else f" ×{least.times:.2g}")
    return row


def _needed(least: MinimumData) -> str:
    """The size with its interval, which is open above where no end of it is in reach."""
    if least.point is None:
        return "-" if least.low is None else f"{least.low:,.0f} or more{_perhaps(least)}"
    if least.low is None:
        return f"{least.point:,.0f}"
    beyond = "or more" if least.high is None else f"to {least.high:,.0f}"
    return f"{least.point:,.0f} ({least.low:,.0f} {beyond}{_perhaps(least)})"


def _perhaps(least: MinimumData) -> str:
    return ", perhaps never" if least.may_be_unreachable else ""


def _transfer(output: Output, _spec: Spec, rows: Sequence[RunResult], _items: ItemsBy) -> None:
    for title, group in split_variants(rows, AXES):
        output.say(f"\nDoes training on the row help the column? {title}".rstrip())
        try:
            matrix = transfer_matrix(group)
        except SweepsError as error:
            output.say(str(error))
            continue
        for size in matrix.sizes:
            _panel(output, matrix, size)
        output.say("gain in nats per token against training on the target alone, ± half of the 95 % interval;")
        output.say("▲ helps, ▼ hurts beyond its interval; * still does when all pairs are judged together (Holm)")
        if matrix.shared:
            output.say(SHARED)
        _over_sizes(output, matrix)
        _forgetting(output, matrix)
        _missing(output, matrix.runs)


def _over_sizes(output: Output, matrix: TransferMatrix) -> None:
    """Each pair at all sizes, in the target's own examples; and who helps more than it is helped."""
    sizes = [size for size in matrix.sizes if size]
    if len(sizes) < 2:
        return
    table = [
        {
            "pair": f"{each.source} → {each.target}",
            **{f"n = {size}": _worth(matrix.cell(each.source, each.target, size).multiplier) for size in sizes},
            "gain over all sizes": _marked(each),
        }
        for each in matrix.overall
    ]
    output.table(table, title="what a transfer is worth, as a multiple of the n target examples")
    for each in matrix.asymmetries:
        if each.after_holm and each.size == sizes[-1]:
            ahead, behind = (each.one, each.other) if each.difference.mean > 0 else (each.other, each.one)
            more = each.difference._replace(mean=abs(each.difference.mean))
            output.say(f"at n = {each.size} {ahead} helps {behind} more than {behind} helps {ahead}: {_lost(more)}")


def _worth(worth: Multiplier | None) -> str:
    return "·" if worth is None else format_multiplier(worth)


def _missing(output: Output, runs: Tally) -> None:
    if said := runs.said():
        output.say(said)


def _panel(output: Output, matrix: TransferMatrix, size: int) -> None:
    found = {(cell.source, cell.target): cell for cell in matrix.cells if cell.size == size}
    table = [
        {"source": source, **{target: _gain(found.get((source, target))) for target in matrix.targets}}
        for source in matrix.sources
    ]
    output.table(table, title=f"n = {size} target examples" if size else "n = 0: the source alone, against the base")


def _gain(cell: TransferCell | None) -> str:
    return "·" if cell is None else _marked(cell)


def _marked(cell: TransferCell | Overall) -> str:
    if cell.gain is None:
        return "missing"
    mark = {"helps": " ▲", "hurts": " ▼"}.get(cell.verdict, "")
    return f"{_lost(cell.gain)}{mark}{'*' if cell.after_holm else ''}"


def _forgetting(output: Output, matrix: TransferMatrix) -> None:
    """What the source loses by training on the target, at the largest size."""
    size = max(matrix.sizes)
    found = {(cell.source, cell.target): cell.forgetting for cell in matrix.cells if cell.size == size}
    if not any(found.values()):
        return
    table = [
        {"source": source, **{target: _lost(found.get((source, target))) for target in matrix.targets}}
        for source in matrix.sources
    ]
    output.table(table, title=f"forgetting: rise of the source's own loss after n = {size} of the target")


def _lost(estimate: Estimate | None) -> str:
    if estimate is None:
        return "·"
    return format_interval(estimate, 3, signed=True)


def _compare(output: Output, spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> None:
    for best, (title, group) in product(list_compared(spec, rows), split_variants(rows, {METHOD})):
        metric = best.metric
        found = compare(group, metric=metric, items=select_items(items, metric))
        output.say(f"\nWhich method? {title}".rstrip())
        output.table([_contestant(one, metric) for one in found.contestants], title=_equal(spec))
        table = [
            {
                "method": named_method(each.one),
                "against": named_method(each.other),
                metric: _signed(each.estimate),
                "clear": "" if not each.clear else "yes, of all pairs" if each.after_holm else "yes",
                "seeds to settle it": "" if each.clear else each.needed_seeds,
            }
            for each in found.differences
        ]
        output.table(table, title=f"differences in {metric}, paired by seed")
        _missing(output, found.runs)
        pairs = [(f"{named_method(each.one)} - {named_method(each.other)}", each.by_item) for each in found.differences]
        show_by_item(output, metric, "methods", pairs)
    output.say("± half of the 95 % interval, by Student's t over the seeds; clear: beyond it, and of all pairs (Holm)")


def _contestant(one: MethodResult, metric: str) -> dict[str, Any]:
    mean = "-" if one.estimate is None else format_interval(one.estimate, 4)
    return {
        "method": named_method(one.name),
        metric: mean,
        "seeds": f"{one.estimate.seeds if one.estimate else 0}" + (f" ({one.missing} missing)" if one.missing else ""),
        "tokens": f"{one.tokens:,.0f}" if one.estimate else None,
        "$": format_usd(round(one.micro_usd)) if one.estimate else None,
    }


def _signed(estimate: Estimate) -> str:
    return format_interval(estimate, 4, signed=True)


def _equal(spec: Spec) -> str:
    """What every method had as much of; a run's own tokens and dollars are with what measuring it took."""
    equal = Equal.model_validate(spec["equal"])
    return f"held equal: {describe_equal(equal)}; tokens and $ of a run, with its evaluations"


def _best(output: Output, spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> None:
    """The best cell of each data set: losses on different holdouts do not compare."""
    best = choose_best(spec)
    metric = best.metric.removeprefix("validation.")
    output.say("")
    for named, group in group_by_cell(rows, without={key for row in rows for key in row.cell} - {"data"}):
        found = best_cell(group, metric=metric, mode=best.mode, items=select_items(items, metric))
        first = next((each for each in summarize_cells(group) if found.best and each.cell == found.best.cell), None)
        said = _best_of(found, first) if first else f"no run has {metric} yet"
        output.say(f"Best on {named['data']}: {said}" if named else f"Best: {said}")
        _missing(output, found.runs)
        show_by_item(output, metric, "less the best", [(_what(each.cell), each.by_item) for each in found.cells])
        _axes(output, found)


def _best_of(found: BestCell, first: CellSummary) -> str:
    """Chosen by the validation set where there is one, and reported on the holdout; and what may be as good."""
    if not (what := _what(first.cell)):
        return f"one cell; {_held_out(first, found.metric)}"
    flatters = "" if found.by != found.metric else " of the holdout itself, which flatters: add `validation`"
    among = format_count(sum(each.chosen_by is not None for each in found.cells), "cell")
    said = f"{what}\n  chosen among {among} by {found.by}{flatters}\n  {_held_out(first, found.metric)}"
    if not found.alike:
        return said
    near = "; ".join(f"{_what(each.cell)} ({_signed(each.behind) if each.behind else 'no seed in common'})"
                     for each in found.alike[:NEAR])  # fmt: skip
    more = f"; and {len(found.alike) - NEAR} more" if len(found.alike) > NEAR else ""
    seeds = f"\n  {found.needed_seeds} seeds would tell the first of these apart" if found.needed_seeds else ""
    return f"{said}\n  not told apart from it, by how much they are worse: {near}{more}{seeds}"


def _what(cell: Mapping[str, Json]) -> str:
    return ", ".join(f"{key}={format_cell(key, value)}" for key, value in cell.items() if key != "data")


def _axes(output: Output, found: BestCell) -> None:
    """What each axis does, where there are several."""
    if len({each.axis for each in found.axes}) > 1:
        table = [
            {
                "axis": each.axis,
                "value": format_number(each.value),
                "mean": "missing" if each.mean is None else f"{each.mean.mean:.4f}",
                "effect": "missing" if each.effect is None else _signed(each.effect),
                "runs": f"{each.blocks}" + (f" ({each.left_out} left out)" if each.left_out else ""),
            }
            for each in found.axes
        ]
        output.table(
            table, title=f"each axis, over runs alike in all others: {found.by}, and its distance from their mean"
        )


def _held_out(cell: CellSummary, metric: str) -> str:
    found = cell.metrics.get(metric)
    if found is None:
        return f"held-out {metric} is not known yet"
    spread = "" if found.variance is None else f" ± {np.sqrt(found.variance):.4f} sd"
    return f"held-out {metric} {found.mean:.4f}{spread} over {format_count(found.count, 'seed')}"


ANSWERS = {"data_scaling": _scaling, "transfer": _transfer, "grid": _best, "compare": _compare}
