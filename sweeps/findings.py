"""What is wrong with a file, told to people: file, line, path, what was found, what would be right."""

import re
from collections.abc import Iterator, Mapping, Sized
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sweeps.fields import Finding, Findings, shown
from sweeps.paths import keys, section
from sweeps.recipe import Train
from sweeps.rules import check
from sweeps.sections import nearest
from sweeps.source import Path, Source

if TYPE_CHECKING:
    from sweeps.spec import Sweep

SENTENCES: Mapping[str, str] = {
    "dict_type": "`key: value` lines are right",
    "model_type": "`key: value` lines are right",
    "mapping_type": "`key: value` lines are right",
    "tuple_type": "a list is right",
    "string_type": "text is right",
    "bool_type": "true or false is right",
    "none_required": "leave the key out",
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}
MOMENT = "a moment with its offset, as 2026-12-01T08:00:00+01:00, is right"


def explain(error: ValidationError, source: Source, model: type[BaseModel]) -> list[str]:
    """Every finding, in the order of the file."""
    details = [detail for detail in error.errors(include_url=False) if not _echo(detail)]
    found = [finding for detail in details for finding in _finding(detail, model)]
    found += _further(found, source, model)
    lines = [f"{source.place(path)}: {_dotted(path)}{text}" for path, text in dict.fromkeys(found)]
    return sorted(lines, key=_position)


def _echo(detail: ErrorDetails) -> bool:
    """A list counted as too short only because some of its parts are wrong, which is told already."""
    least = detail.get("ctx", {}).get("min_length")
    return detail["type"] == "too_short" and isinstance(detail["input"], Sized) and len(detail["input"]) >= least


def _finding(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Finding]:
    path = tuple(part for part in detail["loc"] if not str(part).startswith("<") and part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Findings):
        for under, text in cause.found:
            yield (*path, *under), text
    elif isinstance(cause, ValueError):
        yield path, str(cause)
    elif detail["type"] == "extra_forbidden":
        yield path, f"unknown key; {_advice(str(path[-1]), keys(model, path[:-1]))}"
    elif detail["type"] == "missing":
        yield path, "missing; it has no default"
    else:
        yield path, f"{shown(detail['input'])} found; {_right(detail)}"


def _advice(word: str, known: tuple[str, ...]) -> str:
    if word in Train.model_fields and word not in known:
        return f"did you mean `train.{word}`?"
    return nearest(word, known)


def _right(detail: ErrorDetails) -> str:
    """What would be right, from what pydantic says would be."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in BOUNDS:
        return f"a number {BOUNDS[kind]} {next(iter(context.values()))} is right"
    if kind == "literal_error":
        return f"{context['expected'].replace(chr(39), '`')} is right"
    if kind == "string_pattern_mismatch":
        return "env:NAME is right" if "env" in context["pattern"] else "letters, digits, `_` and `-` are right"
    if kind in ("too_short", "string_too_short"):
        return "at least one is right" if context["min_length"] == 1 else f"at least {context['min_length']} are right"
    moment = kind.startswith(("datetime", "timezone"))
    return MOMENT if moment else SENTENCES.get(kind, re.sub("^(Input|Value) should", "it should", detail["msg"]))


def _further(found: list[Finding], source: Source, model: type[BaseModel]) -> list[Finding]:
    """What the rules between keys say of the keys that are themselves in order."""
    broken = frozenset(str(path[0]) for path, _ in found if path)
    if not broken or not isinstance(source.value, Mapping):
        return []
    whole = {key: value for key, value in source.value.items() if key in model.model_fields and key not in broken}
    read = {key: section(model, key).validate_python(value) for key, value in whole.items()}
    draft = cast("Sweep", model.model_construct(**read))
    return [(path, text) for path, text in check(draft, without=broken) if path[0] not in broken]


def _dotted(path: Path) -> str:
    return f"{'.'.join(map(str, path))}: " if path else ""


def _position(line: str) -> tuple[bool, int]:
    """By line number; what the command line says comes last."""
    match = re.match(r"[^:]*:(\d+): ", line)
    return match is None, int(match[1]) if match else 0
