"""Walk through the definition of a tool piece by piece: every name and every value, under any key.

A piece is a text or a number that another can replace, or it is fixed: a type, the name of a required property, true,
false. Templates test fixed pieces by value, and write them in their own ways (`?` after what is not required). So only
a change of them shows whether they are written.

Two things are no pieces, because they add nothing: that a tool is a function and its parameters an object, and what is
empty (an empty list or object; null, unless it is an allowed value or a default).
"""

from collections.abc import Callable, Mapping
from typing import Any

# What stands under these is a definition, too, and its keys are words of the language; so it is of each in a list.
WITHIN = frozenset(
    (
        *("function", "parameters", "input_schema", "output_schema", "returns", "return", "response"),
        *("items", "prefixItems", "additionalProperties", "unevaluatedProperties", "propertyNames", "contains"),
        *("anyOf", "oneOf", "allOf", "not", "if", "then", "else"),
    )
)
NAMED = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))  # keys are names
NULL = frozenset(("default", "const"))  # under these null is a value
ITSELF = (("type", "function"), ("type", "object"))  # of a tool, of its parameters

Visit = Callable[[str, Any, bool], Any]  # under which key, what it says, whether it is fixed; gives what stands there


def walk_tool(tool: Mapping[str, Any], visit: Visit) -> dict[str, Any]:
    """Rebuild a tool from what `visit` returns for each of its pieces."""
    return _definition(tool, visit, outer=True)


def _definition(definition: Mapping[str, Any], visit: Visit, *, outer: bool = False) -> dict[str, Any]:
    """Walk through a definition; `outer`: of a tool itself, or of its parameters."""
    names: dict[str, str] = {}
    made: dict[str, Any] = {}
    for key in sorted(NAMED & definition.keys()):
        if isinstance(definition[key], Mapping):
            names |= {name: visit("property", name, False) for name in definition[key]}
    for key, value in definition.items():
        if key in NAMED and isinstance(value, Mapping):
            made[key] = {names[name]: _schema(name, inner, visit) for name, inner in value.items()}
        elif key in WITHIN:
            made[key] = _schema(key, value, visit, outer=outer)
        elif outer and (key, value) in ITSELF:
            made[key] = value
        elif key == "type":
            made[key] = _fixed(key, value, visit)
        elif key == "required" and isinstance(value, list):
            made[key] = [_required(entry, names, visit) for entry in value]
        else:
            made[key] = _data(key, value, visit)
    return made


def _schema(key: str, value: Any, visit: Visit, *, outer: bool = False) -> Any:
    if isinstance(value, Mapping):
        return _definition(value, visit, outer=outer and key in ("function", "parameters", "input_schema"))
    if isinstance(value, list):
        return [_schema(key, inner, visit) for inner in value]
    return _data(key, value, visit)


def _required(value: Any, names: Mapping[str, str], visit: Visit) -> Any:
    if not (isinstance(value, str) and value in names):
        return _data("required", value, visit)
    name = visit("required", value, True)
    return names.get(name, name)


def _fixed(key: str, value: Any, visit: Visit) -> Any:
    if isinstance(value, list):
        return [_fixed(key, inner, visit) for inner in value]
    return visit(key, value, True) if isinstance(value, str | bool) else _data(key, value, visit)


def _data(key: str, value: Any, visit: Visit) -> Any:
    """Walk through a value that is no definition: each key and each value in it is a piece."""
    if isinstance(value, Mapping):
        return {visit(key, name, False): _data(key, inner, visit) for name, inner in value.items()}
    if isinstance(value, list):
        return [_data(key, entry, visit) if entry is not None else visit(key, None, True) for entry in value]
    if isinstance(value, bool) or (value is None and key in NULL):
        return visit(key, value, True)
    if isinstance(value, str):
        return visit(key, value.strip(), False) if value.strip() else value
    return value if value is None else visit(key, value, False)
