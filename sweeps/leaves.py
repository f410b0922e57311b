"""Whether what is written of a chat holds all that the chat says: each text, call, argument and tool of it.

A renderer that drops a thought teaches not to think, and one that drops a call teaches to do nothing: unseen, for what
is left is good text. So each piece is looked for, twice. Once by a mark: the chat is written with a word in the place
of each piece that occurs nowhere else, and each mark must be found; in what is learnt, where its message is learnt.
What a renderer does so shows whatever the texts are, so chats of one shape are tried once. And once as it stands, for
what a renderer drops of this text alone.

Not looked for: white space around a text, ids of calls that are answered in their order, and of the schema of a tool
all but its names, descriptions and the values that are allowed. Thoughts of an answer that is only read may be missing
where they were written when the answer was the last: so it is when the model is asked.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from sweeps.chats import THOUGHTS, Said
from sweeps.errors import DataError
from sweeps.records import canonical

TOOLS = -1  # the place of what stands beside the messages
TAGS = re.compile(r"(</?think>|</?tool_response>)")  # by which templates tell the parts of a text
THINKING = "thoughts"
NUMBERS = 918_273_000  # marks of numbers: nine digits, which no row has by chance


RIGHT = {
    THINKING: "a model whose renderer writes thoughts, or rows without them where answers without are to be learnt",
    "content": "a renderer that writes it, as `renderer: plain`",
    **dict.fromkeys(("call", "argument"), "a model whose renderer writes calls, or rows that say them in `content`"),
}


class Leaf(NamedTuple):
    """A piece of what is said: in which message (or TOOLS), as what, and what it says."""

    place: int
    what: str
    value: Any


@dataclass(frozen=True)
class Planted:
    """A chat with marks in place of its leaves; equal to that of every chat of the same shape."""

    spelled: bytes
    said: Said = field(compare=False)
    leaves: tuple[Leaf, ...] = field(compare=False)
    marks: tuple[Any, ...] = field(compare=False)


class Text(NamedTuple):
    """What was written of a chat: all of it, and of each message that is learnt what of it bears loss."""

    whole: str
    learnt: Mapping[int, str]


def leaves_of(said: Said) -> list[Leaf]:
    """All that is said, piece by piece."""
    found: list[Leaf] = []

    def visit(leaf: Leaf) -> Any:
        found.append(leaf)
        return leaf.value

    _walk(said, visit)
    return found


def plant(said: Said) -> Planted:
    """The same chat with a mark for each piece."""
    leaves: list[Leaf] = []
    marks: list[Any] = []

    def visit(leaf: Leaf) -> Any:
        leaves.append(leaf)
        marks.append(_mark(len(marks), leaf.value))
        return marks[-1]

    made = _walk(said, visit)
    spelled = canonical([made.messages, list(made.tools), made.learnt])
    return Planted(spelled, made, tuple(leaves), tuple(marks))


def missing_marks(planted: Planted, text: Text, moment: Callable[[int], str]) -> int | None:
    """Which mark is not where it should be; `moment` gives what is written where a message is the last one."""
    for at, (leaf, mark) in enumerate(zip(planted.leaves, planted.marks, strict=True)):
        if not _holds(text.learnt.get(leaf.place, text.whole), mark):
            past = leaf.what == THINKING and leaf.place not in text.learnt
            if not (past and _holds(moment(leaf.place), mark)):
                return at
    return None


def missing_leaf(leaves: Iterable[Leaf], text: Text) -> Leaf | None:
    """The first piece that is not there as it stands."""
    for leaf in leaves:
        past = leaf.what == THINKING and leaf.place not in text.learnt  # told by the marks
        if not past and not _holds(text.learnt.get(leaf.place, text.whole), leaf.value):
            return leaf
    return None


def refuse_controls(said: Said, controls: re.Pattern[str]) -> None:
    """Raise DataError where what is said holds a control token, which the model would read as one.

    A question could end its own turn with it and begin the assistant's, and an answer would teach to end in its midst.
    """
    for leaf in leaves_of(said):
        if isinstance(leaf.value, str) and (found := controls.search(leaf.value)):
            where = "a tool" if leaf.place == TOOLS else f"message {leaf.place + 1}"
            raise DataError(
                f"{where} holds {found[0]}, a control token of the model, and it would be read as one; leave it out of "
                "the text: the renderer writes those that belong there"
            )


def refuse_missing(leaf: Leaf, said: Said, who: str) -> NoReturn:
    """Raise DataError for a piece that is not written, with what would be right."""
    shown = repr(leaf.value)[:60] if not isinstance(leaf.value, str) else repr(leaf.value[:48])
    if leaf.place == TOOLS:
        where = f"the tool {leaf.value}" if leaf.what == "name" else f"the {leaf.what} {shown} of a tool"
        right = "rows without `tools`, or another model"
    else:
        name = {"content": "", "call": "the call of ", "argument": "of a call "}.get(leaf.what, f"{leaf.what} ")
        where = f"{name}{shown}, said by {said.messages[leaf.place]['role']} in message {leaf.place + 1}"
        right = RIGHT.get(leaf.what, "a renderer that writes it, or rows without it")
    raise DataError(f"{who} leaves out {where}; {right}, is right")


def _mark(number: int, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return NUMBERS + number + (0.5 if isinstance(value, float) else 0)
    return f"Qx{number:05d}zJ"


def _holds(text: str, value: Any) -> bool:
    return any(form in text for form in _forms(value))


def _forms(value: Any) -> Iterator[str]:
    """As it stands, as it is within JSON, and as it is within a text of JSON that is in JSON."""
    if not isinstance(value, str):
        yield json.dumps(value)
        yield str(value)
        return
    yield value
    for ascii_only in (False, True):
        inner = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield inner
        yield json.dumps(inner, ensure_ascii=ascii_only)[1:-1]


def _walk(said: Said, visit: Callable[[Leaf], Any]) -> Said:
    """The chat with what `visit` gives for each of its leaves. Ids are made the same for chats of one shape."""
    ids = _ids(said)
    tools = [_tool(tool, visit) for tool in said.tools]
    return Said([_message(at, each, visit, ids) for at, each in enumerate(said.messages)], tools, said.learnt)


def _message(place: int, message: Mapping[str, Any], visit: Callable[[Leaf], Any], ids: "_Ids") -> dict[str, Any]:
    made = dict(message)
    for key, value in message.items():
        if key in THOUGHTS and isinstance(value, str):
            made[key] = visit(Leaf(place, THINKING, value.strip()))
        elif key == "content" and isinstance(value, str):
            made[key] = _content(place, value, visit)
        elif key == "tool_calls" and isinstance(value, list):
            made[key] = [_call(place, call, visit, ids) for call in value]
        elif key == "tool_call_id":
            made[key] = ids.known[value] if (place, key) in ids.plain else visit(Leaf(place, key, value))
        elif key == "name" and (place, key) in ids.plain:
            made[key] = "name"
        elif key != "role" and isinstance(value, str) and value.strip():
            made[key] = visit(Leaf(place, key, value.strip()))
    return made


def _content(place: int, text: str, visit: Callable[[Leaf], Any]) -> str:
    parts = TAGS.split(text)
    for at in range(0, len(parts), 2):
        what = THINKING if parts[at + 1 : at + 2] == ["</think>"] else "content"
        inner = parts[at].strip()
        parts[at] = visit(Leaf(place, what, inner)) if inner else ""
    return "".join(parts)


def _call(place: int, call: Any, visit: Callable[[Leaf], Any], ids: "_Ids") -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return visit(Leaf(place, "tool_calls", json.dumps(call)))
    made = dict(call)
    if "id" in made:
        made["id"] = ids.known.get(made["id"], "call00000")
    inner = dict(function)
    inner["name"] = visit(Leaf(place, "call", str(function.get("name", ""))))
    inner["arguments"] = _arguments(place, function.get("arguments"), visit)
    return {**made, "function": inner}


def _arguments(place: int, arguments: Any, visit: Callable[[Leaf], Any]) -> Any:
    if isinstance(arguments, str):
        try:
            read = json.loads(arguments)
        except ValueError:
            read = arguments
        return json.dumps(_value(place, read, visit)) if isinstance(read, Mapping) else _value(place, arguments, visit)
    return _value(place, arguments, visit)


def _value(place: int, value: Any, visit: Callable[[Leaf], Any]) -> Any:
    if isinstance(value, Mapping):
        return {visit(Leaf(place, "argument", key)): _value(place, inner, visit) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(place, inner, visit) for inner in value]
    if isinstance(value, str):
        return visit(Leaf(place, "argument", value.strip())) if value.strip() else value
    return visit(Leaf(place, "argument", value))


def _tool(tool: Mapping[str, Any], visit: Callable[[Leaf], Any]) -> dict[str, Any]:
    inner = tool.get("function")
    if isinstance(inner, Mapping):
        return {**tool, "function": _tool(inner, visit)}
    made = _named(tool, visit)
    for key in ("parameters", "input_schema"):
        if isinstance(tool.get(key), Mapping):
            made[key] = _schema(tool[key], visit)
    return made


def _named(thing: Mapping[str, Any], visit: Callable[[Leaf], Any]) -> dict[str, Any]:
    made = dict(thing)
    for key in ("name", "description"):
        if isinstance(thing.get(key), str) and thing[key].strip():
            made[key] = visit(Leaf(TOOLS, key, thing[key].strip()))
    return made


def _schema(schema: Any, visit: Callable[[Leaf], Any]) -> Any:
    """A JSON schema: the names of properties, what describes them, and what is allowed."""
    if not isinstance(schema, Mapping):
        return schema
    made = dict(schema)
    names: dict[str, str] = {}
    if isinstance(schema.get("description"), str) and schema["description"].strip():
        made["description"] = visit(Leaf(TOOLS, "description", schema["description"].strip()))
    if isinstance(schema.get("properties"), Mapping):
        names = {key: visit(Leaf(TOOLS, "property", key)) for key in schema["properties"]}
        made["properties"] = {names[key]: _schema(inner, visit) for key, inner in schema["properties"].items()}
    if isinstance(schema.get("required"), list):
        made["required"] = [names.get(key, key) for key in schema["required"]]
    if isinstance(schema.get("enum"), list):
        made["enum"] = [visit(Leaf(TOOLS, "choice", each)) for each in schema["enum"]]
    for key in ("items", "additionalProperties"):
        made.update({key: _schema(schema[key], visit)} if key in schema else {})
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list):
            made[key] = [_schema(each, visit) for each in schema[key]]
    return made


class _Ids(NamedTuple):
    """What calls are known by: the same for each shape; and the ids and names that say nothing new."""

    known: dict[Any, str]
    plain: set[tuple[int, str]]


def _ids(said: Said) -> _Ids:
    """A result that stands where its call's does, in order, is known by that: its id and name add nothing."""
    known: dict[Any, str] = {}
    plain: set[tuple[int, str]] = set()
    waiting: list[tuple[Any, Any]] = []
    for place, message in enumerate(said.messages):
        calls = [call for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
        if message["role"] == "assistant":
            waiting = [(call.get("id"), (call.get("function") or {}).get("name")) for call in calls]
            for call, _ in waiting:
                known.setdefault(call, f"call{len(known):05d}")
        elif message["role"] == "tool" and waiting:
            call, name = waiting.pop(0)
            plain |= {(place, "tool_call_id")} if message.get("tool_call_id") == call else set()
            plain |= {(place, "name")} if message.get("name") == name else set()
    return _Ids(known, plain)
