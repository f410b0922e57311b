"""The `evaluate` section of a spec: the name of an evaluator, its options, and a name of the user's around it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.evaluation.evaluator import Evaluator
from sweeps.evaluation.metric_prefixes import RESERVED
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import EVALUATORS, LOSSES, MEASURED_BY, find_evaluator
from sweeps.spec.scalars import NAME, Finding, Findings, SpecModel, refuse_word, show
from sweeps.spec.sections import Best

OWN = "; a name of your own stands around an evaluator, such as {my_name: {answers: {check: exact}}}"


class Evaluation(SpecModel):
    """One measurement of a trained model, with its options. A label is no part of a stage's identity."""

    name: str  # of its evaluator
    options: Mapping[str, Any] = {}
    label: str | None = None  # the user's own name, which stands before its metrics

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator that measures with these options."""
        return find_evaluator(self.name, self.options)

    @property
    def completed(self) -> dict[str, Any]:
        """The options, with a value for each that has a default."""
        return EVALUATORS[self.name].complete(self.options)

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.label or self.name

    @property
    def prefix(self) -> str:
        """What stands before its metrics."""
        return f"{self.label}." if self.label else ""

    @property
    def measure(self) -> str:
        """Its name in the results: "answers", or "rhythm.answers" with a label."""
        return f"{self.prefix}{self.name}"

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are measured with these options, with the label before each."""
        return tuple(f"{self.prefix}{metric}" for metric in self.evaluator.list_metrics(self.options))


def read_evaluation(value: Any) -> Evaluation:
    """Read `nll`, `{nll: {via: sampler}}` or, with a name of the user's, `{loss: nll}`. Raises ValueError."""
    if isinstance(value, Evaluation):
        return value
    label = None
    name, options = _split(value)
    if isinstance(name, str) and name not in EVALUATORS and _is_named(options):
        label = _check_label(name, options)
        name, options = _split(options)
    if not isinstance(name, str) or not isinstance(options, Mapping):
        raise ValueError(f"expected a name or {{name: {{option: value}}}}, got {show(value)}")  # noqa: TRY004  pydantic
    if name not in EVALUATORS and name in MEASURED_BY:
        raise ValueError(f"got {name!r}, a metric of `{MEASURED_BY[name]}`; write {MEASURED_BY[name]}")
    if name not in EVALUATORS:
        raise ValueError(f"{refuse_word(name, tuple(EVALUATORS))}{'' if label or not options else OWN}")
    if errors := list(_find_errors(name, options)):
        raise Findings([((label, *path) if label else path, text) for path, text in errors])
    return Evaluation(name=name, options=dict(options), label=label)


def _split(value: Any) -> tuple[Any, Any]:
    """Split `{name: what it holds}`; a word alone holds nothing."""
    if isinstance(value, Mapping):
        return next(iter(value.items())) if len(value) == 1 else (None, None)
    return (value, {}) if isinstance(value, str) else (None, None)


def _is_named(held: Any) -> bool:
    """Say whether this stands below a name of the user's: an evaluator, or what is meant as one, with its options."""
    if not isinstance(held, Mapping):
        return isinstance(held, str)
    return len(held) == 1 and all(name in EVALUATORS or isinstance(options, Mapping) for name, options in held.items())


def _check_label(label: str, held: Any) -> str:
    """Refuse a name that would make the names of metrics mean two things. Raises ValueError."""
    form = f"such as {{my_{re.sub('[^A-Za-z0-9_-]', '_', label)}: {show(held)}}}"
    if label in RESERVED:
        raise ValueError(f"{label} has a meaning of its own before a metric; use another name, {form}")
    if not re.fullmatch(NAME, label):
        raise ValueError(f"expected a name of letters, digits, _ and -, got {label!r}; use one {form}")
    return label


def name_metric(evaluation: Mapping[str, Any], metric: str) -> str:
    """Name a metric of an evaluation of a stored spec, with the label before it."""
    label = evaluation.get("label")
    return f"{label}.{metric}" if label else metric


def choose_default_best(spec: Mapping[str, Any]) -> Best:
    """Choose what the best cell is the best by if a spec does not say: the first metric of its first evaluation."""
    first = next(iter(spec.get("evaluate") or ()), {"name": NLL.name})
    metric = EVALUATORS.get(first["name"], NLL).metric_names[0]
    return Best(metric=name_metric(first, metric), mode="min" if metric in LOSSES else "max")


def _find_errors(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    known = EVALUATORS[name].options
    for key, value in options.items():
        if key not in known:
            yield (name, key), f"unknown key; {_list_keys(name, tuple(known))}{_advise_label(name, key, options)}"
            continue
        try:
            known[key].check(value)
        except ValueError as error:
            yield (name, key), str(error)
    for key, option in known.items():
        if option.example and key not in options:
            yield (name,), f"missing {key}; write {{{name}: {{{key}: {option.example}}}}}"
    yield from (((name, *path), text) for path, text in find_evaluator(name, options).find_errors(options))


def _advise_label(name: str, key: str, options: Mapping[str, Any]) -> str:
    """Advise on the name of an evaluator around another one, where a name of the user's should stand."""
    if key not in EVALUATORS or len(options) > 1:
        return ""
    return f"; {name} is an evaluator: use a name of your own, such as {{my_{name}: {show(options)}}}"


def _list_keys(name: str, keys: tuple[str, ...]) -> str:
    return f"{name} takes {' and '.join(f'`{key}`' for key in keys)}" if keys else f"{name} has no options"
