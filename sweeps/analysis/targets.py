"""Read from a spec what its rows are asked: the metric, the target, and the fitted law."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from sweeps.analysis.baselines import UNTRAINED, is_untrained
from sweeps.analysis.guessing import describe_guess
from sweeps.analysis.told_items import FEWEST, count_told
from sweeps.analysis.transfer.data_multiplier import Multiplier
from sweeps.evaluation import registry
from sweeps.evaluation.answers import RANKED
from sweeps.evaluation.metric_prefixes import get_base_name, get_prefix
from sweeps.evaluation.nll import NLL
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.formatting import format_cell
from sweeps.results import RunResult, find_shared_keys, group_by_cell
from sweeps.scaling.coded_text import CodedText, read_code
from sweeps.scaling.fit import ScalingFit, fit_scaling
from sweeps.spec.evaluation_section import choose_default_best, name_metric
from sweeps.spec.metric_wishes import list_directed, list_wishes
from sweeps.spec.sections import Best
from sweeps.spec.size_units import SizeUnit
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, estimate_error, item_key, read_scores

Spec = Mapping[str, Json]

WORD = re.compile(r"\baccuracy\b")
CURVES = 64  # of one sweep, whose fits are kept
FORMULAS = {
    "pure": "{A:.3g}·n^-{a:.3g}",
    "offset": "{E:#.3g} + {A:.3g}·n^-{a:.3g}",
    "shifted": "{E:#.3g} + {A:.3g}·(n+{n0:.3g})^-{a:.3g}",
    "rectified": "{E:.3g} + {A:.3g}/(1+(n/{n0:.3g})^{a:.3g})",
    "bounded": "1 - {E:.3g} - ({e0:.3g}-{E:.3g})·(1+n/{n0:.3g})^-{a:.3g}",
}


def write_formula(fit: ScalingFit) -> str:
    """Write the law of a fit with its numbers; nothing for a fit without a curve."""
    return "" if fit.law is None else FORMULAS[fit.law].format(**fit.params)


def write_law(law: str) -> str:
    """Write a law with its letters: E + A·n^-a."""
    return re.sub(r"\{(\w+):[^}]*\}", r"\1", FORMULAS[law])


def name_with_unit(metric: str) -> str:
    """Name a metric with its unit, for an axis."""
    unit = _find_unit(metric)
    return f"{metric} ({unit})" if unit else metric


def _find_unit(metric: str) -> str:
    known = registry.find_metric(metric)
    return known.unit if known else ""


def describe_cell(cell: Mapping[str, Json], *, without: Collection[str] = ()) -> str:
    """Describe a cell in words: rank=16, size=128."""
    return ", ".join(f"{key}={format_cell(key, value)}" for key, value in cell.items() if key not in without)


def name_cells(cells: Sequence[Mapping[str, Json]]) -> list[str]:
    """Name cells for a figure: whether it is trained, and how it differs from the others, as short as is clear.

    Paths are shortened to their last words if those are unique: a figure has little room for a name.
    """
    same = find_shared_keys(cells)
    names = []
    for cell in cells:
        if "method" in cell:
            first, rest = "untrained" if cell["method"] is None else str(cell["method"]), ["method"]
        elif is_untrained(cell):  # of a grid
            first, rest = "untrained", [UNTRAINED]
        elif cell.get("size") == 0 and cell.get("source") is None:
            first, rest = "untrained", ["size", "source"]
        else:
            first, rest = "", []
        left = {key: value for key, value in cell.items() if key not in (*same, *rest)}
        short = {get_base_name(key): value for key, value in left.items()}
        described = describe_cell(short if len(short) == len(left) else left)
        names.append(", ".join(filter(None, (first, described))) or "all runs")
    return names


def split_variants(rows: Sequence[RunResult], axes: Collection[str]) -> list[tuple[str, list[RunResult]]]:
    """Split rows into the variants of an experiment with these axes, each described in words; often there is one."""
    return [(describe_cell(cell), group) for cell, group in group_by_cell(rows, without=axes)]


def find_metric(spec: Spec) -> str:
    """Find the metric of the target, else the first that the file names; else the loss or the first measured one."""
    wish, asked = spec.get("target"), spec.get("evaluate")
    if isinstance(wish, dict):
        return str(wish["metric"])
    if named := list_wishes(spec):
        return named[0].metric
    evaluations = (
        [options for options in asked if isinstance(options, dict)] if isinstance(asked, list) else [{"name": NLL.name}]
    )
    losses = [name_metric(options, NLL.name) for options in evaluations if options["name"] == NLL.name]
    return losses[0] if losses else choose_default_best(spec).metric


def choose_side(metric: str) -> str:
    """Choose the side of its target on which a metric is good enough."""
    return "≥" if registry.is_rising(metric) else "≤"


def describe_goal_source(spec: Spec, rows: Sequence[RunResult]) -> str:
    """Say of what a relative target is a multiple: 0.9 × the untrained model's 2.0725; or nothing."""
    wish, base = spec.get("target"), read_zero_shot(rows, find_metric(spec))
    if not isinstance(wish, dict) or wish.get("of") != "zero_shot" or base is None:
        return ""
    share = wish.get("below") if wish.get("above") is None else wish["above"]
    return f"{share} × the untrained model's {base:.4f}"


def resolve_target(wish: Json, zero_shot: float | None) -> float | None:
    """Resolve the value to reach: `below` or `above`, or that multiple of what the untrained base has."""
    if not isinstance(wish, dict):
        return None
    goal = wish.get("below") if wish.get("above") is None else wish["above"]
    if goal is None:
        return None
    if wish.get("of") != "zero_shot":
        return float(str(goal))
    return None if zero_shot is None else float(str(goal)) * zero_shot


def read_zero_shot(rows: Sequence[RunResult], metric: str) -> float | None:
    """Read the metric of the untrained base."""
    values = [row.metrics[metric] for row in rows if row.cell.get("size") == 0 and metric in row.metrics]
    return values[0] if values else None


def list_sized(rows: Sequence[RunResult], metric: str) -> list[tuple[float, float, int]]:
    """List size, value and seed of every trained run."""
    return [
        (float(str(row.cell["size"])), row.metrics[metric], row.seed)
        for row in rows
        if row.cell.get("size") and metric in row.metrics
    ]


def fit_runs(spec: Spec, rows: Sequence[RunResult], items: Items | None = None) -> ScalingFit:
    """Fit the runs of one data set and answer the target; with items, the interval holds for other items as well."""
    metric = find_metric(spec)
    points = list_sized(rows, metric)
    n, values = [size for size, _, _ in points], [value for _, value, _ in points]
    if not points:
        nothing = CodedText("unmeasured_runs", f"no size has a value of {metric}")
        return ScalingFit(np.array([]), np.array([]), refused=nothing)
    chance = read_chance(rows, metric)
    if chance is not None and math.isnan(chance):
        kept = "the score of guessing was not kept with these results, and the law needs it"
        unknown = CodedText("chance_unknown", kept)
        return ScalingFit(np.array(n), np.array(values), refused=unknown)
    if reason := _find_no_law(rows, metric, items):
        means = {size: [value for at, value, _ in points if at == size] for size in sorted({*n})}
        return ScalingFit(
            np.array([*means]), np.array([np.mean(at_size) for at_size in means.values()]), refused=reason
        )
    goal, error = resolve_target(spec.get("target"), read_zero_shot(rows, metric)), _errors(spec, rows, items or {})
    fit = fit_once(tuple(points), goal, chance, None if error is None else tuple(error))
    # Rounds give each size the seeds that narrow the answer most, so none is missing.
    warnings = [text for text in fit.warnings if not spec.get("until") or read_code(text) != "missing_seeds"]
    return _name_value(replace(fit, warnings=(*_unasked(spec, fit, goal, items, error), *warnings)), metric)


def _name_value(fit: ScalingFit, metric: str) -> ScalingFit:
    """Name the metric in what a fit says, which knows of accuracies only: another metric may be beside them."""
    if not registry.is_rising(metric):
        return fit

    def name(text: str) -> str:
        return CodedText(read_code(text), WORD.sub(metric, text)) if WORD.search(text) else text

    return replace(
        fit,
        warnings=tuple(map(name, fit.warnings)),
        refused=fit.refused and name(fit.refused),
        alternatives=tuple(_name_value(other, metric) for other in fit.alternatives),
    )


@lru_cache(maxsize=CURVES)
def fit_once(
    points: tuple[tuple[float, float, int], ...],
    target: float | None,
    chance: float | None,
    error: tuple[float, ...] | None,
) -> ScalingFit:
    """Fit size, value and seed of each run; the conclusion, the answer and the facts of a sweep ask for the same."""
    n, values, seeds = ([point[place] for point in points] for place in range(3))
    return fit_scaling(n, values, seed=[int(seed) for seed in seeds], target=target, chance=chance, error=error)


def _find_no_law(rows: Sequence[RunResult], metric: str, items: Items | None) -> str:
    """Say why there can be no law of these scores, whatever their curve; or nothing."""
    trained = [row for row in rows if row.cell.get("size")]
    told_counts = [count_told(runs, metric, items) for _, runs in group_by_cell(trained)]
    if few := [count for count in told_counts if count and count.is_too_few]:
        return f"fewer than {FEWEST} items tell {metric}: {min(few).describe()}"
    if not registry.has_law(metric):
        return CodedText("no_known_law", f"no law of sizes is known for {metric}")
    guess = describe_guess(trained, metric, items)
    return f"no size is clearly better than {guess}" if guess else ""


def _unasked(
    spec: Spec, fit: ScalingFit, goal: float | None, items: Items | None, error: Sequence[float] | None
) -> Iterator[str]:
    """Say which part of the question has no answer."""
    if isinstance(spec.get("target"), dict):
        if goal is None:
            base = "the target is a multiple of the untrained model's metric, which is not measured: there is no answer"
            yield CodedText("no_target", base)
        elif items and error is None and fit.minimum_data and fit.minimum_data.low is not None:
            missing = "the interval holds for these items alone: those of some sizes, or of the base, are missing"
            yield CodedText("these_items_only", missing)


def read_chance(rows: Sequence[RunResult], metric: str) -> float | None:
    """Read what guessing scores: None for a loss, nan for choices whose candidates were not counted."""
    definition = registry.find_metric(metric) if registry.is_rising(metric) else None
    if definition is None:
        return None
    prefix = get_prefix(metric)
    known = [row.metrics[guess] for row in rows if (guess := f"{prefix}{definition.guessed}") in row.metrics]
    if known or not definition.guessed:
        return known[0] if known else definition.chance
    ranked = any(f"{prefix}{name}" in row.metrics for row in rows for name in RANKED)
    return math.nan if ranked else definition.chance


def find_met_size(fit: ScalingFit, metric: str) -> float | None:
    """Find the size from which on every measured value meets the target, where no law answers; None without one."""
    least = fit.minimum_data
    if least is None or least.status != "refused" or not len(fit.loss):
        return None
    has = fit.loss >= least.target if registry.is_rising(metric) else fit.loss <= least.target
    first = int(has.argmax())
    return float(fit.n[first]) if has[first:].all() else None


def describe_met_sizes(fit: ScalingFit, metric: str, unit: SizeUnit) -> str:
    """Say from which size on every measured value meets the target, for use where no law answers; or nothing."""
    least, first = fit.minimum_data, find_met_size(fit, metric)
    if least is None or first is None:
        return ""
    every = "at every size measured, " if first == fit.n[0] else ""
    return f"{metric} {choose_side(metric)} {least.target:.4g} is met {every}from {unit.write(first)} on"


def _errors(spec: Spec, rows: Sequence[RunResult], items: Items) -> list[float] | None:
    """Estimate the error over items of each trained run's metric less the target, as the mean for its size.

    None where a size has no items.
    """
    metric, wish = find_metric(spec), spec.get("target")
    if not isinstance(wish, dict):
        return None
    trained = [row for row in rows if row.cell.get("size") and metric in row.metrics]
    read = {item_key(row.cell, row.seed): row for row in rows}
    scores = {key: read_scores(items[key], metric) for key in read if key in items}
    base = next((scores[key] for key, row in read.items() if row.cell.get("size") == 0 and key in scores), None)
    if (paired := wish.get("of") == "zero_shot") and base is None:
        return None
    share = float(str(wish.get("below") if wish.get("above") is None else wish["above"]))
    by_size: dict[Json, list[float]] = {}
    for row in trained:
        own = scores.get(item_key(row.cell, row.seed))
        error = estimate_error(own, base if paired else None, share) if own else None
        if error is not None:
            by_size.setdefault(row.cell["size"], []).append(error)
    if any(row.cell["size"] not in by_size for row in trained if math.isfinite(row.metrics[metric])):
        return None
    return [float(np.mean(by_size.get(row.cell["size"], math.nan))) for row in trained]


def choose_best(spec: Spec) -> Best:
    """Choose the metric that the best cell is the best by."""
    wish, named = spec.get("best"), list_directed(spec)
    if isinstance(wish, dict):
        return Best.model_validate(wish)
    return named[0] if named else choose_default_best(spec)


def list_compared(spec: Spec, rows: Sequence[RunResult]) -> list[Best]:
    """List the metrics that cells are compared by: those of the file, else as the kind of experiment defines them."""
    if list_wishes(spec):
        return list_directed(spec)
    kind = get_experiment(spec.get("experiment"))
    return kind.list_bests(spec, rows) if kind and kind.list_bests else [choose_best(spec)]


def format_multiplier(worth: Multiplier) -> str:
    """Write a multiple: ×2.1, or > ×4 where only a bound is known."""
    return f"{worth.censored}{' ' if worth.censored else ''}×{worth.value:.2g}"
