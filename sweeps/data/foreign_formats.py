"""Read rows in the formats of other tools as ours: ShareGPT, Alpaca, pairs of whole chats.

A shape says by which keys a row is recognised and how it becomes one of `sweeps.records.FORMATS`. Nothing is guessed:
a row that could mean two formats is refused until `format` says which.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sweeps.records import Format, load_json
from sweeps.rendering.chats import mark_as_read

SYSTEM = ("system", "system_prompt", "system_message")  # keys beside messages that hold the first of them
WRITTEN = re.compile(r'\s*\[\s*\{\s*"(role|from|content|value)"')  # messages as JSON
TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")  # as in Anthropic's hh-rlhf
ROLES = {
    **dict.fromkeys(("human", "user", "prompter"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model", "chatgpt", "bot"), "assistant"),
    **dict.fromkeys(("tool", "observation", "function_response", "function-response"), "tool"),
    "system": "system",
    "developer": "developer",
}
CALLS = ("function_call", "function-call", "tool_call")


class BadRow(Exception):
    """A row is wrong: the message says what it holds and what is expected."""


class DetectedFormat(NamedTuple):
    """A row in one of our formats, the shape that it had, and the further keys that were read."""

    form: Format
    row: dict[str, Any]
    shape: "ForeignFormat"
    besides: tuple[str, ...]


class ForeignFormat(NamedTuple):
    """The keys that a row must have, those that it may have besides, and what it then means."""

    form: Format
    keys: tuple[str, ...]
    how: str
    make: Callable[[Mapping[str, Any]], dict[str, Any]]
    besides: tuple[str, ...] = ()


def detect_format(row: Mapping[str, Any], form: Format | None, *, asked: bool) -> DetectedFormat | None:
    """Turn a row into one of our formats: `form`, if the rows before it had one or the spec names one.

    None where no shape fits. Raises BadRow.
    """
    fitting = _fitting(frozenset(row))
    if not asked:
        _refuse_two_meanings(fitting, row)
    shape = next((shape for shape in fitting if form is None or _form(shape, row) == form), None)
    if shape is None:
        return None
    besides = tuple(key for key in shape.besides if key in row)
    return DetectedFormat(_form(shape, row), shape.make(row), shape, besides)


@lru_cache(maxsize=256)
def _fitting(keys: frozenset[str]) -> tuple["ForeignFormat", ...]:
    return tuple(shape for shape in SHAPES if keys >= {*shape.keys})


def _form(shape: ForeignFormat, row: Mapping[str, Any]) -> Format:
    """Call a prompt with its completion a chat if they are messages."""
    of_messages = shape.form == "completion" and any(_are_messages(row[key]) for key in shape.keys)
    return "chat" if of_messages else shape.form


def _refuse_two_meanings(fitting: Sequence[ForeignFormat], row: Mapping[str, Any]) -> None:
    """Refuse a row of two formats; a text beside another format is made from it and is dropped."""
    if len(fitting) < 2 or _are_single(row):
        return
    meant = {_form(shape, row): shape for shape in reversed(fitting) if shape.form != "text"}
    if len(meant) > 1:
        both = " and ".join(f"{form} ({', '.join(shape.keys)})" for form, shape in reversed(meant.items()))
        choices = " or ".join(f"`format: {form}`" for form in reversed(meant))
        raise BadRow(f"expected the keys of one format, got those of {both}; write {choices}")


def _are_single(row: Mapping[str, Any]) -> bool:
    """Say whether both answers are one message each: after the messages before them they can only be a pair."""
    return all(isinstance(row.get(side), dict) for side in ("chosen", "rejected"))


def load_if_json(value: object, key: str) -> Any:
    """Load a list or an object that was written as text, as columns of a table have it."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return load_json(value)
    except (ValueError, RecursionError) as error:
        raise BadRow(
            f"{key}: expected JSON, got text that begins like it ({error}); write it with json.dumps"
        ) from None


def read_messages(value: object, key: str) -> list[dict[str, Any]]:
    """Messages with role and content, from a list of them, from its JSON, or from ShareGPT's `from` and `value`."""
    messages = _rows_of_columns(load_if_json(value, key))
    if not isinstance(messages, list) or not messages:
        raise BadRow(f"{key}: expected a list of messages, each with role and content")
    return [_message(message, f"{key}[{place}]") for place, message in enumerate(messages)]


def _rows_of_columns(value: Any) -> Any:
    """Some tables keep a list of objects as an object of lists."""
    if not isinstance(value, dict) or not value or not all(isinstance(column, list) for column in value.values()):
        return value
    if len({len(column) for column in value.values()}) != 1:
        return value
    return [dict(zip(value, column, strict=True)) for column in zip(*value.values(), strict=True)]


def _message(value: object, where: str) -> dict[str, Any]:
    """Drop keys that are null, except `content`; a message of calls alone gets an empty content."""
    if not isinstance(value, dict):
        raise BadRow(f"{where}: expected an object with role and content")
    message = {key: content for key, content in value.items() if content is not None or key == "content"}
    if isinstance(message.get("from"), str) and "value" in message and "role" not in message:
        message = _read_sharegpt_message(message, where)
    if "content" not in message and message.get("tool_calls"):
        message["content"] = ""
    if not isinstance(message.get("role"), str) or "content" not in message:
        raise BadRow(f"{where}: expected an object with role and content")
    return message


def _read_sharegpt_message(message: dict[str, Any], where: str) -> dict[str, Any]:
    """Read a message of ShareGPT; its other keys stay."""
    speaker, value = message.pop("from"), message.pop("value")
    if speaker in CALLS:
        return {"role": "assistant", "content": "", "tool_calls": _calls(value, where), **message}
    if speaker not in ROLES:
        raise BadRow(f"{where}: expected from one of {', '.join((*ROLES, CALLS[0]))}, got {speaker!r}")
    return {"role": ROLES[speaker], "content": value, **message}


def _calls(value: object, where: str) -> list[dict[str, Any]]:
    loaded = load_if_json(value, where)
    calls = loaded if isinstance(loaded, list) else [loaded]
    if not calls or not all(isinstance(call, dict) and {"name", "arguments"} <= call.keys() for call in calls):
        raise BadRow(f"{where}: expected a call, JSON with name and arguments")
    return [{"type": "function", "function": {key: call[key] for key in ("name", "arguments")}} for call in calls]


def _chat(key: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda row: {"messages": _led(row, read_messages(row[key], key))}


def _led(row: Mapping[str, Any], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the text that stands as `system` beside the messages before them."""
    for key in SYSTEM:
        instruction = row.get(key)
        if instruction is None or instruction == "":
            continue
        if not isinstance(instruction, str):
            raise BadRow(f"{key}: expected text, got a JSON {type(instruction).__name__}")
        if messages and messages[0]["role"] == "system":
            if messages[0]["content"] != instruction:
                raise BadRow(f"{key}: expected one system message, got another one in the messages; keep one")
        else:
            messages = [{"role": "system", "content": instruction}, *messages]
    return messages


def _alpaca(question: str, answer: str, before: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Instruction and input are what the user says, with a blank line between them."""

    def make(row: Mapping[str, Any]) -> dict[str, Any]:
        content = row[answer]
        if not isinstance(content, str) or not content.strip():
            raise BadRow(f"{answer}: expected text that is not empty, to learn from")
        return {"messages": [*_instructed(row, question, before), {"role": "assistant", "content": content}]}

    return make


def _instructed(row: Mapping[str, Any], question: str, before: str) -> list[dict[str, Any]]:
    texts = [row.get(key) for key in (question, before)]
    if any(not isinstance(text, str) for text in texts if text is not None):
        raise BadRow(f"{question}, {before}: expected text")
    asked = "\n\n".join(text for text in texts if text and text.strip())
    if not asked:
        raise BadRow(f"{question}, {before}: expected a question, got empty text")
    return _led(row, [*_history(row.get("history")), {"role": "user", "content": asked}])


def _history(value: object) -> list[dict[str, Any]]:
    turns = load_if_json(value, "history") or []
    if not isinstance(turns, list) or not all(_is_turn(turn) for turn in turns):
        raise BadRow("history: expected a list of pairs of texts, [question, answer]")
    return [{"role": role, "content": text} for turn in turns for role, text in zip(("user", "assistant"), turn)]  # noqa: B905


def _is_turn(turn: object) -> bool:
    return isinstance(turn, list) and len(turn) == 2 and all(isinstance(text, str) for text in turn)


def _completion(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return both as they are, or as one chat if they are messages; then the completion bears loss."""
    prompt, completion = (read_messages_if_any(row[key], key) for key in ("prompt", "completion"))
    if not _are_messages(prompt) and not _are_messages(completion):
        _refuse_system(row)
        return {"prompt": prompt, "completion": completion}
    before = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}] if prompt else []
    behind = completion if isinstance(completion, list) else [{"role": "assistant", "content": completion}]
    return {"messages": _led(row, [*[dict(mark_as_read(message)) for message in before], *behind])}


def read_messages_if_any(value: object, key: str) -> object:
    """Messages where there are some, or the JSON of some, else the value as it is."""
    return read_messages([value] if isinstance(value, dict) else value, key) if _are_messages(value) else value


def _are_messages(value: object) -> bool:
    written = isinstance(value, str) and WRITTEN.match(value)
    return bool(written) or (isinstance(value, list | dict) and bool(value))


def _pair(row: Mapping[str, Any]) -> dict[str, Any]:
    """Prompt and sides, each as text or as messages; without a prompt, two whole chats that begin alike."""
    sides = {side: read_messages_if_any(row[side], side) for side in ("chosen", "rejected")}
    prompt = _prompt(row)
    if prompt is None and all(isinstance(side, str) for side in sides.values()):
        sides = {key: _split_turns(str(side), key) for key, side in sides.items()}
    if isinstance(prompt, list) or any(isinstance(side, list) for side in sides.values()):
        asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else prompt or []
        prompt = _led(row, asked) if isinstance(asked, list) else asked
    else:
        _refuse_system(row)
    return {"prompt": "" if prompt is None else prompt, **sides}


def _refuse_system(row: Mapping[str, Any]) -> None:
    for key in SYSTEM:
        if row.get(key):
            raise BadRow(
                f"{key} cannot be used with text; write it into the prompt, or write prompt and answer as messages"
            )


def _prompt(row: Mapping[str, Any]) -> object:
    there = [key for key in ASKED if row.get(key)]
    if len(there) > 1:
        raise BadRow(f"expected one prompt for chosen and rejected, got {' and '.join(there)}")
    if row.get("prompt") is not None:
        return read_messages_if_any(row["prompt"], "prompt")
    for key in ("conversations", "conversation"):
        if row.get(key):
            return read_messages(row[key], key)
    return _instructed(row, "instruction", "input") if row.get("instruction") else None


def _split_turns(text: str, key: str) -> list[dict[str, Any]]:
    r"""Split a text such as "\n\nHuman: …\n\nAssistant: …" into messages."""
    turns = [(match[1], match.start(), match.end()) for match in TURN.finditer(text)]
    if not turns or text[: turns[0][1]].strip():
        raise BadRow(
            f"chosen and rejected without a prompt, and {key} does not begin with Human: as a chat in text does"
        )
    ends = [begin for _, begin, _ in turns[1:]] + [len(text)]
    return [
        {"role": "user" if who == "Human" else "assistant", "content": text[begin:end].strip()}
        for (who, _, begin), end in zip(turns, ends, strict=True)
    ]


def _same(*keys: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return lambda row: {key: row[key] for key in keys}


ALPACA = ("input", "history", *SYSTEM)
ASKED = ("prompt", "conversations", "conversation", "instruction")  # where the prompt of a pair may stand
SHAPES: tuple[ForeignFormat, ...] = (
    ForeignFormat("preference", ("chosen", "rejected"), "", _pair, (*ASKED, *ALPACA)),
    ForeignFormat("chat", ("messages",), "", _chat("messages"), SYSTEM),
    ForeignFormat("chat", ("conversations",), "ShareGPT", _chat("conversations"), SYSTEM),
    ForeignFormat("chat", ("conversation",), "ShareGPT", _chat("conversation"), SYSTEM),
    ForeignFormat("chat", ("instruction", "output"), "Alpaca", _alpaca("instruction", "output", "input"), ALPACA),
    ForeignFormat(
        "chat",
        ("instruction", "response"),
        "Dolly",
        _alpaca("instruction", "response", "context"),
        ("context", *SYSTEM),
    ),
    ForeignFormat("completion", ("prompt", "completion"), "", _completion, SYSTEM),
    ForeignFormat("transcript", ("parts",), "", _same("parts")),
    ForeignFormat("questions", ("question", "answers"), "", dict),
    ForeignFormat("questions", ("question", "answer"), "", dict),
    ForeignFormat("text", ("text",), "", _same("text")),
)
