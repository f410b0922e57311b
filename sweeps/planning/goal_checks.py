"""Refuse a goal that nothing measures, because the evaluation behind it does not fit the data."""

from collections.abc import Iterator, Sequence

from sweeps.errors import PlanError
from sweeps.evaluation.metric_prefixes import get_base_name, get_prefix, strip_validation
from sweeps.evaluation.registry import find_measure
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.planning.measured_places import MeasuredPlaces
from sweeps.spec.model import SweepFields
from sweeps.stage import LeftOut, Run


def settle_left_out(sweep: SweepFields, runs: Sequence[Run], places: MeasuredPlaces) -> tuple[LeftOut, ...]:
    """List what is not measured. Raises PlanError if an evaluation fits nothing, or a run or a goal needs it."""
    places.refuse_unmeasured(runs)
    left_out = places.list_left_out()
    refuse_unmeasured_goals(sweep, runs, left_out)
    return left_out


def refuse_unmeasured_goals(sweep: SweepFields, runs: Sequence[Run], left_out: Sequence[LeftOut]) -> None:
    """Raise PlanError for a named metric that no run measures; with what is measured instead."""
    if not left_out:
        return
    measures = list(dict.fromkeys(measure for run in runs for measure in run.measures))
    for key, metric in _list_goals(sweep):
        if not {*_list_names(sweep, metric)}.isdisjoint(measures):
            continue
        measure = str(find_measure(metric))
        others = [f"{get_prefix(other)}{get_base_name(metric)}" for other in measures if other.endswith(f".{measure}")]
        reasons = "; ".join(evaluation.describe() for evaluation in left_out)
        advice = f"use {' or '.join(others)}" if others else "name a metric that is measured"
        raise PlanError(f"{key}: expected a metric that is measured, got {metric} ({reasons}); {advice}")


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
