"""Conclude how much data is needed: of the first data set, for the target of the sweep, or what more data changes."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

from sweeps.analysis.guessing import find_unbeaten
from sweeps.analysis.item_analysis import ItemsBy, name_stratum, select_items
from sweeps.analysis.run_counts import count_runs
from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.analysis.strata.target_parts import describe_missing, describe_too_small, split_by_target
from sweeps.analysis.targets import Spec, choose_side, find_met_size, find_metric, fit_runs
from sweeps.analysis.told_items import Told, count_told
from sweeps.evaluation.registry import choose_direction, is_rising
from sweeps.experiments.caveats import CAVEATS, Caveat, order_caveats
from sweeps.experiments.conclusion import Claim, Conclusion, say_ahead
from sweeps.experiments.evidence import (
    BestLearner,
    compare_runs,
    conclude_guess,
    find_best_learner,
    is_saturated,
    list_agreement,
    list_item_caveats,
    list_run_caveats,
    list_seed_caveats,
    miss_results,
    orient,
    refuse_direction,
)
from sweeps.experiments.measured_sizes import SizeMean, find_around
from sweeps.formatting import percent
from sweeps.results import RunResult, group_by_cell, keep_measured, read_values
from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit
from sweeps.spec.metric_wishes import is_directed, list_wishes
from sweeps.spec.size_units import SizeUnit, find_unit
from sweeps.stats.intervals import Estimate, find_grain, is_clear
from sweeps.stats.paired_items import Items

OF_FAR_SIZES = {"far_uncertain", "limit_unknown"}  # what limits a curve beyond the measured sizes, and no answer within

REACHED: tuple[Claim, ...] = ("minimum_data", "met_from")


def conclude_scaling(
    spec: Spec, rows: Sequence[RunResult], items: ItemsBy, *, data: str, place: str = "", several: bool = False
) -> Conclusion:
    """Conclude from the runs of one data set by the metric of the target, or else the first that is asked."""
    metric = find_metric(spec)
    runs = size_runs(spec, rows, items, data=data, place=place)
    if runs is None:
        return refuse_direction(metric)
    done = keep_measured(rows)
    conclusion = _weigh(spec, done, runs) if runs.trained else miss_results(metric, count_runs(rows, metric))
    limited = limit_by_runs(conclusion if runs.trained else replace(conclusion, subject=runs.name), runs, rows)
    return replace(limited, caveats=order_caveats({*limited.caveats, "one_of_several"})) if several else limited


def limit_by_runs(claim: Conclusion, runs: "SizedRuns", rows: Sequence[RunResult]) -> Conclusion:
    """Add what the runs of a data set say of any claim about it: which are lost, how many seeds and items there are."""
    codes = list_run_caveats(count_runs(rows, runs.metric)) | _list_size_caveats(runs) | {*claim.caveats}
    return replace(claim, unit=runs.unit, caveats=order_caveats(codes))


def size_runs(
    spec: Spec, rows: Sequence[RunResult], items: ItemsBy, *, data: str, place: str = ""
) -> "SizedRuns | None":
    """Group the runs of one data set by size; None where nothing says which way the metric is better."""
    metric = find_metric(spec)
    mode = next((wish.mode for wish in list_wishes(spec) if wish.metric == metric), None)
    if mode is None and not is_directed(metric):
        return None
    done = keep_measured(rows)
    return SizedRuns(
        f"{data} ({place})" if place else data,
        metric,
        1.0 if (mode == "max" if mode else choose_direction(metric) == "higher") else -1.0,
        {size: runs for size, runs in _group_sizes(done).items() if read_values(runs, metric)},
        [run for run in done if run.cell.get("size") == 0],
        select_items(items, metric),
        find_unit(spec, [data]),
    )


class SizedRuns(NamedTuple):
    """The trained runs of one data set by size, and those of the untrained model."""

    name: str
    metric: str
    sign: float  # -1 where a lower value is better
    trained: Mapping[float, Sequence[RunResult]]
    base: Sequence[RunResult]
    items: Items | None
    unit: SizeUnit

    def values(self, size: float) -> Mapping[int, float]:
        return read_values(self.trained[size], self.metric)

    def list_means(self, target: float | None = None) -> list[SizeMean]:
        """List the mean of each size, from the smallest, and whether it reaches a target."""
        means = []
        for size, group in self.trained.items():
            values = self.values(size)
            scores = read_run_scores(group, self.metric, self.items)
            level = orient(estimate_level(values, self.metric, find_grain(values.values()), scores))
            mean = statistics.fmean(values.values())
            reaches = None if target is None else self.sign * (mean - target) >= 0
            means.append(SizeMean(size, mean, level.low, level.high, reaches))
        return means

    def count_told(self) -> list[Told | None]:
        return [count_told(runs, self.metric, self.items) for runs in self.trained.values()]


def _list_size_caveats(runs: SizedRuns) -> set[Caveat]:
    if not runs.trained:
        return set()
    codes = list_seed_caveats([len(runs.values(size)) for size in runs.trained])
    codes |= list_item_caveats(runs.metric, runs.count_told())
    largest = runs.values(max(runs.trained))
    if is_saturated(Estimate(statistics.fmean(largest.values()), None, len(largest)), runs.metric, runs.sign):
        codes.add("saturated")
    return codes


def _group_sizes(rows: Sequence[RunResult]) -> dict[float, list[RunResult]]:
    """Group the trained runs by size, from the smallest to the largest."""
    groups = {float(str(cell["size"])): runs for cell, runs in group_by_cell(rows) if cell.get("size")}
    return dict(sorted(groups.items()))


def _weigh(spec: Spec, done: Sequence[RunResult], runs: SizedRuns) -> Conclusion:
    """Weigh first whether anything was learnt, then what the law says of the target, then what more data changes."""
    if any(count.is_too_few for count in runs.count_told() if count):
        return Conclusion("too_few_items", runs.metric, runs.name)
    every = [run for group in runs.trained.values() for run in group]
    if find_unbeaten(every, runs.metric, runs.items):
        largest = runs.trained[max(runs.trained)]
        if guessed := conclude_guess(largest, runs.name, runs.metric, runs.items):
            return guessed
    cells = {f"{runs.name} with {runs.unit.write(size)}": group for size, group in runs.trained.items()}
    learner = find_best_learner(runs.base, cells, runs.metric, runs.sign, runs.items)
    fit = fit_runs(spec, done, runs.items)
    if learner is not None and not (spec.get("target") and _has_size(fit, runs)):
        return Conclusion("nothing_learnt", runs.metric, learner.name, "untrained", *learner.effect)
    conclusion = _answer_target(fit, runs) if spec.get("target") else _compare_ends(runs)
    parts = _weigh_parts(spec, fit, runs, conclusion)
    codes, details = {*conclusion.caveats, *_list_fit_caveats(fit), *parts}, {**conclusion.details, **parts}
    if learner is not None:
        codes.add("learning_unclear")
        details["learning_unclear"] = _describe_doubt(learner, len(cells))
    if fit.minimum_data and fit.minimum_data.times is not None:
        details["extrapolated"] = f"×{fit.minimum_data.times:.2g}"
    if fit.holdout_error is not None:
        details["law_misses"] = f"by {percent(fit.holdout_error, 0)}"
    return replace(conclusion, caveats=order_caveats(codes), details=details)


def _weigh_parts(spec: Spec, fit: ScalingFit, runs: SizedRuns, conclusion: Conclusion) -> dict[Caveat, str]:
    """Name the strata that miss a target of its own number, or are too few to tell, at the size that reaches it."""
    wish, least, size = spec.get("target"), fit.minimum_data, conclusion.effect
    is_own = isinstance(wish, Mapping) and wish.get("of") != "zero_shot" and is_rising(runs.metric)
    if not is_own or least is None or size is None or conclusion.claim not in REACHED:
        return {}
    at = min((known for known in runs.trained if known >= size), default=max(runs.trained))
    parts = split_by_target(runs.trained[at], runs.metric, runs.items or {}, least.target)
    column, words = name_stratum(spec, runs.metric) or "stratum", dict[Caveat, str]()
    if parts.missing:
        words["parts_below_target"] = describe_missing(parts, column, runs.unit.write(at))
    if parts.too_small:
        words["parts_too_small"] = describe_too_small(parts, column)
    return words


def _has_size(fit: ScalingFit, runs: SizedRuns) -> bool:
    """Whether the law says which size reaches the target, and the untrained model does not reach it."""
    least, base = fit.minimum_data, read_values(runs.base, runs.metric)
    if least is None or least.status == "refused" or least.point is None:
        return False
    return not base or runs.sign * (statistics.fmean(base.values()) - least.target) < 0


def _describe_doubt(learner: BestLearner, sizes: int) -> str:
    """Say why it is not sure that anything was learnt: the best size against the untrained model."""
    effect = learner.effect
    ahead = say_ahead(Conclusion("nothing_learnt", effect=effect.effect, low=effect.low, high=effect.high))
    but = f", but {sizes} sizes are judged together" if (effect.low or 0.0) > 0 else ""
    return (
        f"no single size is sure to be better than the untrained model: the best, {learner.name}, is {ahead} "
        f"with {learner.seeds} seeds{but}"
    )


def _list_fit_caveats(fit: ScalingFit) -> tuple[Caveat, ...]:
    """List the codes of what a fit warns of, and of why it refuses."""
    texts = (*fit.warnings, fit.refused)
    codes = {read_code(text) for text in texts} & {*CAVEATS}
    least = fit.minimum_data
    if not _reaches_beyond(fit):
        codes -= OF_FAR_SIZES
    if least is not None:
        codes |= {"extrapolated"} if least.status == "extrapolated" else set()
        codes |= {"law_failed"} if least.reason else set()
        codes |= {"may_be_unreachable"} if least.may_be_unreachable and least.status != "unreachable" else set()
    return order_caveats(cast("set[Caveat]", codes))


def _reaches_beyond(fit: ScalingFit) -> bool:
    """Whether the answer, or an end of its interval, lies beyond the measured sizes."""
    least = fit.minimum_data
    if least is None or least.status in ("met", "refused"):
        return False
    return least.status != "interpolated" or least.high is None or least.high > fit.n[-1]


def _answer_target(fit: ScalingFit, runs: SizedRuns) -> Conclusion:
    """Answer how much data the target takes."""
    metric, name, least = runs.metric, runs.name, fit.minimum_data
    if least is None:
        return Conclusion("no_answer", metric, name, "the target")
    goal = f"{metric} {choose_side(metric)} {least.target:.4g}"
    met = find_met_size(fit, metric)
    if least.status == "met" or met is not None:
        return _judge_met(runs, goal, least.target, float(fit.n[0]) if met is None else met)
    if least.status == "refused":
        return Conclusion("no_answer", metric, name, goal)
    if least.status == "unreachable":
        return Conclusion("unreachable", metric, name, goal)
    if least.point is None:
        return Conclusion("beyond_sizes", metric, name, goal, None, least.low, None)
    around = find_around(runs.list_means(least.target))
    return Conclusion("minimum_data", metric, name, goal, least.point, least.low, least.high, around=around)


def _judge_met(runs: SizedRuns, goal: str, target: float, size: float) -> Conclusion:
    """Conclude that the target is met from a size on: whether larger ones say so too, and how sure its mean is."""
    values, details = runs.values(size), dict[Caveat, str]()
    codes: set[Caveat] = {"largest_only"} if size == max(runs.trained) else set()
    scores = read_run_scores(runs.trained[size], runs.metric, runs.items)
    level = orient(estimate_level(values, runs.metric, find_grain(values.values()), scores))
    if level.effect is not None and level.low is not None and level.high is not None:
        if level.low < target < level.high:
            codes.add("target_within_interval")
        value = f"{level.effect:.4f} (95 % interval {level.low:.4f} to {level.high:.4f})"
        details["target_within_interval"] = f"with {runs.unit.write(size)} {runs.metric} is {value}, around the target"
    return Conclusion("met_from", runs.metric, runs.name, goal, size, caveats=order_caveats(codes), details=details)


def _compare_ends(runs: SizedRuns) -> Conclusion:
    """Compare the largest size with the smallest, seed by seed; a single size with the untrained model."""
    metric, name, small, large = runs.metric, runs.name, min(runs.trained), max(runs.trained)
    if small == large:
        return _compare_with_base(runs, large)
    first, last = runs.values(small), runs.values(large)
    sizes = [runs.unit.write(size) for size in (small, large)]
    grain = find_grain([*first.values(), *last.values()])
    difference = compare_runs(runs.trained[large], runs.trained[small], metric, runs.items, grain=grain)
    if difference is None:
        return Conclusion("not_judged", metric, f"{name} with {sizes[1]}", sizes[0])
    effect = orient(difference.estimate, runs.sign)
    seeds = difference.estimate.seeds
    why = list_agreement(difference.estimate)
    if difference.estimate.half_width is None and (seeds < 2 or effect.effect):
        return Conclusion("not_judged", metric, f"{name} with {sizes[1]}", sizes[0], *effect, caveats=why)
    if not is_clear(difference.estimate):
        sides = f"{name} with {sizes[1]}", f"{name} with {sizes[0]}"
        return Conclusion("no_clear_difference", metric, *sides, *effect, caveats=why)
    claim: Claim = "more_data_helps" if runs.sign * difference.estimate.mean > 0 else "more_data_hurts"
    return Conclusion(claim, metric, name, sizes[0], *effect, place=sizes[1])


def _compare_with_base(runs: SizedRuns, size: float) -> Conclusion:
    """Compare the runs of the only size with the untrained model; say what they measure where there is none."""
    metric, trained, values = runs.metric, runs.trained[size], runs.values(size)
    place = f"with {runs.unit.write(size)}"
    grain = find_grain([*values.values(), *read_values(runs.base, metric).values()])
    change = compare_runs(trained, runs.base, metric, runs.items, grain=grain) if runs.base else None
    if change is None:
        mean = Estimate(statistics.fmean(values.values()), None, len(values))
        return Conclusion("measured", metric, runs.name, None, *orient(mean), place=place)
    sides, effect = (f"{runs.name} {place}", "the untrained model"), orient(change.estimate, runs.sign)
    if change.estimate.half_width is None:
        return Conclusion("not_judged", metric, *sides, *effect, caveats=list_agreement(change.estimate))
    if not is_clear(change.estimate):
        return Conclusion("no_clear_difference", metric, *sides, *effect)
    return Conclusion("better" if (effect.effect or 0) > 0 else "worse", metric, *sides, *effect)
