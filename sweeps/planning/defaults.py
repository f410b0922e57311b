"""List the default of every key that a file leaves open; the plan shows them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

from pydantic import BaseModel

from sweeps.experiments.experiment_registry import find_experiment, map_keys
from sweeps.rendering.renderers import PLAIN
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.model import SweepFields
from sweeps.spec.train_section import OF_METHOD, Method, Train
from sweeps.stage import Json

Default = tuple[str, Json]


def list_defaults(
    sweep: SweepFields,
    renderers: Collection[str] = (),
    contexts: Mapping[str, str | None] = MappingProxyType({}),
    metrics: Sequence[str] = (),
) -> tuple[Default, ...]:
    """List the defaults in the order of the model; then those that depend on the data: `renderers` of the stages,
    `contexts` that the model reads with the questions of a data set, and `metrics` that the answer is about."""
    renderer = ", ".join(sorted(set(renderers))) or PLAIN
    read = (
        (f"data.{name}.context", context)
        for name, context in contexts.items()
        if context and sweep.data[name].context is None and f"data.{name}.context" not in sweep.vary
    )
    return (
        *_list_taken_of_sweep(sweep),
        *_list_resolved(sweep),
        *read,
        *(() if sweep.renderer else (("renderer", renderer),)),
        *((("metrics", [*metrics]),) if metrics else ()),
    )


def list_restated(sweep: SweepFields) -> tuple[Default, ...]:
    """List the keys that a file has and that are at their default: the stored spec leaves them out."""
    return tuple(_list_taken_of_sweep(sweep, written=True))


def _list_taken_of_sweep(sweep: SweepFields, *, written: bool = False) -> Iterator[Default]:
    keys = map_keys()
    for path, value in _list_taken(sweep, "", written=written):
        kinds = keys.get(path.split(".")[0])
        if path not in sweep.vary and (kinds is None or sweep.experiment in kinds):
            yield path, value


def _list_taken(model: BaseModel, above: str, *, written: bool) -> Iterator[Default]:
    """List the fields at their default that the file leaves out, or those it has, here and in the sections below."""
    for name, field in type(model).model_fields.items():
        value, path = getattr(model, name), f"{above}{name}"
        if isinstance(value, BaseModel) and not _is_unused(model, name):
            yield from _list_taken(value, f"{path}.", written=written)
        elif isinstance(value, dict) and all(isinstance(part, BaseModel) for part in value.values()):
            for key, part in value.items():
                yield from _list_taken(part, f"{path}.{key}.", written=written)
        elif value in (None, (), {}) or _is_unused(model, name) or (name in model.model_fields_set) != written:
            continue
        elif not written or value == field.get_default(call_default_factory=True):
            yield path, _plain(value)


def _is_unused(model: BaseModel, name: str) -> bool:
    """Say whether a field has no effect: the parts of a chain have their own, and rl has no batches."""
    chained = isinstance(model, Method) and model.then is not None
    return chained or (name == "batch_size" and isinstance(model, Train) and model.method == "rl")


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return [part.title if isinstance(part, Evaluation) else _plain(part) for part in value]
    assert value is None or isinstance(value, bool | int | float | str)
    return value


def _list_resolved(sweep: SweepFields) -> Iterator[Default]:
    """List the defaults that follow from the rest of the file."""
    yield from find_experiment(sweep.experiment).list_defaults(sweep)
    if sweep.budget is None:
        yield "budget", "none: no limit"
    if sweep.limits.slots is None:
        yield "limits.slots", "none: as many clients as the service allows"
    for evaluation in sweep.evaluate:
        yield from _list_options(evaluation)
    yield from _list_method_defaults(sweep)


def _list_options(evaluation: Evaluation) -> Iterator[Default]:
    """List the options that an evaluation leaves open."""
    completed = evaluation.completed
    for key in evaluation.evaluator.options:
        if key in completed and key not in evaluation.options:
            yield f"evaluate.{evaluation.measure}.{key}", completed[key]


def _list_method_defaults(sweep: SweepFields) -> Iterator[Default]:
    """List the defaults of the method of each training."""
    trained = {"train": sweep.train} if sweep.train else {f"methods.{key}": method for key, method in _methods(sweep)}
    for path, train in trained.items():
        for key, value in OF_METHOD[train.method].items():
            if getattr(train, key) is None and f"{path}.{key}" not in sweep.vary and value not in (None, {}):
                yield f"{path}.{key}", value


def _methods(sweep: SweepFields) -> Iterator[tuple[str, Train]]:
    return ((key, method) for key, method in (sweep.methods or {}).items() if method.then is None)
