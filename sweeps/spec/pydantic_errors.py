"""What pydantic finds, in our words: what was found, and what would be right."""

import re
from collections.abc import Iterator, Mapping, Sequence, Sized

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sweeps.spec.paths import list_keys
from sweeps.spec.scalars import NAME, SWEEP_NAME, Finding, Findings, show, suggest
from sweeps.spec.train_section import Train

SENTENCES: Mapping[str, str] = {
    "dict_type": "`key: value` lines are right",
    "model_type": "`key: value` lines are right",
    "mapping_type": "`key: value` lines are right",
    "tuple_type": "a list is right",
    "list_type": "a list is right",
    "int_type": "a whole number is right",
    "float_type": "a number is right",
    "decimal_max_places": "six digits behind the point are right at most",
    "decimal_type": "a number is right",
    "decimal_parsing": "a number is right",
    "is_instance_of": "a number is right",
    "decimal_max_digits": "a shorter number is right",
    "decimal_whole_digits": "a smaller number is right",
    "string_type": "text is right",
    "finite_number": "a finite number is right",
    "bool_type": "true or false is right",
    "none_required": "leave the key out",
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}
PATTERNS: Mapping[str, str] = {
    NAME: "letters, digits, `_` and `-` are right, a letter or digit first",
    SWEEP_NAME: "letters, digits, `.`, `_` and `-` are right, a letter or digit first",
}
FEW = 3  # keys of a section that are named where something else stands in its place
DATE = "a date, as 2026-12-01, is right"
MOMENT = "a moment with its offset, as 2026-12-01T08:00:00+01:00, is right"


def is_echo(detail: ErrorDetails) -> bool:
    """A list counted as too short only because some of its parts are wrong, which is told already."""
    if detail["type"] != "too_short" or not isinstance(detail["input"], Sized):
        return False
    return len(detail["input"]) >= int(detail.get("ctx", {})["min_length"])


def describe_detail(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Finding]:
    """What one detail says of `model`; several things where our own check found several."""
    path = tuple(part for part in detail["loc"] if not str(part).startswith("<") and part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Findings):
        for under, text in cause.found:
            yield (*path, *under), text
    elif isinstance(cause, ValueError):
        yield path, str(cause)
    elif detail["type"] == "extra_forbidden":
        yield path, f"unknown key; {_advice(str(path[-1]), list_keys(model, path[:-1]))}"
    elif detail["type"] == "missing":
        yield path, "missing; it has no default"
    else:
        yield path, f"{show(detail['input'])} found; {_right(detail, list_keys(model, path))}"


def _advice(word: str, known: tuple[str, ...]) -> str:
    if word in Train.model_fields and word not in known:
        return f"did you mean `train.{word}`?"
    return suggest(word, known)


def _right(detail: ErrorDetails, known: Sequence[str]) -> str:
    """What would be right, from what pydantic says would be; `known` are the keys of a section."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("dict_type", "model_type") and 0 < len(known) <= FEW:
        return f"`{{{', '.join(f'{key}: …' for key in known)}}}` is right"
    if kind in BOUNDS:
        return f"a number {BOUNDS[kind]} {next(iter(context.values()))} is right"
    if kind == "literal_error":
        return f"{context['expected'].replace(chr(39), '`')} is right"
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    if kind in ("too_short", "string_too_short"):
        return "at least one is right" if context["min_length"] == 1 else f"at least {context['min_length']} are right"
    moment = MOMENT if kind.startswith(("datetime", "timezone")) else DATE if kind.startswith("date_") else None
    return moment or SENTENCES.get(kind, re.sub("^(Input|Value) should", "it should", detail["msg"]))
