"""Dotted paths of a spec: which ones exist, which types each may have, how to read and set one."""

import types
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

from sweeps.spec.source import Plain


def list_kinds(annotation: Any) -> Iterator[Any]:
    """List the alternatives of an annotation: the parts of a union, without metadata."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from list_kinds(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from list_kinds(part)
    else:
        yield annotation


def list_below(annotation: Any, key: str | int) -> list[Any]:
    """List the annotations under `key`: none if the model has no such key."""
    annotations: list[Any] = []
    for kind in list_kinds(annotation):
        arguments = get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            annotations += [field.annotation for name, field in kind.model_fields.items() if name == key]
        elif isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
            annotations.append(arguments[1])
        elif get_origin(kind) is tuple and isinstance(key, int):
            annotations.append(arguments[0])
    return annotations


def list_annotations(model: type[BaseModel], path: tuple[str | int, ...]) -> list[Any]:
    """List the annotations of what `path` may have."""
    annotations: list[Any] = [model]
    for key in path:
        annotations = [under for annotation in annotations for under in list_below(annotation, key)]
    return [kind for annotation in annotations for kind in list_kinds(annotation)]


def list_keys(model: type[BaseModel], path: tuple[str | int, ...]) -> tuple[str, ...]:
    """List the keys that the model has at `path`."""
    models = [kind for kind in list_annotations(model, path) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return tuple(name for kind in models for name in kind.model_fields)


@lru_cache
def build_reader(model: type[BaseModel], key: str) -> TypeAdapter[Any]:
    """Build the reader of one key of the model."""
    field = model.model_fields[key]
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return TypeAdapter(annotation)


def is_integer(model: type[BaseModel], path: tuple[str | int, ...]) -> bool:
    """Whether `path` takes only integers."""
    annotations = list_annotations(model, path)
    return int in annotations and float not in annotations


def get(document: Any, path: tuple[str, ...]) -> Any:
    """Return the value at `path`, or None."""
    for key in path:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document


def put(document: Mapping[str, Plain], path: tuple[str, ...], value: Plain) -> dict[str, Plain]:
    """Return a copy of the document with `value` at `path`."""
    head, *rest = path
    inner = document.get(head)
    if not rest:
        return {**document, head: value}
    return {**document, head: put(inner if isinstance(inner, Mapping) else {}, tuple(rest), value)}


def drop(document: Mapping[str, Plain], path: tuple[str, ...]) -> dict[str, Plain]:
    """Return a copy of the document without the key at `path`, which has it."""
    head, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != head}
    inner = document[head]
    assert isinstance(inner, Mapping)
    return {**document, head: drop(inner, tuple(rest))}
