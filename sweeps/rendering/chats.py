"""Read a chat from its row: what each message says, and which messages are learnt.

Every renderer gets the same: content as text (parts of text are joined), thoughts under the name that the renderer
reads, no nulls, no empty lists, and no flags. Anything that a renderer would have to leave out is refused here, by
name: a picture, a part without its text, a key that no renderer reads.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sweeps.errors import DataError
from sweeps.records import Row
from sweeps.rendering.answer_text import THINKS
from sweeps.rendering.calls import read_calls, read_tools
from sweeps.rendering.tokenizer import Messages, Tokenizer, Tools, compile_words, get_controls

# Keys that say whether a message is learnt, in the words of several tools: true or 1, false or 0.
FLAGS = ("weight", "trainable", "train", "training", "loss", "loss_weight", "loss_scale", "loss_mask")
THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # what was thought before the answer, under any of these
NOT_TEXT = {  # types of parts, in words
    "image": "pictures",
    "image_url": "pictures",
    "input_image": "pictures",
    "input_audio": "sounds",
    "audio": "sounds",
    "video": "videos",
    "video_url": "videos",
    "file": "files",
}
THOUGHT = "</think>"  # behind it the answer begins, where thoughts and answer are one text
TAGS = re.compile(r"(</?think>|</?tool_response>)")  # templates split a text at these
KEYS = frozenset(("role", "content", "tool_calls", "tool_call_id", "name", *THOUGHTS))


class ParsedChat(NamedTuple):
    """A chat: its messages, the tools beside them, and the places of the messages that are learnt."""

    messages: list[dict[str, Any]]
    tools: Tools
    learnt: list[int]


def read_chat(row: Row, reads: Collection[str] | None = None) -> ParsedChat:
    """Read the chat of a row. `reads`: the keys of a message that its renderer reads; all others are refused.

    Raises DataError for what cannot be read or learnt as it stands, with the number of the message.
    """
    messages = [_message(number, message, reads) for number, message in _numbered(row["messages"])]
    places = list_learnt(row["messages"])
    for place in places:
        _refuse_without_an_answer(place + 1, messages[place])
    return ParsedChat(messages, read_tools(row.get("tools") or ()), places)


def parse_chat(row: Row, reads: Collection[str] | None, tokenizer: Tokenizer) -> ParsedChat:
    """Read the chat of a row for a renderer. Raises DataError also for a text with a control token of the model."""
    parsed = read_chat(row, reads)
    _refuse_controls(parsed, compile_words(get_controls(tokenizer)))
    return parsed


def _refuse_controls(chat: ParsedChat, controls: re.Pattern[str]) -> None:
    """Raise DataError for a text with a control token, which the model would read as one.

    A question could end its own turn with it and begin the assistant's, and an answer would teach to end in its midst.
    """
    for place, part in (*enumerate(chat.messages), *((None, tool) for tool in chat.tools)):
        if control := next((control for text in _list_texts(part) if (control := controls.search(text))), None):
            where = "a tool" if place is None else f"message {place + 1}"
            raise DataError(
                f"{where} contains {control[0]}, a control token of the model; remove it from "
                "the text: the renderer writes the control tokens"
            )


def _list_texts(value: Any) -> Iterator[str]:
    """Yield every text, without the tags of thoughts and results, which some models have as control tokens."""
    if isinstance(value, str):
        yield from TAGS.split(value)[::2] if "<" in value else (value,)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _list_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_texts(inner)


def split_at_answers(row: Row) -> list[Row]:
    """Split a chat into one for each learnt answer, up to that answer, in which it alone is learnt."""
    messages = row["messages"]
    if not (places := list_learnt(messages)):
        raise DataError("expected an answer of the assistant that is trained on, got none")
    read = [mark_as_read(message) for message in messages]
    return [{**row, "messages": [*read[:place], messages[place]]} for place in places]


def count_behind(messages: Messages) -> int:
    """Count the messages after the last answer that is learnt."""
    return len(messages) - 1 - max(list_learnt(messages), default=-1)


def mark_as_read(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Mark a message as read and not learnt, whatever its flags say."""
    if message["role"] != "assistant":
        return message
    return {**{key: value for key, value in message.items() if key not in FLAGS}, "weight": 0}


def list_learnt(messages: Messages) -> list[int]:
    """List the places of the messages that bear loss: the assistant's, except those that a flag excludes."""
    flags = [_flag(number, message) for number, message in _numbered(messages)]
    return [place for place, flag in enumerate(flags) if flag is not False and messages[place]["role"] == "assistant"]


def _refuse_without_an_answer(number: int, message: Mapping[str, Any]) -> None:
    """Refuse a thought alone: it would be written with an empty answer, which would be learnt."""
    content = message.get("content") or ""
    opened = THOUGHT not in content and content.lstrip().startswith(THINKS[0][0])  # and never closed
    if message.get("tool_calls") or (content.rpartition(THOUGHT)[2].strip() and not opened):
        return
    thinks = content.strip() or any(message.get(key) for key in THOUGHTS)
    got = "a thought alone" if thinks else "an empty message"
    raise DataError(
        f"message {number} (assistant): expected an answer, got {got}, which would be trained on; leave the "
        'message out, or write `"weight": 0` to read it only'
    )


def _numbered(messages: Messages) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return enumerate(messages, start=1)


@contextmanager
def _name_message_in_errors(number: int, message: Mapping[str, Any]) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"message {number} ({message['role']}): {error}") from None


def _flag(number: int, message: Mapping[str, Any]) -> bool | None:
    """Return whether a message says that it is learnt; None if it says nothing."""
    flags = {key: message[key] for key in FLAGS if key in message}
    mine = message["role"] == "assistant"
    with _name_message_in_errors(number, message):
        for key, value in flags.items():
            if not (value in (0, 1) if isinstance(value, bool | int | float) else value is None and not mine):
                expected = "true or 1 (trained on), false or 0 (read only)"
                raise DataError(f"{key}: expected {expected}, or no such key, got {value!r}")
            if value and not mine:
                raise DataError(f"{key}: got {value!r}, but only messages of the assistant are trained on")
        if len({bool(value) for value in flags.values()}) > 1:
            shown = ", ".join(f"{key}: {value!r}" for key, value in flags.items())
            raise DataError(f"got {shown}, which contradict each other; keep one")
    return None if not flags else any(flags.values())


def _message(number: int, message: Mapping[str, Any], reads: Collection[str] | None) -> dict[str, Any]:
    with _name_message_in_errors(number, message):
        kept = {key: value for key, value in message.items() if key not in FLAGS and value not in (None, [], {})}
        kept["content"] = _content(message.get("content"))
        if reads is None:
            return kept
        if unread := sorted(key for key in kept.keys() - KEYS - {*reads} if kept[key] != ""):
            raise DataError(f"got {', '.join(unread)}, which no renderer reads; leave the key out of the row")
        beyond = kept.keys() - {"role", "content", "tool_calls", *THOUGHTS}
        if odd := sorted(
            key for key in beyond if not isinstance(kept[key], str | int if key == "tool_call_id" else str)
        ):
            raise DataError(f"{odd[0]}: expected text, got a JSON {type(kept[odd[0]]).__name__}")
        if "tool_calls" in kept:
            kept["tool_calls"] = read_calls(kept["tool_calls"])
        return _unify_thoughts(kept, reads)


def _unify_thoughts(message: dict[str, Any], reads: Collection[str]) -> dict[str, Any]:
    """Put the thoughts under the key that the renderer reads, if it reads any."""
    thoughts = {key: message.pop(key) for key in THOUGHTS if key in message}
    texts = {value for value in thoughts.values() if isinstance(value, str) and value.strip()}
    if len(texts) > 1 or any(not isinstance(value, str) for value in thoughts.values()):
        raise DataError(f"expected one text in one of {', '.join(THOUGHTS)}, got {', '.join(thoughts)}")
    if texts:
        _refuse_marks(*texts)
        if THOUGHT in (message["content"] or ""):
            raise DataError(
                f"expected thoughts in one place, got {next(iter(thoughts))} and text before </think> in its content"
            )
        message[next((key for key in THOUGHTS if key in reads), next(iter(thoughts)))] = texts.pop()
    return message


def _refuse_marks(thought: str) -> None:
    """Refuse a thought that contains a mark: the first mark ends it, whoever wrote it."""
    if mark := next((mark for marks in THINKS for mark in marks if mark in thought), None):
        raise DataError(f"expected the text of a thought without {mark}, where it would end; remove the mark")


def _content(content: Any) -> str | None:
    """Return content as one text: its parts, if they are text, one after the other."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        raise DataError(f"content: expected text, or a list of parts of text, got a JSON {type(content).__name__}")
    return "".join(_part(number, part) for number, part in enumerate(content, start=1))


def _part(number: int, part: Any) -> str:
    kind = part.get("type", "text") if isinstance(part, Mapping) else None
    if kind is None:
        got = f"that is a JSON {type(part).__name__}"
    elif kind != "text":
        name = NOT_TEXT.get(str(kind), f"parts of type {kind!r}")
        raise DataError(f"part {number}: {name} are not supported; use text parts only (got type {kind!r})")
    elif not isinstance(part.get("text"), str):
        got = f"of type 'text' with {', '.join(sorted(part.keys() - {'type'})) or 'nothing'} and no text in `text`"
    elif more := sorted(key for key in part.keys() - {"type", "text"} if part[key] not in (None, [], {}, "")):
        got = f"with {', '.join(more)} beside its text"
    else:
        return str(part["text"])
    raise DataError(f'part {number}: expected {{"type": "text", "text": "…"}}, got one {got}')
