"""Messages before they are rendered: which of them are learnt, and pairs of messages as chats."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.errors import DataError
from sweeps.records import Records, Row
from sweeps.tokens import Messages

THOUGHT = "</think>"  # behind it the answer begins, where thoughts and answer are one text


def has_messages(records: Records) -> bool:
    """Whether a renderer makes a difference to the records: text is read as it is."""
    if records.format == "preference":
        return any(map(is_pair_of_messages, records.rows))
    return records.format in ("chat", "questions")


def is_pair_of_messages(row: Row) -> bool:
    return any(not isinstance(row[key], str) for key in ("prompt", "chosen", "rejected"))


def learnt(messages: Messages) -> list[int]:
    """The places of the messages that bear loss: all of the assistant's, except those with `weight: 0`."""
    for message in messages:
        weight = message.get("weight")
        if weight is not None and (weight not in (0, 1) or message["role"] != "assistant"):
            raise DataError(f"a message of {message['role']} with weight {weight!r}; the assistant's have one, 0 or 1")
    return [
        place for place, message in enumerate(messages) if message["role"] == "assistant" and message.get("weight") != 0
    ]


def conversation(row: Row, side: str) -> Row:
    """One side of a preference pair as a chat: of the assistant's messages only those that answer bear loss.

    A side may hold the prompt once more, as some data sets have it.
    """
    prompt = _as_messages(row["prompt"], "user", "prompt")
    answer = _as_messages(row[side], "assistant", side)
    if prompt and answer[: len(prompt)] == prompt:
        answer = answer[len(prompt) :]
    if not any(message["role"] == "assistant" for message in answer):
        raise DataError(f"a {side} side without a message of the assistant; what it answers to the prompt is right")
    read = [{**message, "weight": 0} if message["role"] == "assistant" else message for message in prompt]
    tools = {"tools": row["tools"]} if row.get("tools") else {}
    return {"messages": [*read, *answer], **tools}


def _as_messages(value: object, role: str, key: str) -> list[Mapping[str, Any]]:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value else []
    if not isinstance(value, Sequence) or not all(_is_message(message) for message in value):
        raise DataError(f"a {key} that is neither text nor a list of messages, each with role and content")
    return list(value)


def _is_message(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("role"), str) and "content" in value


def for_template(messages: Messages, *, as_text: bool = False) -> list[dict[str, Any]]:
    """As templates take them: arguments of calls as an object, or as the text of one; nothing said as an empty text."""
    return [
        {key: _part(key, value, as_text=as_text) for key, value in message.items() if key != "weight"}
        for message in messages
    ]


def _part(key: str, value: Any, *, as_text: bool) -> Any:
    if key == "tool_calls" and isinstance(value, list):
        return [_call(call, as_text=as_text) for call in value]
    return "" if key == "content" and value is None else value


def _call(call: Any, *, as_text: bool) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    arguments = function.get("arguments")
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return call
    if not isinstance(read, Mapping):
        return call
    told = json.dumps(read, ensure_ascii=False) if as_text else read
    return {**call, "function": {**function, "arguments": told}}


def refuse_what_is_left_out(messages: Messages, tools: Sequence[Mapping[str, Any]], text: str) -> None:
    """Raise DataError where a template drops something that was said: it would be learnt without it, unseen."""
    for message in messages:
        for wanted in _wanted(message):
            if not _is_in(wanted, text):
                said = f"the chat template leaves out {wanted[:40]!r}, said by {message['role']}"
                raise DataError(f"{said}; a template that writes it, or `renderer: plain`, is right")
    for tool in tools:
        name = _name(tool)
        if name and name not in text:
            raise DataError(f"the chat template leaves out the tool {name}; leave `tools` out, or take another model")


def _wanted(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else [{"text": content}]
    texts = [block.get("text") for block in blocks if isinstance(block, Mapping)]
    calls = [_name(call) for call in message.get("tool_calls") or () if isinstance(call, Mapping)]
    answers = [text.rpartition(THOUGHT)[2].strip() for text in texts if isinstance(text, str)]
    return [wanted for wanted in (*answers, *calls) if wanted]


def _name(described: Mapping[str, Any]) -> str:
    """Of a tool, or of a call of one."""
    inner = described.get("function", described)
    return str(inner.get("name", "")) if isinstance(inner, Mapping) else ""


def _is_in(wanted: str, text: str) -> bool:
    """As it stands, or as a text within JSON."""
    return wanted in text or json.dumps(wanted, ensure_ascii=False)[1:-1] in text
