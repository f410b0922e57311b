"""Check that a rendered chat holds everything of the chat: each text, call, argument and tool.

A renderer that drops a thought teaches not to think, and one that drops a call teaches to do nothing. Nobody notices,
because the rest is good text. So each piece is looked for in two ways. First by a mark: a word that occurs nowhere else
replaces each piece, and each mark must be in the rendered text, within the learnt part if its message is learnt. The
result does not depend on the texts, so chats of one shape are tried once. Then each piece is looked for as it stands,
because a renderer may drop this text alone. A piece that no mark can replace (true, null, a type) is changed instead,
one at a time, and each change must change the rendered text: in a call with its chat, in a tool with each tool alone.

White space around a text is not looked for, nor are ids of calls that are answered in their order. Thoughts of an
answer that is only read may be missing, if they were written when that answer was the last: a model is asked like that.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from sweeps.errors import DataError
from sweeps.records import canonicalize_row
from sweeps.rendering.chats import TAGS, THOUGHTS, ParsedChat
from sweeps.rendering.tool_definitions import walk_tool
from sweeps.rendering.written_chat import ChatWriter, WrittenChat

ASKED: Mapping[str, Any] = {"role": "user", "content": "a"}
TOOLS = -1  # the place of what stands beside the messages
THINKING = "thoughts"
NUMBERS = 918_273_000  # marks of numbers: nine digits, which no row has by chance


RIGHT = {
    THINKING: "a model whose renderer writes thoughts, or rows without them where answers without are to be learnt",
    "content": "a renderer that writes it, as `renderer: plain`",
    **dict.fromkeys(("call", "argument"), "a model whose renderer writes calls, or rows that say them in `content`"),
}


class Leaf(NamedTuple):
    """A piece of a chat: its message (or TOOLS), its kind, its value, and whether a mark cannot replace it."""

    place: int
    what: str
    value: Any
    fixed: bool = False


@dataclass(frozen=True)
class Planted:
    """A chat with marks in place of its leaves; equal to that of every chat of the same shape."""

    spelled: bytes
    source: ParsedChat = field(compare=False)
    marked: ParsedChat = field(compare=False)
    leaves: tuple[Leaf, ...] = field(compare=False)
    marks: tuple[Any, ...] = field(compare=False)


def refuse_incomplete(chat: ParsedChat, written: WrittenChat, writer: ChatWriter) -> None:
    """Raise DataError for a chat of which the writer leaves out a piece, with what to use instead."""
    planted = _plant(chat)
    if (at := _find_lost_mark(planted, writer)) is not None:
        _refuse_missing(planted.leaves[at], chat, writer.name)
    if leaf := _find_missing_leaf(planted.leaves, written):
        _refuse_missing(leaf, chat, writer.name)
    for tool in chat.tools:
        if leaf := _find_lost_leaf(canonicalize_row(tool), writer):
            _refuse_missing(leaf, chat, writer.name)


@lru_cache(maxsize=4096)
def _find_lost_mark(planted: Planted, writer: ChatWriter) -> int | None:
    """Find a piece of a chat of this shape that is not written."""
    try:
        missing = _find_missing_mark(planted, writer.write(planted.marked))
    except DataError as error:
        problem = f"{writer.name} does not take a chat of this shape with other words in it"
        raise DataError(f"{problem}, so what it leaves out is unknown: {error}") from None
    return _find_ignored(planted, writer, in_tools=False) if missing is None else missing


@lru_cache(maxsize=4096)
def _find_lost_leaf(tool: bytes, writer: ChatWriter) -> Leaf | None:
    """Find a piece of a tool, given as canonical JSON, that can be changed without a change of the text."""
    planted = _plant(ParsedChat([dict(ASKED)], [json.loads(tool)], []))
    at = _find_ignored_in_tool(planted, writer)
    return None if at is None else planted.leaves[at]


@lru_cache(maxsize=4096)
def _find_ignored_in_tool(planted: Planted, writer: ChatWriter) -> int | None:
    """Find such a piece, for all tools of this shape."""
    return _find_ignored(planted, writer, in_tools=True)


def _plant(chat: ParsedChat) -> Planted:
    """Put a mark in place of each piece of a chat."""
    leaves: list[Leaf] = []
    marks: list[Any] = []

    def visit(leaf: Leaf) -> Any:
        leaves.append(leaf)
        marks.append(leaf.value if leaf.fixed else _mark(len(marks), leaf.value))
        return marks[-1]

    made = _walk(chat, visit)
    spelled = canonicalize_row([made.messages, list(made.tools), made.learnt])
    return Planted(spelled, chat, made, tuple(leaves), tuple(marks))


def _find_missing_mark(planted: Planted, written: WrittenChat) -> int | None:
    """Find a mark that is not where it should be."""
    whole, learnt = written.whole, written.learnt
    for at, (leaf, mark) in enumerate(zip(planted.leaves, planted.marks, strict=True)):
        if not leaf.fixed and not _holds(learnt.get(leaf.place, whole), mark):
            past = leaf.what == THINKING and leaf.place not in learnt
            if not (past and _holds(written.write_upto(leaf.place), mark)):
                return at
    return None


def _find_missing_leaf(leaves: Iterable[Leaf], written: WrittenChat) -> Leaf | None:
    """Find the first piece that is not written as it stands."""
    whole, learnt = written.whole, written.learnt
    for leaf in leaves:
        past = leaf.what == THINKING and leaf.place not in learnt  # the marks tell
        if not (past or leaf.fixed) and not _holds(learnt.get(leaf.place, whole), leaf.value):
            return leaf
    return None


def _find_ignored(planted: Planted, writer: ChatWriter, *, in_tools: bool) -> int | None:
    """Find a fixed piece, of a tool or of a message, that can be changed without a change of the text."""
    fixed = [at for at, leaf in enumerate(planted.leaves) if leaf.fixed and (leaf.place == TOOLS) == in_tools]
    text = writer.write_text(planted.marked) if fixed else ""
    for at in fixed:
        try:
            if writer.write_text(_changed(planted, at)) == text:
                return at
        except DataError:  # it reads what stands there, and takes nothing else
            continue
    return None


def _changed(planted: Planted, changed: int) -> ParsedChat:
    """Rebuild the chat with another value at one place."""
    marks = iter(enumerate(planted.marks))

    def visit(leaf: Leaf) -> Any:
        at, mark = next(marks)
        return mark if at != changed else _other(at, leaf.value)

    return _walk(planted.source, visit)


def _other(number: int, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value is None or _mark(number, "")


def _refuse_missing(leaf: Leaf, chat: ParsedChat, who: str) -> NoReturn:
    """Raise DataError for a piece that is not written, with what to use instead."""
    shown = repr(leaf.value)[:60] if not isinstance(leaf.value, str) else repr(leaf.value[:48])
    if leaf.place == TOOLS:
        where = f"the tool {leaf.value}" if leaf.what == "name" else f"the {leaf.what} {shown} of a tool"
        known = leaf.what in ("name", "description", "property")
        right = "rows without `tools`, or another model" if known else f"`{leaf.what}` left out there, or another model"
    else:
        name = {"content": "", "call": "the call of ", "argument": "of a call "}.get(leaf.what, f"{leaf.what} ")
        where = f"{name}{shown}, said by {chat.messages[leaf.place]['role']} in message {leaf.place + 1}"
        right = RIGHT.get(leaf.what, "a renderer that writes it, or rows without it")
    raise DataError(f"{who} leaves out {where}; use {right}")


def _mark(number: int, value: Any) -> Any:
    if isinstance(value, int | float):
        return NUMBERS + number + (0.5 if isinstance(value, float) else 0)
    return f"Qx{number:05d}zJ"


def _holds(text: str, value: Any) -> bool:
    return any(form in text for form in _forms(value))


def _forms(value: Any) -> Iterator[str]:
    """Yield a value as it stands, as JSON writes it, and as a JSON text within JSON writes it."""
    if not isinstance(value, str):
        yield json.dumps(value)
        yield str(value)
        return
    yield value
    for ascii_only in (False, True):
        inner = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield inner
        yield json.dumps(inner, ensure_ascii=ascii_only)[1:-1]


def _walk(chat: ParsedChat, visit: Callable[[Leaf], Any]) -> ParsedChat:
    """Rebuild a chat from what `visit` returns for each leaf. Chats of one shape get the same ids."""
    ids = _ids(chat)
    tools = [_tool(tool, visit) for tool in chat.tools]
    return ParsedChat(
        [_message(at, message, visit, ids) for at, message in enumerate(chat.messages)], tools, chat.learnt
    )


def _message(place: int, message: Mapping[str, Any], visit: Callable[[Leaf], Any], ids: "_Ids") -> dict[str, Any]:
    made = dict(message)
    for key, value in message.items():
        if key in THOUGHTS and isinstance(value, str):
            made[key] = visit(Leaf(place, THINKING, value.strip()))
        elif key == "content" and isinstance(value, str):
            made[key] = _content(place, value, visit)
        elif key == "tool_calls":
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
        if inner := parts[at].strip():  # white space is of the shape: a prompt may open a thought with it
            before, _, behind = parts[at].partition(inner)
            parts[at] = f"{before}{visit(Leaf(place, what, inner))}{behind}"
    return "".join(parts)


def _call(place: int, call: Any, visit: Callable[[Leaf], Any], ids: "_Ids") -> Any:
    made, function = dict(call), call["function"]
    if "id" in made:
        made["id"] = ids.known.get(made["id"], "call00000")
    name = visit(Leaf(place, "call", function["name"]))
    return {**made, "function": {"name": name, "arguments": _value(place, function["arguments"], visit, outer=True)}}


def _value(place: int, value: Any, visit: Callable[[Leaf], Any], *, outer: bool = False) -> Any:
    """Walk through a value; `outer`: all arguments of a call, which may be none."""
    if isinstance(value, Mapping) and (value or outer):
        return {visit(Leaf(place, "argument", key)): _value(place, inner, visit) for key, inner in value.items()}
    if isinstance(value, list) and value:
        return [_value(place, inner, visit) for inner in value]
    if value is None or isinstance(value, bool) or value in ({}, []):
        return visit(Leaf(place, "argument", value, fixed=True))
    if isinstance(value, str):
        return visit(Leaf(place, "argument", value.strip())) if value.strip() else value
    return visit(Leaf(place, "argument", value))


def _tool(tool: Mapping[str, Any], visit: Callable[[Leaf], Any]) -> dict[str, Any]:
    return walk_tool(tool, lambda key, value, fixed: visit(Leaf(TOOLS, key, value, fixed)))


class _Ids(NamedTuple):
    """New ids of the calls, the same for each shape; and the ids and names that add nothing."""

    known: dict[Any, str]
    plain: set[tuple[int, str]]


def _ids(chat: ParsedChat) -> _Ids:
    """Rename the ids: a result in the order of its calls is known by that, so its id and name add nothing."""
    known: dict[Any, str] = {}
    plain: set[tuple[int, str]] = set()
    waiting: list[tuple[Any, Any]] = []
    for place, message in enumerate(chat.messages):
        calls = message.get("tool_calls", ())
        if message["role"] == "assistant":
            waiting = [(call.get("id"), call["function"]["name"]) for call in calls]
            for call, _ in waiting:
                known.setdefault(call, f"call{len(known):05d}")
        elif message["role"] == "tool" and waiting:
            call, name = waiting.pop(0)
            plain |= {(place, "tool_call_id")} if message.get("tool_call_id") == call else set()
            plain |= {(place, "name")} if message.get("name") == name else set()
    return _Ids(known, plain)
