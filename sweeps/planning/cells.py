"""Expand `vary` into the variants of a sweep, one after the other and never all at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from graphlib import TopologicalSorter
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sweeps.errors import PlanError
from sweeps.planning.conditions import CellCondition, Exclusions
from sweeps.spec import axes
from sweeps.spec.model import SweepFields
from sweeps.spec.paths import build_reader, get, put
from sweeps.spec.pydantic_errors import describe_detail
from sweeps.spec.rules import check_cell
from sweeps.spec.scalars import show
from sweeps.spec.sections import DataSpec, Equal
from sweeps.spec.train_section import LENGTHS, Method, Train
from sweeps.spec.variation_rules import VARIED, make_values
from sweeps.stage import Json
from sweeps.training.learning_rates import resolve_rate

UNVARIED: Mapping[str, Any] = {"vary": {}, "zip": (), "exclude": (), "when": {}}  # of the sweep of one cell
Chosen = Mapping[str, int]  # for each axis, the place of the value on it


@dataclass(frozen=True, slots=True)
class Variant:
    """The sweep with one choice on every axis of `vary`."""

    cell: Mapping[str, Json]
    model: str
    train: Train  # in a comparison an empty one: each method has its own
    data: Mapping[str, DataSpec]
    source_size: int | None
    methods: Mapping[str, Method]
    equal: Equal | None
    tokenizer: str | None  # the one that the file names for the model
    label: str  # the varied values for people: " rank=4 learning_rate=0.01", or nothing


def count_varied(sweep: SweepFields) -> dict[str, int]:
    """Count the values of each axis without making them; zipped axes count as one."""
    return {" + ".join(group): axes.count_values(sweep.vary[group[0]]) for group in _group_axes(sweep)}


def list_exclusions(sweep: SweepFields) -> Exclusions:
    """Build the conditions of `exclude`, which are checked for every cell."""
    return Exclusions(sweep.exclude, sweep.vary, {path: make_values(sweep, path) for path in sweep.vary})


def expand_variants(sweep: SweepFields, left_out: Exclusions | None = None) -> Iterator[Variant]:
    """Expand every variant that is not excluded, in the order of the axes, the last one fastest.

    Raises PlanError with the cell of a variant that is not a valid sweep, and for a `when` that no cell meets.
    """
    values = {path: make_values(sweep, path) for path in sweep.vary}
    outside, part = left_out or list_exclusions(sweep), _build_sections(sweep, values)
    varied = frozenset(path.split(".")[0] for path in sweep.vary)
    for chosen in _walk(sweep, values):
        cell = {path: values[path][index] for path, index in chosen.items()}
        if outside.hold(cell):
            continue
        try:
            parts = part(chosen)
            variant = _build_variant(cell, parts)
            _refuse_contradiction(sweep, parts, varied)
        except PlanError as error:
            raise PlanError(f"the condition {show(cell)}: {error}") from None
        yield variant


def _build_sections(sweep: SweepFields, values: Mapping[str, tuple[Any, ...]]) -> Callable[[Chosen], dict[str, Any]]:
    """Build a function from a choice to its sections; cells that agree in a section share it."""
    base = sweep.model_dump(exclude_unset=True, include=set(VARIED))
    sections = dict.fromkeys([*base, *(path.split(".")[0] for path in sweep.vary)])
    roots = {root: [path for path in sweep.vary if path.split(".")[0] == root] for root in sections}

    @lru_cache(maxsize=1024)
    def part(root: str, chosen: tuple[tuple[str, int], ...]) -> Any:
        document = base
        for path, index in chosen:
            document = put(document, tuple(path.split(".")), values[path][index])
        try:
            return build_reader(SweepFields, root).validate_python(document.get(root))
        except ValidationError as error:
            raise PlanError(_describe_error(error, root)) from None

    def parts(chosen: Chosen) -> dict[str, Any]:
        return {
            root: part(root, tuple((path, chosen[path]) for path in paths if path in chosen))
            for root, paths in roots.items()
        }

    return parts


def _build_variant(cell: Mapping[str, Json], parts: Mapping[str, Any]) -> Variant:
    return _check_complete(
        Variant(
            cell=cell,
            model=parts["model"],
            train=parts.get("train") or Train(),
            data=parts.get("data") or {},
            source_size=parts.get("source_size"),
            methods=parts.get("methods") or {},
            equal=parts.get("equal"),
            tokenizer=parts.get("tokenizer"),
            label=_label(cell),
        )
    )


def _refuse_contradiction(sweep: SweepFields, parts: Mapping[str, Any], varied: frozenset[str]) -> None:
    """Check the rules between keys in a cell: they hold in every cell, not only in the file without its axes."""
    if varied - {"model"}:
        for path, text in check_cell(sweep.model_copy(update={**parts, **UNVARIED}), varied):
            raise PlanError(f"{'.'.join(map(str, path))}: {text}")


def _label(cell: Mapping[str, Json]) -> str:
    return "".join(f", {path.rpartition('.')[2]}={show(value)}" for path, value in cell.items()).replace("'", "")


def _describe_error(error: ValidationError, root: str) -> str:
    details = [{**detail, "loc": (root, *detail["loc"])} for detail in error.errors(include_url=False)]
    findings = [finding for detail in details for finding in describe_detail(cast(ErrorDetails, detail), SweepFields)]
    return "; ".join(f"{'.'.join(map(str, path))}: {text}" for path, text in findings)


def _check_complete(variant: Variant) -> Variant:
    """Check what a cell of conditional axes may still miss, or have twice; resolve its learning rates."""
    if variant.methods:
        methods = {
            name: resolve_rate(method, variant.model, f"methods.{name}") for name, method in variant.methods.items()
        }
        return replace(variant, methods=cast(Mapping[str, Method], methods))
    given = [key for key in LENGTHS if getattr(variant.train, key) is not None]
    if len(given) != 1:
        lengths = " and ".join(given) or "none"
        raise PlanError(f"expected exactly one of {', '.join(LENGTHS)}, got {lengths}")
    if variant.train.method == "rl" and variant.train.environment is None:
        raise PlanError("missing train.environment; name one, such as offline:tool_use")
    if variant.train.learning_rate is None:
        raise PlanError("missing train.learning_rate; write one for the other conditions")
    return replace(variant, train=resolve_rate(variant.train, variant.model))


def _group_axes(sweep: SweepFields) -> list[tuple[str, ...]]:
    """Group the axes that are walked together; an axis that a condition reads comes before the axes with it."""
    zipped = {path: group for group in sweep.zip for path in group}
    groups = dict.fromkeys(zipped.get(path, (path,)) for path in sweep.vary)
    home = {path: group for group in groups for path in group}
    waits: dict[tuple[str, ...], set[tuple[str, ...]]] = {group: set() for group in groups}
    for path, condition in sweep.when.items():
        waits[home[path]] |= {home[other] for other in condition if other in home and home[other] != home[path]}
    return list(TopologicalSorter(waits).static_order()) if sweep.when else list(groups)


def _walk(sweep: SweepFields, values: Mapping[str, tuple[Any, ...]]) -> Iterator[Chosen]:
    groups, base = _group_axes(sweep), sweep.model_dump(include=set(VARIED))
    conditions = {
        path: CellCondition(f"when.{path}", stated, sweep.vary, values) for path, stated in sweep.when.items()
    }

    def active(group: tuple[str, ...], chosen: Chosen) -> bool:
        return all(conditions[path].holds(partial(value_at, chosen)) for path in group if path in conditions)

    def value_at(chosen: Chosen, path: str) -> Any:
        """Return the value of the cell: from its axis, from the axis of a section around it, or from the file."""
        if path in chosen:
            return values[path][chosen[path]]
        document = base
        for around, index in chosen.items():
            document = put(document, tuple(around.split(".")), values[around][index])
        return get(document, tuple(path.split(".")))

    def walk(depth: int, chosen: Chosen) -> Iterator[Chosen]:
        if depth == len(groups):
            yield chosen
        elif not active(groups[depth], chosen):
            yield from walk(depth + 1, chosen)
        else:
            for index in range(len(values[groups[depth][0]])):
                yield from walk(depth + 1, {**chosen, **dict.fromkeys(groups[depth], index)})

    yield from walk(0, {})
    for path, condition in conditions.items():
        condition.refuse_unmet(f"{path} is never varied")
