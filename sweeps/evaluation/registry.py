"""Every evaluator by its name, and what follows from them all: the metrics, which way is better, what has a law.

To register an evaluator, add the name of the module beside this one that holds its `EVALUATOR`.
"""

from collections.abc import Mapping
from importlib import import_module

from sweeps.errors import DataError
from sweeps.evaluation.evaluator import Better, Evaluator, Metric, Options
from sweeps.evaluation.metric_prefixes import CLASS_F1, find_fact
from sweeps.evaluation.task_completion import TASK_COMPLETION

NAMES = (
    "nll",
    "preference",
    "answers",
    "clustering",
    "reliability",
    "rag",
    "task_completion",
)


def _load(name: str) -> Evaluator:
    evaluator: Evaluator = import_module(f"sweeps.evaluation.{name}").EVALUATOR
    return evaluator


EVALUATORS: Mapping[str, Evaluator] = {name: _load(name) for name in NAMES}
METRICS: Mapping[str, Metric] = {
    metric.name: metric for evaluator in EVALUATORS.values() for metric in evaluator.metrics
}
MEASURED_BY = {metric: name for name in reversed(NAMES) for metric in EVALUATORS[name].metric_names}
LOSSES = tuple(name for name, metric in METRICS.items() if metric.better == "lower")
GAINS = tuple(name for name, metric in METRICS.items() if metric.better == "higher")
FALLING = tuple(name for name in LOSSES if METRICS[name].law)  # metrics that a law of sizes is known of
RISING = {name: METRICS[name].chance for name in GAINS if METRICS[name].law}  # the same, and what guessing scores


def find_evaluator(name: str, options: Options) -> Evaluator:
    """Return the evaluator that measures with these options. Raises KeyError for an unknown name."""
    return EVALUATORS[name].vary(options)


def identify_metric(metric: str) -> tuple[str | None, Metric | None]:
    """Find what measures a metric, and what is known of it, by its full name.

    A full name is `[validation.|source.|DATA.][TEST.][LABEL.]METRIC`: "source.answers" measures "source.accuracy", and
    "new_hospital.rhythm.answers" measures "new_hospital.rhythm.accuracy". No metric belongs to two evaluators. No
    evaluator measures an unknown name, and nothing is known of facts of environments.
    """
    if (place := find_fact(metric)) is not None:
        return f"{metric[:place]}{TASK_COMPLETION.name}", None
    prefix, dot, last = metric.rpartition(".")
    if last.startswith(CLASS_F1):
        return f"{prefix}{dot}{MEASURED_BY['macro_f1']}", Metric(last, "higher")
    return (f"{prefix}{dot}{MEASURED_BY[last]}" if last in MEASURED_BY else None), METRICS.get(last)


def find_metric(metric: str) -> Metric | None:
    """Find a metric by its full name ("rhythm.accuracy"); None for facts of environments and unknown names."""
    return identify_metric(metric)[1]


def has_law(metric: str) -> bool:
    """Say whether a law of sizes is known of a metric, by its full name."""
    return (known := find_metric(metric)) is not None and known.law


def is_rising(metric: str) -> bool:
    """Say whether a metric, by its full name, has a law of sizes and rises as the model gets better."""
    return (known := find_metric(metric)) is not None and known.law and known.better == "higher"


def choose_direction(metric: str, better: Better | None = None) -> Better:
    """Say which way a metric is better: as it is known, or else as `better` says. Raises DataError where neither does.

    Facts of environments, metrics of your own, and metrics that are neither good nor bad have no known direction.
    """
    known = find_metric(metric)
    direction = known.better if known else None
    if better is None and direction is None:
        raise DataError(f"{metric}: which way it is better is not known; say better='lower' or better='higher'")
    if better is not None and direction is not None and better != direction:
        raise DataError(f"{metric}: expected better={direction!r}, got {better!r}")
    return better or direction or "lower"


def find_measure(metric: str) -> str | None:
    """Name the measure of a metric: "source.answers" of "source.accuracy". None if no evaluator measures it."""
    return identify_metric(metric)[0]
