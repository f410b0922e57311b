"""The text of a document of faults: its values, the line of each, and what is wrong with it, in plain words."""

from collections.abc import Iterator, Mapping
from typing import Any

Place = tuple[str | int, ...]

# By the kind that pydantic names: what would be right. A kind that is not here is said as it is.
RIGHT: Mapping[str, str] = {
    "extra_forbidden": "it is not known here",
    "missing": "it must be there",
    "list_type": "a list is right",
    "dict_type": "`key: value` is right",
    "model_type": "`key: value` is right",
    "model_attributes_type": "`key: value` is right",
    "string_type": "text is right",
    "bool_type": "true or false is right",
    "bool_parsing": "true or false is right",
    "int_type": "a whole number is right",
    "int_parsing": "a whole number is right",
    "int_from_float": "a whole number is right",
    "float_type": "a number is right",
    "float_parsing": "a number is right",
    "finite_number": "a finite number is right",
}
BOUNDS: Mapping[str, str] = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}


def read_values(text: str) -> Any:
    """The values of a YAML or JSON text. Raises ValueError, saying where and what is wrong."""
    from ruamel.yaml import YAML  # only a rehearsal needs it
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = "a key stands there twice" if "duplicate key" in str(error) else _describe_yaml_error(error)
        where = "" if mark is None else f"line {mark.line + 1}: "
        raise ValueError(f"{where}{what}") from None
    except RecursionError:
        raise ValueError("values stand too deep in one another") from None


def map_lines(text: str) -> Mapping[Place, int]:
    """The line of each place in a text that can be read."""
    from ruamel.yaml import YAML

    return dict(_walk_lines(YAML(typ="safe", pure=True).compose(text), ()))


def _describe_yaml_error(error: Exception) -> str:
    tab = "character '\\t'" in str(error)
    return "a tab found; blanks are right" if tab else "not YAML: a bracket, a quote, a `:` or an indent is not right"


def _walk_lines(node: Any, place: Place) -> Iterator[tuple[Place, int]]:
    """The place and the line of a node of the parser, and of all that is in it; a key's line is its value's."""
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
    """One finding: the line, the place, and what is wrong there."""
    near = next((lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    where = "" if near is None else f"line {near}: "
    return f"{where}{'.'.join(map(str, place)) or 'the document'}: {message}"


def describe_error(detail: Mapping[str, Any]) -> str:
    """What one detail of pydantic's says, in our words."""
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    found = "nothing" if detail["input"] is None else repr(detail["input"])[:80]
    if kind in BOUNDS:
        return f"{found} found; a number {BOUNDS[kind]} {next(iter(context.values()))} is right"
    if kind == "literal_error":
        return f"{found} found; {context['expected']} is right"
    if kind in ("extra_forbidden", "missing"):
        return RIGHT[kind]
    return f"{found} found; {RIGHT.get(kind, 'it cannot be that')}"
