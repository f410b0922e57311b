"""Check the metrics that the answer is about: each is measured, none is there twice, and its mode is the right one."""

from collections.abc import Iterator

from sweeps.evaluation.metric_prefixes import CLASS_F1, FACT_PREFIX, find_fact, get_base_name, strip_validation
from sweeps.evaluation.registry import find_metric
from sweeps.evaluation.task_completion import TASK_COMPLETION
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, suggest
from sweeps.spec.sections import MetricWish

MODES = {"lower": "min", "higher": "max"}
WAYS = {"min": "falls", "max": "rises"}


def list_measured(sweep: SweepFields) -> list[str]:
    """List the metrics that the evaluations of a sweep give on its holdouts."""
    known = [metric for one in sweep.evaluate for metric in one.metrics]
    if find_experiment(sweep.experiment).names_data:
        known += [f"{data}.{metric}" for data in sweep.data for metric in known]
    return list(dict.fromkeys(known))


def check_wishes(sweep: SweepFields) -> Iterator[Finding]:
    """Require that an evaluation measures each metric, or that an environment can say it."""
    known = list_measured(sweep)
    for place, wish in enumerate(sweep.metrics):
        if not _is_measured(sweep, wish.metric, known):
            listed = f"; the evaluations give {', '.join(known)}"
            if any(one.name == TASK_COMPLETION.name for one in sweep.evaluate):
                listed += f", and {FACT_PREFIX}NAME for what the environment says"
            advice = suggest(wish.metric, known)
            found = f"; {advice}" if advice.startswith("did you mean") else ""
            yield ("metrics", place), f"got {wish.metric!r}, which no evaluation measures{found}{listed}"
        elif wish.metric in [other.metric for other in sweep.metrics[:place]]:
            yield ("metrics", place), f"expected each metric once, got {wish.metric} twice"
        else:
            yield from ((("metrics", place), text) for text in _check_mode(wish))


def _is_measured(sweep: SweepFields, metric: str, known: list[str]) -> bool:
    facts = any(one.name == TASK_COMPLETION.name for one in sweep.evaluate)
    is_fact = facts and metric.startswith(FACT_PREFIX) and metric != FACT_PREFIX
    prefix, dot, last = metric.rpartition(".")
    is_class = last.startswith(CLASS_F1) and f"{prefix}{dot}macro_f1" in known
    return metric in known or is_fact or is_class


def _check_mode(wish: MetricWish) -> Iterator[str]:
    metric = None if find_fact(wish.metric) is not None else find_metric(wish.metric)
    if wish.mode and metric and metric.better and wish.mode != (right := MODES[metric.better]):
        name = get_base_name(wish.metric)
        yield f"expected `{right}`, got `{wish.mode}`: {name} {WAYS[right]} as the model gets better"


def check_goals(sweep: SweepFields) -> Iterator[Finding]:
    """Require that `best` and `target` agree with the metrics: the best cell is chosen by the first of them."""
    if not sweep.metrics:
        return
    names = [wish.metric for wish in sweep.metrics]
    if sweep.best is not None and strip_validation(sweep.best.metric) != names[0]:
        got = f"got {sweep.best.metric!r}; the best is chosen by the first of them"
        yield ("best", "metric"), f"expected {names[0]}, the first of `metrics`, {got}"
    elif sweep.best is not None and (mode := sweep.metrics[0].mode) and mode != sweep.best.mode:
        yield ("best", "mode"), f"expected `{mode}` as in `metrics`, got `{sweep.best.mode}`"
    if sweep.target is not None and sweep.target.metric not in names:
        yield ("target", "metric"), f"expected one of `metrics` ({', '.join(names)}), got {sweep.target.metric!r}"


def note_wishes(sweep: SweepFields) -> Iterator[str]:
    """Note the metrics that only an environment can say, and those of which no direction is known."""
    facts = [wish for wish in sweep.metrics if find_fact(wish.metric) is not None]
    if facts:
        names = ", ".join(wish.metric for wish in facts)
        yield f"metrics: {names}: only the environment can say it, so no plan can check the name"
    for wish in sweep.metrics:
        known = find_metric(wish.metric)
        named = wish.mode or (sweep.best is not None and sweep.best.metric == wish.metric)
        if not named and not (known and known.better):
            advice = f"write {{{wish.metric}: min}} or {{{wish.metric}: max}} to rank by it"
            yield f"metrics: {wish.metric}: which way is better is not known; {advice}"
