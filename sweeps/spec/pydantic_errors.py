"""Turn what pydantic reports into findings in plain words: what is expected, and what the file has instead."""

import re
from collections.abc import Iterator, Mapping, Sequence, Sized

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from sweeps.spec.axes import describe_forms
from sweeps.spec.paths import list_keys
from sweeps.spec.scalars import LIST_ADVICE, NAME, SWEEP_NAME, Finding, Findings, show, suggest
from sweeps.spec.train_section import Train

EXPECTED: Mapping[str, str] = {
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "mapping_type": "`key: value` lines",
    "tuple_type": "a list",
    "list_type": "a list",
    "int_type": "a whole number",
    "float_type": "a number",
    "decimal_max_places": "at most six decimal places",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "is_instance_of": "a number",
    "decimal_max_digits": "a shorter number",
    "decimal_whole_digits": "a smaller number",
    "string_type": "text",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "none_required": "no value",
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "above",
    "greater_than_equal": "from",
    "less_than": "below",
    "less_than_equal": "up to",
}
PATTERNS: Mapping[str, str] = {
    NAME: "letters, digits, `_` and `-`, beginning with a letter or digit",
    SWEEP_NAME: "letters, digits, `.`, `_` and `-`, beginning with a letter or digit",
}
FEW = 3  # keys of a section that an error lists, when the file has something else in its place
DATE = "a date such as 2026-12-01"
MOMENT = "a time with its offset, such as 2026-12-01T08:00:00+01:00"
LISTS = ("tuple_type", "list_type")


def is_echo(detail: ErrorDetails) -> bool:
    """Whether a list only counts as too short because some of its parts are wrong: those are reported already."""
    if detail["type"] != "too_short" or not isinstance(detail["input"], Sized):
        return False
    return len(detail["input"]) >= int(detail.get("ctx", {})["min_length"])


def describe_detail(detail: ErrorDetails, model: type[BaseModel]) -> Iterator[Finding]:
    """Describe one error of pydantic: several findings where our own check found several mistakes."""
    path = tuple(part for part in detail["loc"] if not str(part).startswith("<") and part != "[key]")
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Findings):
        for under, text in cause.mistakes:
            yield (*path, *under), text
    elif isinstance(cause, ValueError):
        yield path, str(cause)
    elif detail["type"] == "extra_forbidden":
        yield path, f"unknown key; {_advise(str(path[-1]), list_keys(model, path[:-1]))}"
    elif detail["type"] == "missing":
        yield path, "missing; it has no default"
    else:
        expected = _describe_expected(detail, list_keys(model, path))
        yield path, f"expected {expected}, got {show(detail['input'])}{_show_list_form(detail)}"


EXAMPLES = {"daily": '"22:00-06:00"', "tz": "Europe/Berlin", "usd": "20"}  # values of keys, for errors


def _advise(word: str, known: tuple[str, ...]) -> str:
    if word in Train.model_fields and word not in known:
        return f"did you mean `train.{word}`?"
    return suggest(word, known)


def _show_list_form(detail: ErrorDetails) -> str:
    """Show how the value is written as a list, if a list is expected: `sizes=16,32` is text."""
    value = detail["input"]
    if detail["type"] not in LISTS or not isinstance(value, str | int | float):
        return ""
    if "<list>" in detail["loc"] and isinstance(value, str) and "," not in value and " " in value.strip():
        return describe_forms(value)
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [show(value)]
    return f"{LIST_ADVICE}[{','.join(parts)}]"


def _describe_expected(detail: ErrorDetails, known: Sequence[str]) -> str:
    """Say what pydantic expects; `known` are the keys of a section."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("dict_type", "model_type") and 0 < len(known) <= FEW:
        entries = ", ".join(f"{key}: {EXAMPLES.get(key, '…')}" for key in known)
        return f"`{{{entries}}}`"
    if kind in BOUNDS:
        return f"a number {BOUNDS[kind]} {next(iter(context.values()))}"
    if kind == "literal_error":
        return str(context["expected"].replace("'", "`"))
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    if kind in ("too_short", "string_too_short"):
        return "at least one" if context["min_length"] == 1 else f"at least {context['min_length']}"
    moment = MOMENT if kind.startswith(("datetime", "timezone")) else DATE if kind.startswith("date_") else None
    return moment or EXPECTED.get(kind, re.sub("^(Input|Value) should (be )?", "", detail["msg"]))
