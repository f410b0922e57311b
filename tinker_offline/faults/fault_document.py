"""Parse the text of a fault document, find the line of each value, and describe errors in plain words.

Pure; it touches nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str | int, ...]

# What is expected, by pydantic's kind of error.
RIGHT: Mapping[str, str] = {
    "extra_forbidden": "this key is not known",
    "missing": "expected this key",
    "list_type": "a list",
    "dict_type": "`key: value`",
    "model_type": "`key: value`",
    "model_attributes_type": "`key: value`",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def read_values(text: str) -> Any:
    """Read the values of a YAML or JSON text. Raises ValueError that says where and what is wrong."""
    from ruamel.yaml import YAML  # needed for fault documents only
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = "a key appears twice" if "duplicate key" in str(error) else _describe_yaml_error(error)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{where}{what}") from None
    except RecursionError:
        raise ValueError("the values are nested too deeply") from None


def map_lines(text: str) -> Mapping[Place, int]:
    """Return the line of each place in a valid text."""
    from ruamel.yaml import YAML

    return dict(_walk_lines(YAML(typ="safe", pure=True).compose(text), ()))


def _describe_yaml_error(error: Exception) -> str:
    tab = "character '\\t'" in str(error)
    return "expected spaces, got a tab" if tab else "not valid YAML: check brackets, quotes, colons and indentation"


def _walk_lines(node: Any, place: Place) -> Iterator[tuple[Place, int]]:
    """Yield the place and line of a parser node and of everything in it; a key has the line of its value."""
    if node is None:
        return
    yield place, node.start_mark.line + 1
    if node.id == "mapping":
        for key, value in node.value:
            yield from _walk_lines(value, (*place, str(key.value)))
            yield (*place, str(key.value)), key.start_mark.line + 1
    elif node.id == "sequence":
        for number, value in enumerate(node.value):
            yield from _walk_lines(value, (*place, number))


def format_finding(place: Place, message: str, lines: Mapping[Place, int]) -> str:
    """Format one error: its line, its place and what is wrong."""
    near = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    where = "" if near is None else f"line {near}: "
    return f"{where}{'.'.join(map(str, place)) or 'the document'}: {message}"


def describe_error(detail: Mapping[str, Any]) -> str:
    """Describe one pydantic error in plain words."""
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    got = "nothing" if detail["input"] is None else repr(detail["input"])[:80]
    if kind in BOUNDS:
        return f"expected a number {BOUNDS[kind]} {next(iter(context.values()))}, got {got}"
    if kind == "literal_error":
        return f"expected {context['expected']}, got {got}"
    if kind in ("extra_forbidden", "missing"):
        return RIGHT[kind]
    return f"expected {RIGHT[kind]}, got {got}" if kind in RIGHT else f"this value is not allowed: {got}"
