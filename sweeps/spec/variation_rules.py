"""The rules of `vary`, and of `zip`, `exclude` and `when` that shape it."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from sweeps.experiments.registry import find_experiment
from sweeps.spec import axes
from sweeps.spec.axes import Spread
from sweeps.spec.model import SweepFields
from sweeps.spec.paths import build_reader, get, is_integer, list_annotations, list_keys, put
from sweeps.spec.pydantic_errors import describe_detail
from sweeps.spec.scalars import Finding, Findings, show, suggest

VARIED = (
    "model",
    "tokenizer",
    "train",
    "data",
    "source_size",
    "methods",
    "equal",
)  # what may differ between the cells of one sweep
AXES = ("sizes", "seeds", "sources", "targets")
MOST_TRIED = 1000  # values of one axis that are tried one by one; the plan checks every variant again
MOST_MADE = 200_000  # values of one axis that are made to look at them: of more, the plan refuses the runs


def check_vary(sweep: SweepFields) -> Iterator[Finding]:
    for path, axis in sweep.vary.items():
        where = _where(sweep, path)
        if where is not None:
            yield ("vary", path), where
            continue
        yield from _values(sweep, path, axis)
        over = [other for other in sweep.vary if path.startswith(f"{other}.")]
        if over:
            yield ("vary", path), f"stands inside {over[0]}, which is varied too; vary one of them"


def _where(sweep: SweepFields, path: str) -> str | None:
    """What is wrong with the path of an axis, if anything."""
    parts = tuple(path.split("."))
    root = parts[0]
    if root in AXES:
        return f"{root} is an axis of its own; write the list under `{root}:`"
    if root in type(sweep).model_fields and root not in VARIED:
        return f"{root} is said of the whole sweep and cannot differ between its cells; leave it out of `vary`"
    return _data_path(sweep, parts) if root == "data" else _unknown(type(sweep), parts)


def _data_path(sweep: SweepFields, parts: tuple[str, ...]) -> str | None:
    names = list(sweep.data)
    if len(parts) == 1:
        return f"all data sets at once cannot be varied; name a part, as data.{names[0]}.source"
    if parts[1] not in sweep.data:
        return f"no data set {parts[1]!r}; {suggest(parts[1], names)}"
    return _unknown(type(sweep), parts)


def _unknown(model: type[SweepFields], parts: tuple[str, ...]) -> str | None:
    """Where the path leaves the model, if it does."""
    for end in range(1, len(parts) + 1):
        if not list_annotations(model, parts[:end]):
            known, before = list_keys(model, parts[: end - 1]), ".".join(parts[: end - 1])
            return (
                f"no such path; {suggest(parts[end - 1], known)}" if known else f"no such path; {before} has no parts"
            )
    return None


def _values(sweep: SweepFields, path: str, axis: tuple[Any, ...] | Spread) -> Iterator[Finding]:
    """Each value alone must be one that the path can have, and no other one."""
    parts, zipped = tuple(path.split(".")), any(path in group for group in sweep.zip)
    if axes.count_values(axis) > MOST_MADE:
        return
    found = _made(sweep, path)
    if not zipped:
        yield from ((("vary", path, *at), text) for at, text in repetitions(axis, found))
    base = sweep.model_dump(include={parts[0]}, exclude_unset=True)
    for index, value in enumerate(found[:MOST_TRIED]):
        wrong = _wrong(sweep, parts, put(base, parts, value)[parts[0]])
        if wrong:
            yield ("vary", path, index), wrong


def _made(sweep: SweepFields, path: str) -> tuple[Any, ...]:
    return axes.list_values(sweep.vary[path], path, integers=is_integer(type(sweep), tuple(path.split("."))))


def repetitions(axis: tuple[Any, ...] | Spread, made: Sequence[Any]) -> Iterator[Finding]:
    """What stands on an axis more than once: what a list repeats, what a rule rounds to the same or draws again."""
    again = axes.find_repeated(made)
    if isinstance(axis, tuple):
        for place in again:
            yield (place,), f"{show(made[place])} found a second time; each value once is right"
    elif again:
        differ = len(made) - len(again)
        right = "a larger factor" if axis.factor else f"a count of at most {differ}"
        yield (), f"{len(made)} values, of which {differ} differ: {show(list(made))}; {right}, or a list, is right"


def _wrong(sweep: SweepFields, parts: tuple[str, ...], document: Any) -> str | None:
    """What is wrong with the value itself; what it says against other keys is known only in a whole cell."""
    try:
        build_reader(type(sweep), parts[0]).validate_python(document)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            detail["loc"] = (parts[0], *detail["loc"])
            if not isinstance(detail.get("ctx", {}).get("error"), Findings):
                path, text = next(describe_detail(detail, type(sweep)))
                inner = ".".join(map(str, path[len(parts) :] if path[: len(parts)] == parts else path))
                return f"{inner}: {text}" if inner else text
    return None


def check_zip(sweep: SweepFields) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, group in enumerate(sweep.zip):
        unknown = [path for path in group if path not in sweep.vary]
        for path in unknown:
            yield ("zip", index), f"{path} found, which is not varied; {suggest(path, list(sweep.vary))}"
        for path in seen.intersection(group):
            yield ("zip", index), f"{path} found in two groups; one is right"
        seen.update(group)
        if len(set(group)) < len(group):
            yield ("zip", index), f"{show(list(group))} found; each axis once is right"
        elif not unknown:
            yield from ((("zip", index), text) for text in _together(sweep, group))


def _together(sweep: SweepFields, group: Sequence[str]) -> Iterator[str]:
    """Axes that are walked together are equally long, and make no combination twice."""
    lengths = {path: axes.count_values(sweep.vary[path]) for path in group}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{path} has {count}" for path, count in lengths.items())
        yield f"{said}; axes walked together have equally many values"
    elif max(lengths.values()) <= MOST_MADE:
        combined = [list(each) for each in zip(*(_made(sweep, path) for path in group), strict=True)]
        for place in axes.find_repeated(combined):
            yield f"{show(combined[place])} found a second time; each combination once is right"


def check_exclude(sweep: SweepFields) -> Iterator[Finding]:
    """A condition that holds nowhere is a mistake, and would be ignored in silence."""
    known: dict[str, tuple[Any, ...] | Spread] = {
        **find_experiment(sweep.experiment).list_cell_values(sweep),
        **sweep.vary,
    }
    for index, condition in enumerate(sweep.exclude):
        for path, value in condition.items():
            there = known.get(path)
            if there is None:
                yield ("exclude", index, path), f"no cell has it; {suggest(path, list(known))}"
            elif text := _unmet(sweep, path, there, value):
                yield ("exclude", index, path), text
        if not condition:
            yield ("exclude", index), "{} found, which would exclude every cell; name at least one path"


def _unmet(sweep: SweepFields, path: str, axis: tuple[Any, ...] | Spread, value: Any) -> str | None:
    """What is wrong with a condition on an axis, if it means none of its values, or no certain one."""
    if axes.count_values(axis) > MOST_MADE:
        return None
    made = _made(sweep, path) if path in sweep.vary else axis if isinstance(axis, tuple) else sweep.size_values
    meant = axes.find_meant(axis, made, value)
    if len(meant) > 1:
        return f"{show(value)} found, which may be any of {show(list(meant))}; all their digits are right"
    return None if meant else f"{show(value)} found; one of {show(list(made))} is right"


def list_sizes(sweep: SweepFields) -> tuple[Any, ...] | Spread:
    """The sizes and the zero-shot reference; unless they are so many that the plan will refuse them anyway."""
    if sweep.sizes is not None and axes.count_values(sweep.sizes) > MOST_MADE:
        return sweep.sizes
    return (0, *sweep.size_values)


def check_when(sweep: SweepFields) -> Iterator[Finding]:
    for path, condition in sweep.when.items():
        if path not in sweep.vary:
            yield ("when", path), f"{path} found, which is not varied; {suggest(path, list(sweep.vary))}"
        for other, value in condition.items():
            if text := _condition(sweep, path, other, value):
                yield ("when", path, other), text
    try:
        TopologicalSorter({path: set(condition) for path, condition in sweep.when.items()}).prepare()
    except CycleError as error:
        yield ("when",), f"{' and '.join(dict.fromkeys(error.args[1]))} wait for each other; one of them must be free"


def _condition(sweep: SweepFields, path: str, other: str, value: Any) -> str | None:
    """What is wrong with one part of a condition: there is no such thing, or it is never so."""
    if any(path in group and other in group for group in sweep.zip):
        return f"found, with which {path} walks together; a condition on another axis is right"
    if other in sweep.vary:
        return _unmet(sweep, other, sweep.vary[other], value)
    parts = tuple(other.split("."))
    if parts[0] not in VARIED or not list_annotations(type(sweep), parts):
        return f"no such path; {suggest(other, [*sweep.vary, *VARIED])}"
    if any(other.startswith(f"{axis}.") for axis in sweep.vary):
        return None  # what stands around it is varied: whether any cell meets it is for the plan to say
    there = get(sweep.model_dump(include={parts[0]}), parts)
    return None if axes.is_same(there, value) else f"{show(value)} found, and it is {show(there)} in every cell"
