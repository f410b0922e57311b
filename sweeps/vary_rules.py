"""The rules of `vary`, and of `zip`, `exclude` and `when` that shape it."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sweeps import axes
from sweeps.axes import Spread
from sweeps.fields import Finding, Findings, shown
from sweeps.paths import at, is_integer, keys, put, section
from sweeps.sections import nearest
from sweeps.sentences import findings

if TYPE_CHECKING:
    from sweeps.spec import Sweep

VARIED = ("model", "train", "data", "source_size", "methods", "equal")  # what may differ between the cells of one sweep
AXES = ("sizes", "seeds", "sources", "targets")
MOST_TRIED = 1000  # values of one axis that are tried one by one; the plan checks every variant again


def check_vary(sweep: Sweep) -> Iterator[Finding]:
    for path, axis in sweep.vary.items():
        where = _where(sweep, path)
        if where is not None:
            yield ("vary", path), where
            continue
        yield from _values(sweep, path, axis)
        over = [other for other in sweep.vary if path.startswith(f"{other}.")]
        if over:
            yield ("vary", path), f"stands inside {over[0]}, which is varied too; vary one of them"


def _where(sweep: Sweep, path: str) -> str | None:
    """What is wrong with the path of an axis, if anything."""
    parts = tuple(path.split("."))
    root = parts[0]
    if root in AXES:
        return f"{root} is an axis of its own; write the list under `{root}:`"
    if root in type(sweep).model_fields and root not in VARIED:
        return f"{root} is said of the whole sweep and cannot differ between its cells; leave it out of `vary`"
    return _data_path(sweep, parts) if root == "data" else _unknown(type(sweep), parts)


def _data_path(sweep: Sweep, parts: tuple[str, ...]) -> str | None:
    names = list(sweep.data)
    if len(parts) == 1:
        return f"all data sets at once cannot be varied; name a part, as data.{names[0]}.source"
    if parts[1] not in sweep.data:
        return f"no data set {parts[1]!r}; {nearest(parts[1], names)}"
    return _unknown(type(sweep), parts)


def _unknown(model: type[Sweep], parts: tuple[str, ...]) -> str | None:
    """Where the path leaves the model, if it does."""
    for end in range(1, len(parts) + 1):
        if not at(model, parts[:end]):
            known, before = keys(model, parts[: end - 1]), ".".join(parts[: end - 1])
            return (
                f"no such path; {nearest(parts[end - 1], known)}" if known else f"no such path; {before} has no parts"
            )
    return None


def _values(sweep: Sweep, path: str, axis: tuple[Any, ...] | Spread) -> Iterator[Finding]:
    """Each value alone must be one that the path can have."""
    parts, zipped = tuple(path.split(".")), any(path in group for group in sweep.zip)
    if axes.length(axis) > MOST_TRIED and isinstance(axis, Spread):
        return
    found = axes.values(axis, path, integers=is_integer(type(sweep), parts))
    if isinstance(axis, Spread) and axis.rule == "choice" and len(found) > len(axis.choice or ()) and not zipped:
        yield (
            ("vary", path),
            f"count: {axis.count} found for {len(axis.choice or ())} choices; at most as many is right",
        )
    base = sweep.model_dump(include={parts[0]}, exclude_unset=True)
    for index, value in enumerate(found):
        if value in found[:index] and not zipped:
            yield ("vary", path, index), f"{shown(value)} found a second time; each value once is right"
        wrong = _wrong(sweep, parts, put(base, parts, value)[parts[0]])
        if wrong:
            yield ("vary", path, index), wrong


def _wrong(sweep: Sweep, parts: tuple[str, ...], document: Any) -> str | None:
    """What is wrong with the value itself; what it says against other keys is known only in a whole cell."""
    try:
        section(type(sweep), parts[0]).validate_python(document)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            detail["loc"] = (parts[0], *detail["loc"])
            if not isinstance(detail.get("ctx", {}).get("error"), Findings):
                path, text = next(findings(detail, type(sweep)))
                inner = ".".join(map(str, path[len(parts) :] if path[: len(parts)] == parts else path))
                return f"{inner}: {text}" if inner else text
    return None


def check_zip(sweep: Sweep) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, group in enumerate(sweep.zip):
        unknown = [path for path in group if path not in sweep.vary]
        for path in unknown:
            yield ("zip", index), f"{path} found, which is not varied; {nearest(path, list(sweep.vary))}"
        for path in seen.intersection(group):
            yield ("zip", index), f"{path} found in two groups; one is right"
        lengths = {path: axes.length(sweep.vary[path]) for path in group if path in sweep.vary}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{path} has {count}" for path, count in lengths.items())
            yield ("zip", index), f"{said}; axes walked together have equally many values"
        seen.update(group)


def check_exclude(sweep: Sweep) -> Iterator[Finding]:
    """A condition that holds nowhere is a mistake, and would be ignored in silence."""
    known: dict[str, tuple[Any, ...] | Spread] = {**_cell_values(sweep), **sweep.vary}
    for index, condition in enumerate(sweep.exclude):
        for path, value in condition.items():
            there = known.get(path)
            if there is None:
                yield ("exclude", index, path), f"no cell has it; {nearest(path, list(known))}"
            elif isinstance(there, tuple) and value not in there:
                yield ("exclude", index, path), f"{shown(value)} found; one of {shown(there)} is right"
        if not condition:
            yield ("exclude", index), "{} found, which would exclude every cell; name at least one path"


def _cell_values(sweep: Sweep) -> dict[str, tuple[Any, ...] | Spread]:
    """What the experiment itself puts into its cells."""
    names = tuple(sweep.data)
    if sweep.experiment == "transfer":
        return {"source": (None, *sweep.source_names), "target": sweep.target_names, "size": _sizes(sweep)}
    if sweep.experiment == "data_scaling":
        return {"data": names, "size": _sizes(sweep)}
    if sweep.experiment == "compare":
        return {"method": (None, *(sweep.methods or {}))}
    return {"data": names} if len(names) > 1 else {}


def _sizes(sweep: Sweep) -> tuple[Any, ...] | Spread:
    """The sizes and the zero-shot reference; unless they are so many that the plan will refuse them anyway."""
    if sweep.sizes is not None and axes.length(sweep.sizes) > MOST_TRIED:
        return sweep.sizes
    return (0, *sweep.size_values)


def check_when(sweep: Sweep) -> Iterator[Finding]:
    for path, condition in sweep.when.items():
        if path not in sweep.vary:
            yield ("when", path), f"{path} found, which is not varied; {nearest(path, list(sweep.vary))}"
        for other, value in condition.items():
            axis = sweep.vary.get(other)
            if axis is None and not at(type(sweep), tuple(other.split("."))):
                yield ("when", path, other), f"no such path; {nearest(other, list(sweep.vary))}"
            elif isinstance(axis, tuple) and value not in axis:
                yield ("when", path, other), f"{shown(value)} found; one of {shown(axis)} is right"
    try:
        TopologicalSorter({path: set(condition) for path, condition in sweep.when.items()}).prepare()
    except CycleError as error:
        yield ("when",), f"{' and '.join(dict.fromkeys(error.args[1]))} wait for each other; one of them must be free"
