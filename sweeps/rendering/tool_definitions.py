"""The definition of a tool piece by piece: every name and every value in it, whatever key it stands under.

A piece is either text or a number that another can stand in for, or it is fixed: a type, the name of a required
property, true, false. Templates ask for those by their value, and write them in ways of their own (`?` behind what is
not required), so that it is told by a change of them alone whether they are written.

No pieces are, for they say nothing that is not said otherwise: that a tool is a function and its parameters an object,
and what is empty (null, but as a value that is allowed or taken; a list or an object of nothing).
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
    """The tool with what `visit` gives for each of its pieces."""
    return _definition(tool, visit, outer=True)


def _definition(found: Mapping[str, Any], visit: Visit, *, outer: bool = False) -> dict[str, Any]:
    """`outer`: of a tool itself, or of its parameters."""
    names: dict[str, str] = {}
    made: dict[str, Any] = {}
    for key in sorted(NAMED & found.keys()):
        if isinstance(found[key], Mapping):
            names |= {name: visit("property", name, False) for name in found[key]}
    for key, value in found.items():
        if key in NAMED and isinstance(value, Mapping):
            made[key] = {names[name]: _schema(name, inner, visit) for name, inner in value.items()}
        elif key in WITHIN:
            made[key] = _schema(key, value, visit, outer=outer)
        elif outer and (key, value) in ITSELF:
            made[key] = value
        elif key == "type":
            made[key] = _fixed(key, value, visit)
        elif key == "required" and isinstance(value, list):
            made[key] = [_required(each, names, visit) for each in value]
        else:
            made[key] = _data(key, value, visit)
    return made


def _schema(key: str, value: Any, visit: Visit, *, outer: bool = False) -> Any:
    if isinstance(value, Mapping):
        return _definition(value, visit, outer=outer and key in ("function", "parameters", "input_schema"))
    if isinstance(value, list):
        return [_schema(key, each, visit) for each in value]
    return _data(key, value, visit)


def _required(found: Any, names: Mapping[str, str], visit: Visit) -> Any:
    if not (isinstance(found, str) and found in names):
        return _data("required", found, visit)
    said = visit("required", found, True)
    return names.get(said, said)


def _fixed(key: str, value: Any, visit: Visit) -> Any:
    if isinstance(value, list):
        return [_fixed(key, each, visit) for each in value]
    return visit(key, value, True) if isinstance(value, str | bool) else _data(key, value, visit)


def _data(key: str, value: Any, visit: Visit) -> Any:
    """What is no definition: each key in it says something, and each value."""
    if isinstance(value, Mapping):
        return {visit(key, name, False): _data(key, inner, visit) for name, inner in value.items()}
    if isinstance(value, list):
        return [_data(key, each, visit) if each is not None else visit(key, None, True) for each in value]
    if isinstance(value, bool) or (value is None and key in NULL):
        return visit(key, value, True)
    if isinstance(value, str):
        return visit(key, value.strip(), False) if value.strip() else value
    return value if value is None else visit(key, value, False)
