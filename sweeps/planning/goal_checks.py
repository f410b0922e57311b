"""Refuse a goal that nothing measures, because the evaluation behind it does not fit the data."""

from collections.abc import Iterator, Sequence

from sweeps.analysis.targets import find_metric
from sweeps.errors import PlanError
from sweeps.evaluation.metric_prefixes import VALIDATION, get_base_name, strip_validation
from sweeps.evaluation.registry import find_measure
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.planning.measured_places import MeasuredPlaces
from sweeps.spec.evaluation_section import choose_default_best
from sweeps.spec.model import SweepFields
from sweeps.stage import LeftOut, Run


def settle_left_out(sweep: SweepFields, runs: Sequence[Run], places: MeasuredPlaces) -> tuple[LeftOut, ...]:
    """List what is not measured. Raises PlanError if an evaluation fits nothing, or a run or a goal needs it."""
    places.refuse_unmeasured(runs)
    left_out = places.list_left_out()
    _refuse_unmeasured_goals(sweep, runs, places)
    return left_out


def _refuse_unmeasured_goals(sweep: SweepFields, runs: Sequence[Run], places: MeasuredPlaces) -> None:
    """Raise PlanError for a named metric that no run measures, or no data can give; with what is measured instead."""
    left_out = places.list_left_out()
    if not left_out:
        return
    measures = list(dict.fromkeys(measure for run in runs for measure in run.measures))
    for key, metric in _list_goals(sweep):
        is_made = not {*_list_names(sweep, metric)}.isdisjoint(measures)
        if is_made and not _is_undefined(sweep, metric, places):
            continue
        others = [name for name in _list_elsewhere(sweep, measures, metric) if not places.is_undefined(name)]
        reasons = "; ".join(evaluation.describe() for evaluation in left_out)
        advice = f"use {' or '.join(others)}" if others else "name a metric that is measured"
        raise PlanError(f"{key}: expected a metric that is measured, got {metric} ({reasons}); {advice}")


def _is_undefined(sweep: SweepFields, metric: str, places: MeasuredPlaces) -> bool:
    """Say whether no data gives a metric, neither for the answer nor for the choice of the best."""
    data, dot, rest = metric.partition(".")
    if dot and data in sweep.data and find_experiment(sweep.experiment).names_data:
        return places.is_undefined(rest, data)
    chosen = f"{VALIDATION}{metric}"
    is_chosen_by = str(find_measure(chosen)) in places.made and not places.is_undefined(chosen)
    return places.is_undefined(metric) and not is_chosen_by


def choose_default_metrics(sweep: SweepFields, runs: Sequence[Run], left_out: Sequence[LeftOut]) -> tuple[str, ...]:
    """Choose what the answer is about where the file names nothing, and its default is measured on test sets alone."""
    if not left_out or any(_list_goals(sweep)):
        return ()
    spec, kind = sweep.model_dump(mode="json", exclude_defaults=True), find_experiment(sweep.experiment)
    metric = choose_default_best(spec).metric if kind.chooses or kind.list_bests else find_metric(spec)
    measures = list(dict.fromkeys(measure for run in runs for measure in run.measures))
    if not {*_list_names(sweep, metric)}.isdisjoint(measures):
        return ()
    return tuple(_list_elsewhere(sweep, measures, metric))


def _list_elsewhere(sweep: SweepFields, measures: Sequence[str], metric: str) -> list[str]:
    """List the same metric on the test sets that have it."""
    measure = str(find_measure(metric))
    tests = {name for section in sweep.data.values() for name in section.tests or ()}
    places = [other.removesuffix(measure) for other in measures if other.endswith(f".{measure}")]
    return [f"{place}{metric}" for place in places if place.rstrip(".").rpartition(".")[2] in tests]


def name_goals(sweep: SweepFields) -> set[str]:
    """Name the metrics that the file names, without what stands before them."""
    return {get_base_name(metric) for _, metric in _list_goals(sweep)}


def _list_goals(sweep: SweepFields) -> Iterator[tuple[str, str]]:
    """List the metrics that the file names, each with its key."""
    if sweep.target is not None:
        yield "target.metric", sweep.target.metric
    if sweep.best is not None:
        yield "best.metric", strip_validation(sweep.best.metric)
    yield from ((f"metrics.{place}", wish.metric) for place, wish in enumerate(sweep.metrics))


def _list_names(sweep: SweepFields, metric: str) -> Iterator[str]:
    """List the measures of a metric: of several data sets in one cell, the name of each may come before it."""
    measure = str(find_measure(metric))
    yield measure
    if find_experiment(sweep.experiment).names_data:
        yield from (f"{name}.{measure}" for name in sweep.data)
