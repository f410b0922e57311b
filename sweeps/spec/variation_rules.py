"""Check `vary`, and `zip`, `exclude` and `when`, which shape it."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import ValidationError

from sweeps.experiments.experiment_registry import find_experiment
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
MOST_TRIED = 1000  # values of one axis that are checked one by one; the plan checks every variant again
MOST_MADE = 200_000  # values of one axis that are made to check them; with more, the plan refuses the runs


def check_vary(sweep: SweepFields) -> Iterator[Finding]:
    for path, axis in sweep.vary.items():
        where = _check_path(sweep, path)
        if where is not None:
            yield ("vary", path), where
            continue
        yield from _check_values(sweep, path, axis)
        over = [other for other in sweep.vary if path.startswith(f"{other}.")]
        if over:
            yield ("vary", path), f"is inside {over[0]}, which is varied too; vary one of them"


def _check_path(sweep: SweepFields, path: str) -> str | None:
    """Describe what is wrong with the path of an axis, if anything."""
    parts = tuple(path.split("."))
    root = parts[0]
    if root in AXES:
        return f"{root} is an axis already; write the list under `{root}:`"
    if root in type(sweep).model_fields and root not in VARIED:
        return f"{root} belongs to the whole sweep and cannot differ between conditions; leave it out of `vary`"
    return _data_path(sweep, parts) if root == "data" else _check_known(type(sweep), parts)


def _data_path(sweep: SweepFields, parts: tuple[str, ...]) -> str | None:
    names = list(sweep.data)
    if len(parts) == 1:
        return f"expected a part of one data set, such as data.{names[0]}.source, got all data sets"
    if parts[1] not in sweep.data:
        return f"no data set {parts[1]!r}; {suggest(parts[1], names)}"
    return _check_known(type(sweep), parts)


def _check_known(model: type[SweepFields], parts: tuple[str, ...]) -> str | None:
    """Describe where a path does not exist in a spec, if it does not."""
    for end in range(1, len(parts) + 1):
        if not list_annotations(model, parts[:end]):
            known, before = list_keys(model, parts[: end - 1]), ".".join(parts[: end - 1])
            return (
                f"no such path; {suggest(parts[end - 1], known)}" if known else f"no such path; {before} has no parts"
            )
    return None


def _check_values(sweep: SweepFields, path: str, axis: tuple[Any, ...] | Spread) -> Iterator[Finding]:
    """Check each value of an axis alone, and that no value is repeated."""
    parts, zipped = tuple(path.split(".")), any(path in group for group in sweep.zip)
    if axes.count_values(axis) > MOST_MADE:
        return
    values = make_values(sweep, path)
    if not zipped:
        yield from ((("vary", path, *at), text) for at, text in find_repetitions(axis, values))
    base = sweep.model_dump(include={parts[0]}, exclude_unset=True)
    for index, value in enumerate(values[:MOST_TRIED]):
        wrong = _check_value(sweep, parts, put(base, parts, value)[parts[0]])
        if wrong:
            yield ("vary", path, index), wrong


def make_values(sweep: SweepFields, path: str) -> tuple[Any, ...]:
    """Make the values of an axis."""
    return axes.list_values(sweep.vary[path], path, integers=is_integer(type(sweep), tuple(path.split("."))))


def find_repetitions(axis: tuple[Any, ...] | Spread, made: Sequence[Any]) -> Iterator[Finding]:
    """Find repeated values of an axis: in a list, rounded to the same by a rule, or drawn twice."""
    again = axes.find_repeated(made)
    if isinstance(axis, tuple):
        for place in again:
            yield (place,), f"expected each value once, got {show(made[place])} twice"
    elif again:
        differ = len(made) - len(again)
        advice = "use a larger factor" if axis.factor else f"use a count of at most {differ}"
        values = f"{len(made)} of which {differ} differ: {show(list(made))}"
        yield (), f"expected different values, got {values}; {advice} or a list"


def _check_value(sweep: SweepFields, parts: tuple[str, ...], document: Any) -> str | None:
    """Describe what is wrong with the value itself; against other keys it is checked in a whole cell."""
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
            yield ("zip", index), f"got {path}, which is not varied; {suggest(path, list(sweep.vary))}"
        for path in seen.intersection(group):
            yield ("zip", index), f"expected each axis in one group, got {path} in two"
        seen.update(group)
        if len(set(group)) < len(group):
            yield ("zip", index), f"expected each axis once, got {show(list(group))}"
        elif not unknown:
            yield from ((("zip", index), text) for text in _check_zipped(sweep, group))


def _check_zipped(sweep: SweepFields, group: Sequence[str]) -> Iterator[str]:
    """Require that axes walked together have the same length, and make no combination twice."""
    lengths = {path: axes.count_values(sweep.vary[path]) for path in group}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{path} with {count}" for path, count in lengths.items())
        yield f"expected axes with equally many values, got {listed}"
    elif max(lengths.values()) <= MOST_MADE:
        combined = [list(values) for values in zip(*(make_values(sweep, path) for path in group), strict=True)]
        for place in axes.find_repeated(combined):
            yield f"expected each combination once, got {show(combined[place])} twice"


def check_exclude(sweep: SweepFields) -> Iterator[Finding]:
    """Refuse a condition that no cell meets: it is a mistake, and would be ignored silently."""
    known: dict[str, tuple[Any, ...] | Spread] = {
        **find_experiment(sweep.experiment).list_cell_values(sweep),
        **sweep.vary,
    }
    for index, condition in enumerate(sweep.exclude):
        for path, value in condition.items():
            there = known.get(path)
            if there is None:
                yield ("exclude", index, path), f"no condition has it; {suggest(path, list(known))}"
            elif text := _check_condition_value(sweep, path, there, value):
                yield ("exclude", index, path), text
        if not condition:
            yield ("exclude", index), "expected at least one path, got {}, which would exclude every condition"


def _check_condition_value(sweep: SweepFields, path: str, axis: tuple[Any, ...] | Spread, value: Any) -> str | None:
    """Describe what is wrong with a condition on an axis, if it matches no value, or several."""
    if axes.count_values(axis) > MOST_MADE:
        return None
    made = make_values(sweep, path) if path in sweep.vary else axis if isinstance(axis, tuple) else sweep.size_values
    meant = axes.find_meant(axis, made, value)
    if len(meant) > 1:
        return f"got {show(value)}, which may be any of {show(list(meant))}; write all digits"
    return None if meant else f"expected one of {show(list(made))}, got {show(value)}"


def list_sizes(sweep: SweepFields) -> tuple[Any, ...] | Spread:
    """List the sizes and the zero-shot reference, unless there are so many that the plan refuses them anyway."""
    if sweep.sizes is not None and axes.count_values(sweep.sizes) > MOST_MADE:
        return sweep.sizes
    return (0, *sweep.size_values)


def check_when(sweep: SweepFields) -> Iterator[Finding]:
    for path, condition in sweep.when.items():
        if path not in sweep.vary:
            yield ("when", path), f"got {path}, which is not varied; {suggest(path, list(sweep.vary))}"
        for other, value in condition.items():
            if text := _check_condition(sweep, path, other, value):
                yield ("when", path, other), text
    try:
        TopologicalSorter({path: set(condition) for path, condition in sweep.when.items()}).prepare()
    except CycleError as error:
        yield ("when",), f"{' and '.join(dict.fromkeys(error.args[1]))} depend on each other; remove a condition"


def _check_condition(sweep: SweepFields, path: str, other: str, value: Any) -> str | None:
    """Describe what is wrong with one part of a condition: an unknown path, or a value that no cell has."""
    if any(path in group and other in group for group in sweep.zip):
        return f"expected a condition on another axis, got one on an axis that is zipped with {path}"
    if other in sweep.vary:
        return _check_condition_value(sweep, other, sweep.vary[other], value)
    parts = tuple(other.split("."))
    if parts[0] not in VARIED or not list_annotations(type(sweep), parts):
        return f"no such path; {suggest(other, [*sweep.vary, *VARIED])}"
    if any(other.startswith(f"{axis}.") for axis in sweep.vary):
        return None  # the section around it is varied: the plan checks whether any cell meets it
    there = get(sweep.model_dump(include={parts[0]}), parts)
    return (
        None if axes.is_same(there, value) else f"expected {show(there)}, which every condition has, got {show(value)}"
    )
