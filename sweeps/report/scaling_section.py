"""How much data: curves with their bands, the target, and the size that reaches it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.targets import (
    MINUS,
    Spec,
    choose_side,
    describe_law_unit,
    describe_met_sizes,
    find_metric,
    fit_runs,
    list_sized,
    name_with_unit,
    read_zero_shot,
    split_variants,
    write_formula,
)
from sweeps.figures.lines import Goal, Line, Plot, draw_lines
from sweeps.report.document import Conclusion, Figure, Paragraph, Part, Section, both, table
from sweeps.results import RunResult
from sweeps.scaling.fit import MinimumData, ScalingFit
from sweeps.spec.metric_names import RISING

DENSE = 60  # points of a drawn curve
NO_NUMBER = {
    "unreachable": "no amount of data reaches it: the fitted curve levels off before",
    "not identified": "not identified: the curve gets there far beyond what was measured, if at all",
}


def scaling(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """A figure for each variant."""
    sentences, sections, kept = list[str](), list[Section](), select_items(items, find_metric(spec))
    for place, (variant, group) in enumerate(split_variants(rows, ("size", "data"))):
        by_data: dict[str, list[RunResult]] = {}
        for row in group:
            by_data.setdefault(str(row.cell.get("data")), []).append(row)
        fits = {name: fit_runs(spec, own, kept) for name, own in by_data.items()}
        where = f" ({variant})" if variant else ""
        sentences += [said(name + where, fit, find_metric(spec)) for name, fit in fits.items()]
        title = f"How much data?{where}"
        sections.append(Section(title, tuple(_parts(f"scaling-{place}", spec, by_data, fits))))
    return Conclusion(tuple(sentences), tuple(sections))


def said(name: str, fit: ScalingFit, metric: str) -> str:
    """The answer for one data set, in a sentence."""
    least = fit.minimum_data
    if least is None or least.status == "refused":
        far = f"{metric} {fit.loss[-1]:.4g} at {fit.n[-1]:,.0f} examples" if least is None and len(fit.n) else ""
        if fit.refused or fit.curve is None:
            known = describe_met_sizes(fit, metric) or far
            return f"{name}: {known}; no law is told: {fit.refused}." if known else f"{name}: no answer: {fit.refused}."
        return f"{name}: {far}; it {'rises' if metric in RISING else 'falls'} as {_formula(fit)}."
    wanted = f"{metric} {choose_side(metric)} {least.target:.4g}"
    if least.status == "met":
        return f"{name}: {wanted} is met already at the smallest size measured, {_examples(least)}."
    if least.point is None:
        return f"{name}: {wanted}: {NO_NUMBER.get(least.status, least.status)}."
    perhaps = "; that no amount reaches it is not excluded" if least.may_be_unreachable else ""
    alone = "" if fit.blocks else "; of one seed, so that the interval is too narrow"
    return f"{name} needs about {_examples(least)} for {wanted}{_beyond(least, fit)}{perhaps}{alone}."


def _examples(least: MinimumData) -> str:
    interval = _interval(least)
    return f"{least.point:,.0f} examples{interval and f' (95 % interval {interval})'}"


def _interval(least: MinimumData) -> str:
    if least.low is None:
        return ""
    return f"from {least.low:,.0f}" if least.high is None else f"{least.low:,.0f} to {least.high:,.0f}"


def _beyond(least: MinimumData, fit: ScalingFit) -> str:
    if least.status != "extrapolated" or least.point is None:
        return ""
    far = f", extrapolated to {least.point / float(fit.n[-1]):.1f} times the largest size measured"
    return far if least.holdout_error is None else f"{far} (hold-out error {least.holdout_error:.2%})"


def _formula(fit: ScalingFit) -> str:
    """L(n) with its numbers, as it is printed."""
    return write_formula(fit).replace("-", MINUS)


def _parts(name: str, spec: Spec, data: Mapping[str, list[RunResult]], fits: Mapping[str, ScalingFit]) -> list[Part]:
    metric = find_metric(spec)
    series = [_line(each, data[each], fit, metric) for each, fit in fits.items()]
    marks = sorted({size for fit in fits.values() for size in fit.n.tolist()})
    found: list[Part] = []
    if any(len(line.points) > 0 for line in series):
        plot = Plot(
            name=name,
            title=f"{metric} by training examples",
            description="; ".join(said(each, fit, metric) for each, fit in fits.items()),
            across="training examples (log scale)",
            up=name_with_unit(metric),
            marks=marks,
        )
        note = (
            "Points are means over the seeds, the lines through them reach from the best to the worst seed; bands are "
            "95 % intervals of the fitted mean. Dashed: beyond what was measured. ◆ is the size that reaches the "
            "target, with its 95 % interval; 0 is the untrained model."
        )
        sides = both(lambda width, suffix: draw_lines(plot, series, width, suffix))
        points = table(
            [row for each in fits for row in _measured(each, data[each], metric)], caption="What was measured"
        )
        found.append(Figure(name, plot.title, **sides, table=points, note=note))
    told = [(each, one) for each, fit in fits.items() for one in (fit, *fit.alternatives)]
    found.append(table([_row(each, one) for each, one in told], caption=f"Fitted curves, {describe_law_unit(metric)}"))
    warned = dict.fromkeys(f"{each}: {line}" for each, one in told for line in one.warnings)
    return [*found, *(Paragraph(line, warning=True) for line in warned)]


def _line(name: str, rows: Sequence[RunResult], fit: ScalingFit, metric: str) -> Line:
    values: dict[float, list[float]] = {}
    for size, value, _ in list_sized(rows, metric):
        if np.isfinite(value):
            values.setdefault(size, []).append(value)
    ranges = [(size, min(each), max(each)) for size, each in sorted(values.items())]
    points = list(zip(fit.n.tolist(), fit.loss.tolist(), strict=True))
    base = read_zero_shot(rows, metric)
    return Line(name, points, ranges, **_curve(fit), at_zero=base, goal=_goal(name, fit, choose_side(metric)))


def _curve(fit: ScalingFit) -> dict[str, Any]:
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


def _goal(name: str, fit: ScalingFit, where: str) -> Goal | None:
    least = fit.minimum_data
    if least is None:
        return None
    told = f"{name} {where} {least.target:.4g}"
    if least.point is None:
        return Goal(least.target, told=f"{told}: {least.status}")
    interval = "" if least.low is None or least.high is None else f" ({least.low:,.0f}–{least.high:,.0f})"
    return Goal(least.target, least.point, least.low, least.high, f"{told}: {least.point:,.0f}{interval}")


def _measured(name: str, rows: Sequence[RunResult], metric: str) -> list[dict[str, Any]]:
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


def _row(name: str, fit: ScalingFit) -> dict[str, Any]:
    if fit.curve is None:
        return {"data": name, "L(n)": f"none: {fit.refused}"}
    row: dict[str, Any] = {
        "data": name,
        "law": fit.law,
        "L(n)": _formula(fit),
        "R²": fit.r2,
        "hold-out": None if fit.holdout_error is None else f"{fit.holdout_error:.2%}",
    }
    if least := fit.minimum_data:
        row |= {"target": least.target, "examples": None if least.point is None else round(least.point)}
        perhaps = ", perhaps never" if least.may_be_unreachable and least.status != "unreachable" else ""
        row |= {"95 % interval": _interval(least) + perhaps, "status": least.status}
    return row | ({"refused": fit.refused} if fit.refused else {})
