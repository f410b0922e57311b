"""What a spec asks of its rows: the metric, the target, the fits; the same for every form of an answer."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from sweeps.effective import Multiplier
from sweeps.intervals import Estimate, critical
from sweeps.results import Moments, RunResult, by_cell
from sweeps.scaling import ScalingFit, fit_scaling
from sweeps.sections import Best, best_by_default
from sweeps.stage import Json
from sweeps.wording import written

Spec = Mapping[str, Json]

MINUS = "−"  # as wide as a plus
UNITS = {"nll": "nats per token", "bits_per_byte": "bits per byte"}
FORMULAS = {
    "pure": "{A:.3g}·n^-{a:.3g}",
    "offset": "{E:.3g} + {A:.3g}·n^-{a:.3g}",
    "shifted": "{E:.3g} + {A:.3g}·(n+{n0:.3g})^-{a:.3g}",
    "bounded": "1 - {E:.3g} - ({e0:.3g}-{E:.3g})·(1+n/{n0:.3g})^-{a:.3g}",
}


def formula(fit: ScalingFit) -> str:
    """The law of a fit, with its numbers; of one without a curve, nothing."""
    return "" if fit.law is None else FORMULAS[fit.law].format(**fit.params)


def unit(metric: str) -> str:
    """A metric with its unit, for an axis."""
    last = metric.rpartition(".")[2]
    return f"{metric} ({UNITS[last]})" if last in UNITS else metric


def named(cell: Mapping[str, Json], *, without: Collection[str] = ()) -> str:
    """A cell in words: rank=16, size=128."""
    return ", ".join(
        f"{key}={'none' if value is None else written(value)}" for key, value in cell.items() if key not in without
    )


def variants(rows: Sequence[RunResult], axes: Collection[str]) -> list[tuple[str, list[RunResult]]]:
    """The rows of each variant of an experiment with these axes, and the variant in words; often there is but one."""
    return [(named(cell), group) for cell, group in by_cell(rows, without=axes)]


def sought(spec: Spec) -> str:
    """The metric that the target is of."""
    wish = spec.get("target")
    return str(wish["metric"]) if isinstance(wish, dict) else "nll"


def target(wish: Json, zero_shot: float | None) -> float | None:
    """The loss to reach: `below` as it stands, or as a share of the untrained base's loss."""
    if not isinstance(wish, dict) or wish.get("below") is None:
        return None
    below = float(str(wish["below"]))
    if wish.get("of") != "zero_shot":
        return below
    return None if zero_shot is None else below * zero_shot


def zero_shot(rows: Sequence[RunResult], metric: str) -> float | None:
    """What the untrained base has."""
    found = [row.metrics[metric] for row in rows if row.cell.get("size") == 0 and metric in row.metrics]
    return found[0] if found else None


def sized(rows: Sequence[RunResult], metric: str) -> list[tuple[float, float, int]]:
    """Size, value and seed of the runs that were trained on anything."""
    return [
        (float(str(row.cell["size"])), row.metrics[metric], row.seed)
        for row in rows
        if row.cell.get("size") and metric in row.metrics
    ]


def scaling_fit(spec: Spec, rows: Sequence[RunResult]) -> ScalingFit:
    """The curve of one data set's runs, and what it says of the target."""
    metric = sought(spec)
    points = sized(rows, metric)
    return fit_scaling(
        [size for size, _, _ in points],
        [value for _, value, _ in points],
        seed=[seed for _, _, seed in points],
        target=target(spec.get("target"), zero_shot(rows, metric)),
    )


def best_by(spec: Spec) -> Best:
    """What the best cell is the best by."""
    wish = spec.get("best")
    return Best.model_validate(wish) if isinstance(wish, dict) else best_by_default(spec)


def estimate_of(moments: Moments) -> Estimate:
    """The mean of a cell's seeds with its own 95 % interval, by Student's t."""
    if moments.variance is None:
        return Estimate(moments.mean, None, moments.count)
    reach = critical(moments.count - 1) * float(np.sqrt(moments.variance / moments.count))
    return Estimate(moments.mean, reach, moments.count)


def with_width(estimate: Estimate, digits: int = 4, *, signed: bool = False) -> str:
    """0.7117 ± 0.0190."""
    mean = (f"{estimate.mean:+.{digits}f}" if signed else f"{estimate.mean:.{digits}f}").replace("-", MINUS)
    return mean if estimate.half_width is None else f"{mean} ± {estimate.half_width:.{digits}f}"


def times(worth: Multiplier) -> str:
    """×2.1, or > ×4 where no more is known."""
    return f"{worth.censored}{' ' if worth.censored else ''}×{worth.value:.2g}"
