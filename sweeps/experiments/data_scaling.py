"""Data scaling: how much data does a domain need? Every size of every data set, a fitted law, and its target."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.targets import (
    Spec,
    choose_side,
    describe_cell,
    describe_goal_source,
    find_metric,
    fit_runs,
    list_sized,
    name_with_unit,
    read_zero_shot,
    split_variants,
)
from sweeps.analysis.told_items import count_told
from sweeps.evaluation.registry import has_law
from sweeps.experiments.conclude_scaling import conclude_scaling
from sweeps.experiments.conclusion import OF_TARGET, Conclusion, find_claim, gather
from sweeps.experiments.evidence import list_measured_first
from sweeps.experiments.kind import Experiment, Fact
from sweeps.figures.charts import LineChart
from sweeps.figures.lines import Goal, Line, Plot
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun, plan_sizes
from sweeps.planning.stage_builder import StageBuilder
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, Table, join_answers, make_table
from sweeps.report.plain_values import simplify
from sweeps.report.scaling_words import (
    WHY_IT_LEADS,
    describe_base,
    describe_told,
    explain_columns,
    explain_fit,
    explain_high_end,
    explain_low_end,
    say_what_would_narrow,
    summarise_fit,
    weigh_largest,
    write_curve,
    write_interval,
)
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import MISSING, TableCell, show_number, show_share
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.minimum_data import MinimumData
from sweeps.spec.metric_wishes import split_spec
from sweeps.spec.model import SweepFields
from sweeps.spec.size_units import EXAMPLES, SizeUnit, find_unit
from sweeps.spec.variation_rules import list_sizes
from sweeps.stats.paired_items import Items

DENSE = 60  # points of a drawn curve
LONG = 40  # rows of a table that is shown at once
LEGEND = (
    "Points are means over the seeds; vertical lines reach from the best seed to the worst. Bands are 95 % intervals "
    "of the mean of runs. Dashed: beyond the measured sizes. ◆ marks the size that reaches the target, with its 95 % "
    "interval. 0 is the untrained model."
)
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
    return [
        {
            **on,
            "metric": metric,
            "unit": find_unit(spec, [str(on.get("data"))]).many,
            **{name: simplify(getattr(law, name)) for name in FACTS},
        }
        for asked in split_spec(spec)
        for metric in [find_metric(asked)]
        for on, group in group_by_cell(rows, without={"size"})
        for fit in [fit_runs(asked, keep_measured(group), select_items(items, metric))]
        for law in (fit, *fit.alternatives)
    ]


def conclude(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude how much data each data set needs, by the first metric."""
    asked = split_spec(spec)
    groups = [(describe_cell(on, without={"data"}), runs) for on, runs in group_by_cell(rows, without={"size"})]
    answers = len(asked) * len(groups)
    return gather(
        [
            conclude_scaling(
                asked[0], group, items, data=str(group[0].cell.get("data")), place=place, several=answers > 1
            )
            for place, group in list_measured_first(groups)
        ],
        answers,
    )


def answer_scaling(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion) -> Answer:
    """Answer for each metric that the file names, or for that of the target, what the conclusion leaves out."""
    questions = split_spec(spec)
    several = len(questions) > 1
    return join_answers(
        _answer_metric(asked, rows, items, f"scaling-{place}" if place else "scaling", conclusion, several=several)
        for place, asked in enumerate(questions)
    )


def _answer_metric(
    asked: Spec, rows: Sequence[RunResult], items: ItemsBy, figure: str, conclusion: Conclusion, *, several: bool
) -> Answer:
    """Say for each data set how much data the target takes, with one figure for each variant."""
    metric = find_metric(asked)
    sentences, sections, kept = list[str](), list[Section](), select_items(items, metric)
    title = f"How much data, by {metric}?" if several else "How much data?"
    for place, (variant, group) in enumerate(split_variants(keep_measured(rows), ("size", "data"))):
        by_data: dict[str, list[RunResult]] = {}
        for row in group:
            by_data.setdefault(str(row.cell.get("data")), []).append(row)
        fits = {name: fit_runs(asked, own, kept) for name, own in by_data.items()}
        where = f" ({variant})" if variant else ""
        units = {name: find_unit(asked, [name]) for name in fits}
        for name, fit in fits.items():
            origin = describe_goal_source(asked, by_data[name])
            claim = find_claim(conclusion, metric, subject=name + where)
            if claim and claim.claim == "nothing_measured":
                continue
            if claim and claim.claim in OF_TARGET:
                words = explain_fit(name + where, fit, origin, units[name])
            else:
                words = summarise_fit(name + where, fit, metric, origin, unit=units[name])
            base = "" if has_law(metric) else describe_base(by_data[name], metric)
            more = weigh_largest(by_data[name], metric, kept), describe_told(by_data[name], metric, kept)
            sentence = " ".join(filter(None, (words, base, *more)))
            sentences += [sentence if words else f"{name}{where}: {sentence}"] if sentence else []
        unit = find_unit(asked, fits)
        measured = [row for name, own in by_data.items() for row in _list_measured(name, own, metric, unit, kept)]
        numbers = make_table(measured, caption=f"Measured {metric}, over the seeds", folded=len(measured) > LONG)
        curves = _draw_curves(_describe_plot(f"{figure}-{place}", metric, fits, unit), metric, by_data, fits, numbers)
        claims = {name: find_claim(conclusion, metric, subject=name + where) for name in fits}
        misses = {name for name, claim in claims.items() if claim and "law_misses" in claim.caveats}
        sections.append(Section(f"{title}{where}", (*curves, *_tabulate_fits(metric, fits, unit, units, misses))))
    return Answer(tuple(sentences), tuple(sections))


def _describe_plot(name: str, metric: str, fits: Fits, unit: SizeUnit) -> Plot:
    return Plot(
        name=name,
        title=f"{metric} by training {unit.many}",
        description="; ".join(summarise_fit(data, fit, metric, unit=unit) for data, fit in fits.items()),
        across=f"training {unit.many} (log scale)",
        up=name_with_unit(metric),
        marks=sorted({size for fit in fits.values() for size in fit.n.tolist()}),
    )


def _draw_curves(
    words: Plot, metric: str, data: Mapping[str, list[RunResult]], fits: Fits, numbers: Table
) -> list[Figure]:
    """Draw the curves of all data sets in one chart; nothing where nothing was trained yet."""
    lines = [_draw_line(name, data[name], fit, metric) for name, fit in fits.items()]
    if not any(len(line.points) > 0 for line in lines):
        return []
    return [Figure(LineChart(words, lines), numbers, LEGEND, in_cells=True)]


def _tabulate_fits(
    metric: str, fits: Fits, unit: SizeUnit, units: Mapping[str, SizeUnit], misses: Collection[str]
) -> list[Part]:
    """Tabulate every law that fits, with what it says of the target, then its warnings, but for known `misses`."""
    every = [(name, law) for name, fit in fits.items() for law in (fit, *fit.alternatives)]
    letters = f"L is the {name_with_unit(metric)}, n the number of training {unit.many}"
    what = "Fitted curves" if any(law.curve for _, law in every) else "Why no curve was fitted"
    laws = make_table([describe_law(*law, unit) for law in every], caption=f"{what}. {letters}")
    warnings = dict.fromkeys(
        f"{name}: {warning}"
        for name, law in every
        for warning in law.warnings
        if not (name in misses and read_code(warning) == "law_misses")
    )
    notes = [Paragraph(explain_columns([law for _, law in every]))] if any(law.curve for _, law in every) else []
    if any(fit.alternatives and fit.refused is None for fit in fits.values()):
        notes.append(Paragraph(WHY_IT_LEADS))
    lows = {name: explain_low_end(fit, units[name]) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}.") for name, words in lows.items() if words]
    highs = {name: explain_high_end(fit, units[name]) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}.") for name, words in highs.items() if words]
    narrower = {name: say_what_would_narrow(fit.minimum_data) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}") for name, words in narrower.items() if words]
    refusals = [f"{name}: no law answers, because {law.refused}" for name, law in every if law.curve and law.refused]
    return [laws, *notes, *(Paragraph(f"{words}.", warning=True) for words in (*dict.fromkeys(refusals), *warnings))]


def _draw_line(name: str, rows: Sequence[RunResult], fit: ScalingFit, metric: str) -> Line:
    values: dict[float, list[float]] = {}
    for size, value, _ in list_sized(rows, metric):
        if np.isfinite(value):
            values.setdefault(size, []).append(value)
    ranges = [(size, min(at_size), max(at_size)) for size, at_size in sorted(values.items())]
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


def _list_measured(
    name: str, rows: Sequence[RunResult], metric: str, unit: SizeUnit, items: Items | None
) -> list[dict[str, Any]]:
    """List what each size has, the untrained model first; behind a mean how many items tell it, where not all do."""
    groups: dict[int, list[RunResult]] = {}
    for row in sorted(rows, key=lambda row: float(str(row.cell.get("size") or 0))):
        if metric in row.metrics:
            groups.setdefault(int(float(str(row.cell.get("size") or 0))), []).append(row)
    measured = {size: [row.metrics[metric] for row in own] for size, own in groups.items()}
    return [
        {
            "data": name,
            unit.many: size,
            "seeds": len(values),
            "mean": _show_mean(float(np.mean(values)), mark_told(count_told(groups[size], metric, items))),
            "lowest": min(values),
            "highest": max(values),
        }
        for size, values in measured.items()
    ]


def _show_mean(mean: float, mark: str) -> float | TableCell:
    return TableCell(f"{show_number(mean).text}{mark}", mean) if mark else mean


def describe_law(name: str, fit: ScalingFit, unit: SizeUnit = EXAMPLES) -> dict[str, Any]:
    """Describe one law: an extrapolation is never shown without its error at the largest sizes."""
    if fit.curve is None:
        return {"data": name, "law": "none", "L(n)": fit.refused}
    row: dict[str, Any] = {
        "data": name,
        "law": fit.law,
        "L(n)": write_curve(fit),
        "R²": fit.r2,
        "error": show_share(fit.holdout_error),
    }
    if least := fit.minimum_data:
        row |= {"target": least.target, f"{unit.many} needed": _show_needed(least)}
        times = "" if least.times is None else f" ×{least.times:.2g}"
        row["status"] = f"{WORDS.get(least.status, least.status)}{times}"
    return row


def _show_needed(least: MinimumData) -> TableCell:
    """Show the size with its interval, which is open where its upper end is out of reach."""
    perhaps = ", may level off first" if least.may_be_unreachable and least.status != "unreachable" else ""
    interval = write_interval(least)
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
    conclude=conclude,
    answer=answer_scaling,
    facts_key="fits",
    list_facts=list_fits,
    list_cell_values=list_values,
    list_deciding=list_deciding,
    competes=False,
)
