"""Draw and tabulate the curves of a scaling experiment: figures, measured values, laws with what they say."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.analysis.targets import choose_side, list_sized, name_with_unit, read_zero_shot
from sweeps.analysis.told_items import count_told
from sweeps.experiments.conclude_control import DataRoles
from sweeps.figures.charts import LineChart
from sweeps.figures.lines import Goal, Line, Plot
from sweeps.report.document import Figure, Paragraph, Part, Table, make_table
from sweeps.report.scaling_words import (
    WHY_IT_LEADS,
    explain_columns,
    explain_high_end,
    explain_low_end,
    say_what_would_narrow,
    summarise_fit,
    write_curve,
    write_interval,
)
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import MISSING, TableCell, show_number, show_share
from sweeps.results import RunResult
from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit
from sweeps.scaling.minimum_data import MinimumData
from sweeps.spec.size_units import EXAMPLES, SizeUnit
from sweeps.stats.paired_items import Items

DENSE = 60  # points of a drawn curve
LEGEND = (
    "Points are means over the seeds; vertical lines reach from the best seed to the worst. Bands are 95 % intervals "
    "of the mean of runs. Dashed: beyond the measured sizes. ◆ marks the size that reaches the target, with its 95 % "
    "interval. 0 is the untrained model."
)
WORDS = {"interpolated": "within the measured sizes"}  # for people; the code of the status is in the JSON
Fits = Mapping[str, ScalingFit]


def describe_plot(name: str, metric: str, fits: Fits, unit: SizeUnit) -> Plot:
    return Plot(
        name=name,
        title=f"{metric} by training {unit.many}",
        description="; ".join(summarise_fit(data, fit, metric, unit=unit) for data, fit in fits.items()),
        across=f"training {unit.many} (log scale)",
        up=name_with_unit(metric),
        marks=sorted({size for fit in fits.values() for size in fit.n.tolist()}),
    )


def draw_curves(
    words: Plot, metric: str, data: Mapping[str, list[RunResult]], fits: Fits, numbers: Table
) -> list[Figure]:
    """Draw the curves of all data sets in one chart; nothing where nothing was trained yet."""
    lines = [_draw_line(name, data[name], fit, metric) for name, fit in fits.items()]
    if not any(len(line.points) > 0 for line in lines):
        return []
    return [Figure(LineChart(words, lines), numbers, LEGEND, in_cells=True)]


def tabulate_fits(
    metric: str,
    fits: Fits,
    unit: SizeUnit,
    *,
    misses: Collection[str],
    roles: DataRoles,
) -> list[Part]:
    """Tabulate every law that fits, with what it says of the target, then its warnings, but for known `misses`."""
    every = [(name, law) for name, fit in fits.items() for law in (fit, *fit.alternatives)]
    letters = f"L is the {name_with_unit(metric)}, n the number of training {unit.many}"
    what = "Fitted curves" if any(law.curve for _, law in every) else "Why no curve was fitted"
    laws = make_table([describe_law(roles.label(name), law, unit) for name, law in every], caption=f"{what}. {letters}")
    warnings = dict.fromkeys(
        f"{name}: {warning}"
        for name, law in every
        for warning in law.warnings
        if name not in roles.controls
        if not (name in misses and read_code(warning) == "law_misses")
    )
    notes = [Paragraph(explain_columns([law for _, law in every]))] if any(law.curve for _, law in every) else []
    if any(fit.alternatives and fit.refused is None for fit in fits.values()):
        notes.append(Paragraph(WHY_IT_LEADS))
    notes += [Paragraph(f"{name}: {note}.") for name, note in roles.notes.items() if name in fits]
    lows = {name: explain_low_end(fit, unit) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}.") for name, words in lows.items() if words]
    highs = {name: explain_high_end(fit, unit) for name, fit in fits.items()}
    notes += [Paragraph(f"{name}: {words}.") for name, words in highs.items() if words]
    narrower = {name: say_what_would_narrow(fit, unit) for name, fit in fits.items()}
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


def list_measured(
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
        is_open = least.status == "interpolated" and (least.high is None or least.high > fit.n[-1])
        beyond = ", the interval reaches beyond" if is_open else ""
        row["status"] = f"{WORDS.get(least.status, least.status)}{times}{beyond}"
    return row


def _show_needed(least: MinimumData) -> TableCell:
    """Show the size with its interval, which is open where its upper end is out of reach."""
    perhaps = ", may level off first" if least.may_be_unreachable and least.status != "unreachable" else ""
    interval = write_interval(least)
    if least.point is None:
        return TableCell(f"{interval}{perhaps}" if interval else MISSING, least.low)
    return TableCell(f"{least.point:,.0f}" + (f" ({interval}{perhaps})" if interval else perhaps), least.point)
