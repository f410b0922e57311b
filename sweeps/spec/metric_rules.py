"""Check the metrics that the answer is about: each is measured, none is there twice, and its mode is the right one."""

from collections.abc import Iterator, Sequence

from sweeps.evaluation.metric_prefixes import (
    CLASS_F1,
    FACT_PREFIX,
    find_fact,
    get_base_name,
    get_prefix,
    strip_validation,
)
from sweeps.evaluation.registry import find_metric
from sweeps.evaluation.task_completion import TASK_COMPLETION
from sweeps.spec.measured_metrics import list_measured
from sweeps.spec.metric_wishes import MODES
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, suggest
from sweeps.spec.sections import MetricWish

WAYS = {"min": "falls", "max": "rises"}


def check_wishes(sweep: SweepFields) -> Iterator[Finding]:
    """Require that an evaluation measures each metric, or that an environment can say it."""
    known = list_measured(sweep)
    facts = tuple(
        f"{evaluation.prefix}{FACT_PREFIX}" for evaluation in sweep.evaluate if evaluation.name == TASK_COMPLETION.name
    )
    for place, wish in enumerate(sweep.metrics):
        is_fact = wish.metric.startswith(facts) and wish.metric not in facts
        if wish.metric not in known and not is_fact and not is_class_metric(wish.metric, known):
            advice = suggest(wish.metric, known)
            near = f"; {advice}" if advice.startswith("did you mean") else ""
            fact_names = (
                f", and {' or '.join(f'{prefix}NAME' for prefix in facts)} for what the environment says"
                if facts
                else ""
            )
            listed = f"; the evaluations give {', '.join(known)}{fact_names}"
            yield ("metrics", place), f"got {wish.metric!r}, which no evaluation measures{near}{listed}"
        elif wish.metric in [other.metric for other in sweep.metrics[:place]]:
            yield ("metrics", place), f"expected each metric once, got {wish.metric} twice"
        else:
            yield from ((("metrics", place), text) for text in _check_mode(wish))


def is_class_metric(metric: str, known: Sequence[str]) -> bool:
    """Say whether it is the F1 of a class, which the data names, of an evaluation that measures classes."""
    return get_base_name(metric).startswith(CLASS_F1) and f"{get_prefix(metric)}macro_f1" in known


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
