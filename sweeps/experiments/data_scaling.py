"""Data scaling: how much data does a domain need? Every size of every data set, a fitted law, and its target."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.targets import (
    Spec,
    choose_side,
    describe_goal_source,
    describe_met_sizes,
    find_metric,
    fit_runs,
    list_sized,
    name_with_unit,
    read_zero_shot,
    split_variants,
    write_formula,
    write_law,
)
from sweeps.evaluation.registry import is_rising
from sweeps.experiments.kind import Experiment, Fact
from sweeps.figures.charts import LineChart
from sweeps.figures.lines import Goal, Line, Plot
from sweeps.formatting import percent
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun, plan_sizes
from sweeps.planning.stage_builder import StageBuilder
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, make_table
from sweeps.report.plain_values import simplify
from sweeps.report.table_cells import MINUS, MISSING, TableCell, show_share
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.minimum_data import MinimumData
from sweeps.spec.model import SweepFields
from sweeps.spec.variation_rules import list_sizes

DENSE = 60  # points of a drawn curve
LONG = 40  # rows of a table that is shown at once
LEGEND = (
    "Points are means over the seeds; vertical lines reach from the best seed to the worst. Bands are 95 % intervals "
    "of the mean of runs. Dashed: beyond the measured sizes. ◆ marks the size that reaches the target, with its 95 % "
    "interval. 0 is the untrained model."
)
NARROWED = {  # the parts of an interval in words, and what would make it narrower
    "seeds": ("the scatter of the runs", "more seeds"),
    "items": ("the choice of held-out items", "more held-out items"),
    "misfit": ("the law, which no curve follows exactly", "measuring a larger size"),
}
SMALL = 0.005  # shares of an interval that are not listed
WORDS = {"interpolated": "within the measured sizes"}  # for people; the code of the status is in the JSON
FACTS = ("law", "params", "r2", "holdout_error", "minimum_data", "warnings", "refused")
Fits = Mapping[str, ScalingFit]


def plan_scaling(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan every size of every data set, and the untrained base, size 0, once."""
    for name, spec in variant.data.items():
        yield from plan_sizes(builder, variant, {"data": name}, builder.data.dataset(name, spec))


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"data": tuple(sweep.data), "size": list_sizes(sweep)}


def list_deciding(spec: Spec, _rows: Sequence[RunResult]) -> list[str]:
    """Name the metric of the target: its items widen the interval."""
    return [find_metric(spec)] if spec.get("target") else []


def list_fits(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the law of each data set, and every law that cannot be distinguished from it, with what the target takes."""
    metric = find_metric(spec)
    return [
        {**on, "metric": metric, **{name: simplify(getattr(law, name)) for name in FACTS}}
        for on, group in group_by_cell(rows, without={"size"})
        for fit in [fit_runs(spec, keep_measured(group), select_items(items, metric))]
        for law in (fit, *fit.alternatives)
    ]


def answer_scaling(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Answer:
    """Say for each data set how much data the target takes, with one figure for each variant."""
    metric = find_metric(spec)
    sentences, sections, kept = list[str](), list[Section](), select_items(items, metric)
    for place, (variant, group) in enumerate(split_variants(keep_measured(rows), ("size", "data"))):
        by_data: dict[str, list[RunResult]] = {}
        for row in group:
            by_data.setdefault(str(row.cell.get("data")), []).append(row)
        fits = {name: fit_runs(spec, own, kept) for name, own in by_data.items()}
        where = f" ({variant})" if variant else ""
        goals = {name: describe_goal_source(spec, own) for name, own in by_data.items()}
        sentences += [summarise_fit(name + where, fit, metric, goals[name]) for name, fit in fits.items()]
        parts = [*_draw_curves(f"scaling-{place}", metric, by_data, fits), *_tabulate_fits(metric, fits)]
        sections.append(Section(f"How much data?{where}", tuple(parts)))
    return Answer(tuple(sentences), tuple(sections))


def summarise_fit(name: str, fit: ScalingFit, metric: str, origin: str = "") -> str:
    """Say in one sentence what the fit of one data set answers; `origin` says where a relative target comes from."""
    least = fit.minimum_data
    if least is None or least.status == "refused":
        return _summarise_without_target(name, fit, metric)
    goal = f"{metric} {choose_side(metric)} {least.target:.4g}{origin and f' ({origin})'}"
    if least.status == "met":
        return f"{name}: {goal} is met already at the smallest size measured, {_count_examples(least)}."
    if least.status == "unreachable":
        return f"{name}: no amount of data reaches {goal}; the fitted curve levels off first."
    if least.point is None:
        far = "the curve reaches it only far beyond the measured sizes, if at all"
        return f"{name}: the size for {goal} is {least.status}; {far}."
    perhaps = "; perhaps no amount of data reaches it" if least.may_be_unreachable else ""
    needs = f"{name} needs about {_count_examples(least)} to reach {goal}{_say_how_far(least, fit)}{perhaps}"
    return f"{needs}."


def say_what_would_narrow(least: MinimumData | None) -> str:
    """Name the parts of the interval, the largest first, and what to do about that one. Without an interval: ""."""
    if least is None or least.parts is None or least.low is None:
        return ""
    parts = sorted(least.parts._asdict().items(), key=lambda part: -part[1])
    listed = [(percent(share, 0), NARROWED[name][0]) for name, share in parts if share >= SMALL]
    (share, source), *others = listed
    rest = "".join(f", {part} from {origin}" for part, origin in others)
    remedy = f"{NARROWED[parts[0][0]][1]} would narrow it"
    return f"{share} of the variance behind the interval comes from {source}{rest}; {remedy}."


def _summarise_without_target(name: str, fit: ScalingFit, metric: str) -> str:
    """Say what was measured, and the law or why there is none."""
    measured = ""
    if fit.minimum_data is None and len(fit.n):
        measured = f"{metric} {fit.loss[-1]:.4g} at {fit.n[-1]:,.0f} examples"
    least = fit.minimum_data
    if least is not None and least.reason and fit.trust:
        goal = f"{metric} {choose_side(metric)} {least.target:.4g}"
        far = float(fit.n[-1]) * fit.trust.times
        return f"{name}: no answer for {goal}: {least.reason}; trust the curve up to {far:,.0f} examples."
    if fit.refused or fit.curve is None:
        known = describe_met_sizes(fit, metric) or measured
        return f"{name}: {known}; no law was fitted: {fit.refused}." if known else f"{name}: no answer: {fit.refused}."
    return f"{name}: {measured}; it {'rises' if is_rising(metric) else 'falls'} as {_write_law(fit)}."


def _count_examples(least: MinimumData) -> str:
    interval = _write_interval(least)
    return f"{least.point:,.0f} examples{interval and f' (95 % interval {interval})'}"


def _write_interval(least: MinimumData) -> str:
    if least.low is None:
        return ""
    return f"{least.low:,.0f} or more" if least.high is None else f"{least.low:,.0f} to {least.high:,.0f}"


def _say_how_far(least: MinimumData, fit: ScalingFit) -> str:
    if least.status != "extrapolated" or least.point is None:
        return ""
    far = f", extrapolated to {least.point / float(fit.n[-1]):.1f} times the largest size measured"
    return (
        far
        if least.holdout_error is None
        else f"{far} (error {percent(least.holdout_error, 2)} at the 2 largest sizes, when fitted without them)"
    )


def _write_law(fit: ScalingFit) -> str:
    return write_formula(fit).replace("-", MINUS)


def _draw_curves(name: str, metric: str, data: Mapping[str, list[RunResult]], fits: Fits) -> list[Figure]:
    """Draw the curves of all data sets in one chart; nothing where nothing was trained yet."""
    lines = [_draw_line(each, data[each], fit, metric) for each, fit in fits.items()]
    if not any(len(line.points) > 0 for line in lines):
        return []
    words = Plot(
        name=name,
        title=f"{metric} by training examples",
        description="; ".join(summarise_fit(each, fit, metric) for each, fit in fits.items()),
        across="training examples (log scale)",
        up=name_with_unit(metric),
        marks=sorted({size for fit in fits.values() for size in fit.n.tolist()}),
    )
    measured = [row for each in fits for row in _list_measured(each, data[each], metric)]
    numbers = make_table(measured, caption=f"Measured {metric}, over the seeds", folded=len(measured) > LONG)
    return [Figure(LineChart(words, lines), numbers, LEGEND)]


def _tabulate_fits(metric: str, fits: Fits) -> list[Part]:
    """Tabulate every law that fits, with what it says of the target, then its warnings."""
    every = [(name, law) for name, fit in fits.items() for law in (fit, *fit.alternatives)]
    caption = f"Fitted curves. L is the {name_with_unit(metric)}, n the number of training examples"
    laws = make_table([describe_law(*law) for law in every], caption=caption)
    warnings = dict.fromkeys(f"{name}: {warning}" for name, law in every for warning in law.warnings)
    notes = [Paragraph(_explain_columns([law for _, law in every]))] if any(law.curve for _, law in every) else []
    narrower = {name: say_what_would_narrow(fit.minimum_data) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}") for name, words in narrower.items() if words]
    return [laws, *notes, *(Paragraph(f"{warning}.", warning=True) for warning in warnings)]


def _explain_columns(fits: Sequence[ScalingFit]) -> str:
    """Write the laws of a table with their letters, and say what its error is."""
    laws = dict.fromkeys(fit.law for fit in fits if fit.law is not None)
    formulas = "; ".join(f"{law}: {write_law(law)}" for law in laws).replace("-", MINUS)
    return f"Laws: {formulas}. Error: at the 2 largest sizes, when fitted without them."


def _draw_line(name: str, rows: Sequence[RunResult], fit: ScalingFit, metric: str) -> Line:
    values: dict[float, list[float]] = {}
    for size, value, _ in list_sized(rows, metric):
        if np.isfinite(value):
            values.setdefault(size, []).append(value)
    ranges = [(size, min(each), max(each)) for size, each in sorted(values.items())]
    points = list(zip(fit.n.tolist(), fit.loss.tolist(), strict=True))
    base = read_zero_shot(rows, metric)
    return Line(name, points, ranges, **_draw_fit(fit), at_zero=base, goal=_draw_goal(name, fit, choose_side(metric)))


def _draw_fit(fit: ScalingFit) -> dict[str, Any]:
    if fit.curve is None or len(fit.n) < 2:
        return {}
    least = fit.minimum_data
    farthest = max(float(fit.n[-1]), (least.point or 0) * 1.15 if least else 0)
    n = np.geomspace(float(fit.n[0]), farthest, DENSE)
    n = np.unique(np.append(n, fit.n[-1]))
    value, low, high = fit.predict(n)
    return {
        "curve": list(zip(n.tolist(), value.tolist(), strict=True)),
        "band": list(zip(n.tolist(), low.tolist(), high.tolist(), strict=True)),
        "beyond": float(fit.n[-1]),
    }


def _draw_goal(name: str, fit: ScalingFit, side: str) -> Goal | None:
    least = fit.minimum_data
    if least is None:
        return None
    words = f"{name} {side} {least.target:.4g}"
    if least.point is None:
        return Goal(least.target, told=f"{words}: {least.status}")
    interval = "" if least.low is None or least.high is None else f" ({least.low:,.0f}–{least.high:,.0f})"
    return Goal(least.target, least.point, least.low, least.high, f"{words}: {least.point:,.0f}{interval}")


def _list_measured(name: str, rows: Sequence[RunResult], metric: str) -> list[dict[str, Any]]:
    values: dict[float, list[float]] = {}
    base = read_zero_shot(rows, metric)
    for size, value, _ in ([(0.0, base, 0)] if base is not None else []) + sorted(list_sized(rows, metric)):
        values.setdefault(size, []).append(value)
    return [
        {
            "data": name,
            "examples": int(size),
            "seeds": len(each),
            "mean": float(np.mean(each)),
            "least": min(each),
            "most": max(each),
        }
        for size, each in values.items()
    ]


def describe_law(name: str, fit: ScalingFit) -> dict[str, Any]:
    """Describe one law: an extrapolation is never shown without its error at the largest sizes."""
    if fit.curve is None:
        return {"data": name, "law": "none", "L(n)": fit.refused}
    row: dict[str, Any] = {
        "data": name,
        "law": fit.law,
        "L(n)": _write_law(fit),
        "R²": fit.r2,
        "error": show_share(fit.holdout_error),
    }
    if least := fit.minimum_data:
        row |= {"target": least.target, "examples needed": _show_needed(least)}
        times = "" if least.times is None else f" ×{least.times:.2g}"
        row["status"] = f"{WORDS.get(least.status, least.status)}{times}"
    return row | ({"refused": fit.refused} if fit.refused else {})


def _show_needed(least: MinimumData) -> TableCell:
    """Show the size with its interval, which is open where its upper end is out of reach."""
    perhaps = ", perhaps never" if least.may_be_unreachable and least.status != "unreachable" else ""
    interval = _write_interval(least)
    if least.point is None:
        return TableCell(f"{interval}{perhaps}" if interval else MISSING, least.low)
    return TableCell(f"{least.point:,.0f}" + (f" ({interval}{perhaps})" if interval else perhaps), least.point)


EXPERIMENT = Experiment(
    name="data_scaling",
    title="data scaling",
    question="How much data is needed?",
    needs=("train", "sizes"),
    takes=("train", "sizes", "target"),
    plan_runs=plan_scaling,
    answer=answer_scaling,
    facts_key="fits",
    list_facts=list_fits,
    list_cell_values=list_values,
    list_deciding=list_deciding,
)
