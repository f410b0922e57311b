"""A chat as its row holds it, read: what each message says, and which of them are learnt.

Every renderer is given the same: content as text (parts of text are joined), thoughts under the name that the renderer
reads, nothing that is nothing (a null, an empty list), and no flags. What a renderer could only leave out is refused
here, by name: a picture, a part without its text, a key that nobody reads.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sweeps.errors import DataError
from sweeps.records import Row
from sweeps.tokens import Messages, Tools

# By these a message says whether it is learnt, in the words of several tools: true or 1, false or 0.
FLAGS = ("weight", "trainable", "train", "training", "loss", "loss_weight", "loss_scale", "loss_mask")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # what was thought before the answer, under any of these
CALL, FUNCTION = {"id", "type", "index", "function"}, {"name", "arguments"}  # what a call of a tool may say
KEYS = frozenset(("role", "content", "tool_calls", "tool_call_id", "name", *THOUGHTS))


class Said(NamedTuple):
    """What a chat says: its messages, the tools that stand beside them, and the places of what is learnt."""

    messages: list[dict[str, Any]]
    tools: Tools
    learnt: list[int]


def read_chat(row: Row, reads: Collection[str] | None = None) -> Said:
    """The chat of a row. `reads`: the keys of a message that its renderer reads, beyond which all are refused.

    Raises DataError for what cannot be read or learnt as it stands, with the number of the message.
    """
    messages = [_message(number, message, reads) for number, message in _numbered(row["messages"])]
    places = learnt(row["messages"])
    for place in places:
        if not says_something(messages[place]):
            raise DataError(
                f"message {place + 1}, of the assistant, is empty: to end at once would be learnt; leave the message "
                'out, or `"weight": 0` has it read and not learnt'
            )
    return Said(messages, row.get("tools") or (), places)


def up_to_each_answer(row: Row) -> list[Row]:
    """For each answer that is learnt the chat through it, in which it alone is learnt: as the model is asked for it."""
    messages = row["messages"]
    if not (places := learnt(messages)):
        raise DataError("nothing in it is learnt; a chat with an answer of the assistant that is learnt is right")
    read = [only_read(message) for message in messages]
    return [{**row, "messages": [*read[:place], messages[place]]} for place in places]


def only_read(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message as one that is read and not learnt, whatever its flags say."""
    if message["role"] != "assistant":
        return message
    return {**{key: value for key, value in message.items() if key not in FLAGS}, "weight": 0}


def learnt(messages: Messages) -> list[int]:
    """The places of the messages that bear loss: all of the assistant's, except those whose flag says otherwise."""
    flags = [_flag(number, message) for number, message in _numbered(messages)]
    return [place for place, flag in enumerate(flags) if flag is not False and messages[place]["role"] == "assistant"]


def says_something(message: Mapping[str, Any]) -> bool:
    """Is there anything in it but white space?"""
    content = message.get("content")
    thoughts = (message.get(key) for key in THOUGHTS)
    return bool(message.get("tool_calls")) or any(
        text.strip() for text in (content, *thoughts) if isinstance(text, str)
    )


def _numbered(messages: Messages) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return enumerate(messages, start=1)


@contextmanager
def _within(number: int, message: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"message {number}, of {message['role']}: {error}") from None


def _flag(number: int, message: Mapping[str, Any]) -> bool | None:
    """Whether a message says that it is learnt, or that it is not; None: it says nothing."""
    found = {key: message[key] for key in FLAGS if key in message}
    mine = message["role"] == "assistant"
    with _within(number, message):
        for key, value in found.items():
            if not (value in (0, 1) if isinstance(value, bool | int | float) else value is None and not mine):
                right = "true or 1 (learnt), false or 0 (read, not learnt) is right"
                raise DataError(f"{key}: {value!r} found; {right}, or no such key")
            if value and not mine:
                raise DataError(f"{key}: {value!r} found; what the assistant writes is learnt, and nothing else")
        if len({bool(value) for value in found.values()}) > 1:
            said = ", ".join(f"{key}: {value!r}" for key, value in found.items())
            raise DataError(f"{said} found, which contradict each other; one of them is right")
    return None if not found else any(found.values())


def _message(number: int, message: Mapping[str, Any], reads: Collection[str] | None) -> dict[str, Any]:
    with _within(number, message):
        kept = {key: value for key, value in message.items() if key not in FLAGS and value not in (None, [], {})}
        kept["content"] = _content(message.get("content"))
        if reads is None:
            return kept
        if unread := sorted(key for key in kept.keys() - KEYS - {*reads} if kept[key] != ""):
            raise DataError(f"{', '.join(unread)} found, which nothing here reads; leave the key out of the row")
        beyond = kept.keys() - {"role", "content", "tool_calls", *THOUGHTS}
        if odd := sorted(
            key for key in beyond if not isinstance(kept[key], str | int if key == "tool_call_id" else str)
        ):
            raise DataError(
                f"{odd[0]} is a JSON {type(kept[odd[0]]).__name__}, which nothing here reads; text is right"
            )
        for at, call in enumerate(_calls(kept.get("tool_calls", [])), start=1):
            _refuse_a_call(at, call)
        return _under_one_name(kept, reads)


def _calls(found: Any) -> Sequence[Any]:
    if not isinstance(found, list):
        raise DataError(f"tool_calls is a JSON {type(found).__name__}; a list of calls is right")
    return found


def _refuse_a_call(number: int, call: Any) -> None:
    """What stands in a call beside its name and arguments no renderer writes."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        raise DataError(f'call {number}: an object with "function": {{"name": …, "arguments": …}} is right')
    if not isinstance(call.get("id"), str | int | None):
        raise DataError(f"call {number}: its id is a JSON {type(call['id']).__name__}; text is right")
    known = CALL | FUNCTION if function is call else CALL
    beyond = {key: call[key] for key in call.keys() - known}
    beyond |= {} if function is call else {key: function[key] for key in function.keys() - FUNCTION}
    if unread := sorted(key for key, value in beyond.items() if value not in (None, "", [], {})):
        raise DataError(f"call {number}: {', '.join(unread)} found, which nothing here reads; leave the key out")


def _under_one_name(message: dict[str, Any], reads: Collection[str]) -> dict[str, Any]:
    """The thoughts where the renderer looks for them, if it does."""
    found = {key: message.pop(key) for key in THOUGHTS if key in message}
    said = {value for value in found.values() if isinstance(value, str) and value.strip()}
    if len(said) > 1 or any(not isinstance(value, str) for value in found.values()):
        raise DataError(f"{', '.join(found)} found, which is not one text; one of {', '.join(THOUGHTS)} is right")
    if said:
        if "</think>" in (message["content"] or ""):
            raise DataError(f"thoughts found as {next(iter(found))} and before </think> in its content; one is right")
        message[next((key for key in THOUGHTS if key in reads), next(iter(found)))] = said.pop()
    return message


def _content(content: Any) -> str | None:
    """Content as text: parts that are text, one behind the other."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise DataError(f"content is a JSON {type(content).__name__}; text, or a list of parts of text, is right")
    return "".join(_part(number, part) for number, part in enumerate(content, start=1))


def _part(number: int, part: Any) -> str:
    kind = part.get("type", "text") if isinstance(part, Mapping) else None
    if kind is None:
        found = f"a JSON {type(part).__name__}"
    elif kind != "text":
        found = f"of type {kind!r}"
    elif not isinstance(part.get("text"), str):
        found = f"of type 'text' with {', '.join(sorted(part.keys() - {'type'})) or 'nothing'} and no text in `text`"
    elif more := sorted(key for key in part.keys() - {"type", "text"} if part[key] not in (None, [], {}, "")):
        found = f"with {', '.join(more)} beside its text"
    else:
        return str(part["text"])
    raise DataError(f'part {number} of its content is {found}; only {{"type": "text", "text": "…"}} is read and learnt')
