"""Prepare messages for a renderer: pairs of messages as chats, and messages as chat templates take them."""

import json
from collections.abc import Mapping
from typing import Any

from sweeps.data.preference_pairs import SIDES, divide
from sweeps.records import Records, Row
from sweeps.rendering.chats import mark_as_read
from sweeps.rendering.tokenizer import Messages


def has_messages(records: Records) -> bool:
    """Say whether a renderer makes a difference to the records: text is read as it is."""
    if records.format == "preference":
        return any(map(is_pair_of_messages, records.rows))
    return records.format in ("chat", "questions")


def is_pair_of_messages(row: Row) -> bool:
    return any(not isinstance(row[key], str) for key in ("prompt", "chosen", "rejected"))


def build_conversation(row: Row, side: str) -> Row:
    """Build one side of a preference pair as a chat: only the messages that answer the prompt bear loss."""
    prompt, *answers = divide(row)
    answer = answers[SIDES.index(side)]
    read = [mark_as_read(message) for message in prompt]
    tools = {"tools": row["tools"]} if row.get("tools") else {}
    return {"messages": [*read, *answer], **tools}


def adapt_messages(messages: Messages, *, as_text: bool = False) -> list[dict[str, Any]]:
    """Write messages as templates take them: arguments as an object or its text, no content as an empty text."""
    return [{key: _part(key, value, as_text=as_text) for key, value in message.items()} for message in messages]


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
    written = json.dumps(read, ensure_ascii=False) if as_text else read
    return {**call, "function": {**function, "arguments": written}}
