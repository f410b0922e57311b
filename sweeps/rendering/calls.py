"""Read the tools of a row, and the calls of a message.

People's files write both in several ways. Every renderer is given one of them: a call is an object with a `function`,
whose arguments are an object; the parameters of a tool are an object.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.errors import DataError
from sweeps.records import load_json

CALL, FUNCTION = ("id", "type", "index", "function"), ("name", "arguments")  # what a call of a tool may say
PARAMETERS = ("parameters", "input_schema")
KINDS = {str: "text", list: "a list", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
EMPTY = "write `{}` for a call without arguments, else leave the row out"


def read_calls(calls: Any) -> list[dict[str, Any]]:
    """Read the calls of a message. Raises DataError for what no renderer writes, with the number of the call."""
    if not isinstance(calls, list):
        raise DataError(f"tool_calls: expected a list of calls, got {_kind(calls)}")
    return [_call(number, call) for number, call in enumerate(calls, start=1)]


def read_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Read the tools beside the messages. Raises DataError for one whose parameters are no object."""
    return [_tool(number, tool) for number, tool in enumerate(tools, start=1)]


def _call(number: int, call: Any) -> dict[str, Any]:
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise DataError(
            f'call {number}: expected an object with "function": {{"name": …, "arguments": …}}, got {_kind(call)}'
        )
    if not isinstance(call.get("id"), str | int | None):
        raise DataError(f"call {number}: expected text as its id, got a JSON {type(call['id']).__name__}")
    if call.get("type") not in (None, "function"):
        raise DataError(f"call {number}: expected the type 'function', got {call['type']!r}; no other call is written")
    beyond = {key: call[key] for key in call.keys() - {*CALL, *(FUNCTION if function is call else ())}}
    beyond |= {} if function is call else {key: function[key] for key in function.keys() - {*FUNCTION}}
    if unread := sorted(key for key, value in beyond.items() if value not in (None, "", [], {})):
        raise DataError(f"call {number}: got {', '.join(unread)}, which no renderer reads; leave the key out")
    name = function.get("name")
    if not (isinstance(name, str) and name.strip()):
        raise DataError(f"call {number}: expected the name of a tool, got {_kind(name)}; a call says what it calls")
    read = {"name": name, "arguments": _arguments(f"call {number} (of {name[:48]})", function)}
    return {**{key: call[key] for key in ("id", "type") if call.get(key) is not None}, "function": read}


def _arguments(where: str, function: Mapping[str, Any]) -> dict[str, Any]:
    """Read the arguments of a call; an empty text, which several tools write for none, is an empty object."""
    if "arguments" not in function:
        raise DataError(f"{where}: expected `arguments`, an object, got none; {EMPTY}")
    arguments = function["arguments"]
    if isinstance(arguments, str) and not arguments.strip():
        return {}
    return _object(f"{where}: its arguments", arguments, EMPTY)


def _tool(number: int, tool: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(tool)
    for key in PARAMETERS:
        if made.get(key) is not None:
            made[key] = _object(f"tool {number}: its {key}", made[key], "leave the key out where a tool takes nothing")
    if isinstance(made.get("function"), Mapping):
        made["function"] = _tool(number, made["function"])
    return made


def _object(where: str, value: Any, right: str) -> dict[str, Any]:
    """Read an object, or the JSON text of one."""
    read, what = value, _kind(value)
    if isinstance(value, str):
        try:
            read = load_json(value)
        except (ValueError, RecursionError) as error:
            got = f"{value[:48]!r}, which is none ({error})"
            raise DataError(f"{where}: expected an object or the JSON text of one, got {got}; {right}") from None
        what = f"the JSON text of {_kind(read)}"
    if not isinstance(read, Mapping):
        raise DataError(f"{where}: expected an object or the JSON text of one, got {what}; {right}")
    return dict(read)


def _kind(value: Any) -> str:
    return KINDS.get(type(value), "an object")
