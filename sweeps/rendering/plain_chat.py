"""Chats as `plain` writes them: `User: …`, `Assistant: …`, for models without a chat template."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sweeps.errors import DataError
from sweeps.records import Row
from sweeps.rendering.chats import parse_chat
from sweeps.rendering.tokenizer import Messages, Tokenizer, Tools

ROLES = {"system": "System", "developer": "Developer", "user": "User", "assistant": "Assistant", "tool": "Tool"}
TURN_END = "\n\n"  # of a turn that no eos ends


class Segment(NamedTuple):
    """A piece of the rendered text. `ends` puts an eos behind it, which bears loss as the piece does."""

    text: str
    loss: bool
    ends: bool = False

    def encode(self, tokenizer: Tokenizer) -> list[int]:
        """Encode the text and its end, if the tokenizer has one."""
        end = [tokenizer.eos] if self.ends and tokenizer.eos is not None else []
        return [*tokenizer.encode(self.text), *end]


def encode_plain_chat(messages: Messages, tools: Tools, tokenizer: Tokenizer) -> list[int]:
    """Encode messages, and the name of the assistant, who writes next."""
    segments = render_plain_chat({"messages": messages, "tools": tools}, tokenizer)
    tokens = [token for segment in segments for token in segment.encode(tokenizer)]
    return [*tokens, *tokenizer.encode("Assistant: ")]


def render_plain_chat(record: Row, tokenizer: Tokenizer) -> Iterator[Segment]:
    """Yield the segments of a chat, without bos."""
    if record.get("tools"):
        raise DataError("tools: `plain` cannot render them; leave them out, or write text")
    parsed = parse_chat(record, None, tokenizer)
    for place, message in enumerate(parsed.messages):
        _refuse_what_is_not_text(place + 1, message)
        ends = message["role"] == "assistant" and tokenizer.eos is not None
        yield Segment(f"{ROLES[message['role']]}: ", loss=False)
        yield Segment(message["content"] + ("" if ends else TURN_END), loss=place in parsed.learnt, ends=ends)


def _refuse_what_is_not_text(number: int, message: Mapping[str, Any]) -> None:
    extra = sorted(key for key in message.keys() - {"role", "content"} if message[key] is not None)
    if extra:
        raise DataError(
            f"message {number}: the renderer `plain` reads only role and content; leave out {', '.join(extra)}"
        )
    if not isinstance(message["content"], str):
        raise DataError(
            f"message {number}: without content; the renderer `plain` reads only text; leave the message out"
        )
    if message["role"] not in ROLES:
        known = ", ".join(ROLES)
        raise DataError(f"message {number}: unknown role {message['role']!r}; the renderer `plain` knows {known}")
