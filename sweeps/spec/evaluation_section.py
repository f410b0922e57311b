"""The `evaluate` section of a spec: the name of an evaluator, and its options."""

from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.evaluation.evaluator import Evaluator
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import EVALUATORS, LOSSES, find_evaluator
from sweeps.spec.scalars import Finding, Findings, SpecModel, refuse_word, show
from sweeps.spec.sections import Best


class Evaluation(SpecModel):
    """One measurement of a trained model, with its options."""

    name: str
    options: Mapping[str, Any] = {}

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator that measures with these options."""
        return find_evaluator(self.name, self.options)

    @property
    def completed(self) -> dict[str, Any]:
        """The options, with a value for each that has a default."""
        return EVALUATORS[self.name].complete(self.options)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are measured with these options."""
        return self.evaluator.list_metrics(self.options)


def read_evaluation(value: Any) -> Evaluation:
    """Read `nll`, or `{nll: {via: sampler}}`. Raises ValueError."""
    if isinstance(value, Evaluation):
        return value
    single = isinstance(value, Mapping) and len(value) == 1
    name, options = next(iter(value.items())) if single else (value, {})
    if not isinstance(name, str) or not isinstance(options, Mapping):
        raise ValueError(f"expected a name or {{name: {{option: value}}}}, got {show(value)}")  # noqa: TRY004  pydantic
    if name not in EVALUATORS:
        raise ValueError(refuse_word(name, tuple(EVALUATORS)))
    if found := list(_find_errors(name, options)):
        raise Findings(found)
    return Evaluation(name=name, options=dict(options))


def choose_default_best(spec: Mapping[str, Any]) -> Best:
    """Choose what the best cell is the best by if a spec does not say: the first metric of its first evaluation."""
    first = next(iter(spec.get("evaluate") or ()), {"name": NLL.name})
    metric = EVALUATORS.get(first["name"], NLL).metric_names[0]
    return Best(metric=metric, mode="min" if metric in LOSSES else "max")


def _find_errors(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    known = EVALUATORS[name].options
    for key, value in options.items():
        if key not in known:
            yield (name, key), f"unknown key; {_list_keys(name, tuple(known))}"
            continue
        try:
            known[key].check(value)
        except ValueError as error:
            yield (name, key), str(error)
    for key, option in known.items():
        if option.example and key not in options:
            yield (name,), f"missing {key}; write {{{name}: {{{key}: {option.example}}}}}"
    yield from (((name, *path), text) for path, text in find_evaluator(name, options).find_errors(options))


def _list_keys(name: str, keys: tuple[str, ...]) -> str:
    return f"{name} takes {' and '.join(f'`{key}`' for key in keys)}" if keys else f"{name} has no options"
