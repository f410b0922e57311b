"""The answer to the question, for the terminal: fitted curves, the transfer matrix, the best cell."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scheduler.cli.output import Output, shown
from sweeps.draw import Series, draw
from sweeps.errors import SweepsError
from sweeps.results import RunResult, by_cell, cells
from sweeps.scaling import ScalingFit, fit_scaling
from sweeps.stage import Json
from sweeps.transfer import AXES, TransferCell, TransferMatrix, transfer_matrix

Spec = Mapping[str, Json]


def answer(output: Output, spec: Spec, rows: Sequence[RunResult]) -> None:
    """Say what the rows mean for the question that was asked."""
    done = [row for row in rows if row.state == "succeeded"]
    if not done:
        output.say("nothing has been measured yet")
        return
    {"data_scaling": _scaling, "transfer": _transfer, "grid": _best}[str(spec["experiment"])](output, spec, done)


def _scaling(output: Output, spec: Spec, rows: Sequence[RunResult]) -> None:
    for variant, group in by_cell(rows, without=("size", "data")):
        title = ", ".join(f"{key}={value}" for key, value in variant.items())
        fits = {name: _fit(spec, group, name) for name in dict.fromkeys(str(row.cell["data"]) for row in group)}
        output.say(f"\nHow much data? {title}".rstrip())
        output.say(draw([_series(name, fit) for name, fit in fits.items()]))
        output.table([_fit_row(name, fit) for name, fit in fits.items()], title="fitted curves, L in nats per token")
        for name, fit in fits.items():
            for warning in fit.warnings:
                output.say(f"{name}: {warning}")


def _fit(spec: Spec, rows: Sequence[RunResult], name: str) -> ScalingFit:
    own = [row for row in rows if row.cell["data"] == name and "nll" in row.metrics]
    zero = [row.metrics["nll"] for row in own if row.cell["size"] == 0]
    sized = [row for row in own if row.cell["size"] != 0]
    return fit_scaling(
        [float(str(row.cell["size"])) for row in sized],
        [row.metrics["nll"] for row in sized],
        seed=[row.seed for row in sized],
        target=_target(spec.get("target"), zero[0] if zero else None),
    )


def _target(wish: Json, zero_shot: float | None) -> float | None:
    """The loss to reach: `below` as it stands, or as a share of the untrained base's loss."""
    if not isinstance(wish, dict) or wish.get("metric") != "nll" or wish.get("below") is None:
        return None
    below = float(str(wish["below"]))
    if wish.get("of") != "zero_shot":
        return below
    return None if zero_shot is None else below * zero_shot


def _series(name: str, fit: ScalingFit) -> Series:
    return Series(name, fit.n.tolist(), fit.loss.tolist(), fit.predict if fit.curve else None)


FORMULAS = {
    "pure": "{A:.3g}·n^-{a:.3g}",
    "offset": "{E:.3g} + {A:.3g}·n^-{a:.3g}",
    "shifted": "{E:.3g} + {A:.3g}·(n+{n0:.3g})^-{a:.3g}",
}


def _fit_row(name: str, fit: ScalingFit) -> dict[str, Any]:
    if fit.curve is None or fit.law is None:
        return {"data": name, "law": "none", "L(n)": fit.refused}
    row = {
        "data": name,
        "law": fit.law,
        "L(n)": FORMULAS[fit.law].format(**fit.params),
        "R²": fit.r2,
        "hold-out error": None if fit.holdout_error is None else f"{fit.holdout_error:.2%}",
    }
    if least := fit.minimum_data:
        row["target"] = least.target
        row["examples needed"] = _needed(least.point, least.low, least.high)
        row["status"] = least.status
    return row


def _needed(point: float | None, low: float | None, high: float | None) -> str:
    if point is None:
        return "-"
    interval = "" if low is None or high is None else f" ({low:,.0f} to {high:,.0f})"
    return f"{point:,.0f}{interval}"


def _transfer(output: Output, spec: Spec, rows: Sequence[RunResult]) -> None:
    del spec
    for variant, group in by_cell(rows, without=AXES):
        title = ", ".join(f"{key}={value}" for key, value in variant.items())
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
        _forgetting(output, matrix)


def _panel(output: Output, matrix: TransferMatrix, size: int) -> None:
    found = {(cell.source, cell.target): cell for cell in matrix.cells if cell.size == size}
    table = [
        {"source": source, **{target: _gain(found.get((source, target))) for target in matrix.targets}}
        for source in matrix.sources
    ]
    output.table(table, title=f"n = {size} target examples" if size else "n = 0: the source alone, against the base")


def _gain(cell: TransferCell | None) -> str:
    if cell is None:
        return "·"
    if cell.gain is None:
        return "missing"
    width = "" if cell.gain.half_width is None else f" ±{cell.gain.half_width:.3f}"
    mark = {"helps": " ▲", "hurts": " ▼"}.get(cell.verdict, "")
    return f"{cell.gain.mean:+.3f}{width}{mark}{'*' if cell.after_holm else ''}"


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


def _lost(estimate: Any) -> str:
    return "·" if estimate is None else f"{estimate.mean:+.3f}"


def _best(output: Output, spec: Spec, rows: Sequence[RunResult]) -> None:
    wish = spec.get("best")
    best = wish if isinstance(wish, dict) else {"metric": "nll", "mode": "min"}
    metric, sign = str(best["metric"]), -1 if best.get("mode", "min") == "max" else 1
    summaries = cells(rows)
    chosen_on = f"validation.{metric}" if any(f"validation.{metric}" in cell.metrics for cell in summaries) else metric
    judged = [cell for cell in summaries if chosen_on in cell.metrics]
    if not judged:
        output.say(f"no run has {chosen_on} yet")
        return
    first = min(judged, key=lambda cell: sign * cell.metrics[chosen_on].mean)
    said = ", ".join(f"{key} = {shown(value)}" for key, value in first.cell.items())
    held_out = first.metrics.get(metric)
    on = f"best by {chosen_on}" + (" (chosen on it; judge by the holdout)" if chosen_on != metric else "")
    output.say(f"\nBest: {said}")
    spread = "" if held_out is None or held_out.variance is None else f" ± {np.sqrt(held_out.variance):.4f} sd"
    output.say(f"{on}; held-out {metric} {shown(held_out.mean) if held_out else '-'}{spread}")
