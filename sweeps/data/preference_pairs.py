"""Preference pairs of messages: where the prompt ends and the two answers begin, however the sides repeat it.

People's files write one pair in many ways: the sides hold the answer alone, or the whole chat; the prompt stands beside
them as its first message, as its last question, without the system message, or not at all. All of them mean one prompt
and two answers. What cannot be told is refused: else the model would read a question twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sweeps.errors import DataError
from sweeps.records import Row
from sweeps.rendering.chats import FLAGS

Message = Mapping[str, Any]
SIDES = ("chosen", "rejected")
ANSWERING = ("assistant", "tool")  # roles that an answer may begin with


class PreferencePair(NamedTuple):
    """One prompt and the two answers to it, all as messages."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]


def divide(row: Row) -> PreferencePair:
    """Divide a row into prompt and answers. Raises DataError if it is not clear where the prompt ends."""
    prompt = _read_messages(row["prompt"], "user", "prompt")
    sides = [_read_messages(row[side], "assistant", side) for side in SIDES]
    for side, name in zip(sides, SIDES, strict=True):
        _refuse_without_answer(side, name)
    if prompt:
        asked = [_prompt_of(prompt, side, name) for side, name in zip(sides, SIDES, strict=True)]
        (whole, begins), (other, goes_on) = asked
        if not _equal(whole, other):
            raise DataError("expected two answers to one prompt, got chosen and rejected with different prompts")
    else:
        whole, begins = _find_common_prompt(*sides)
        goes_on = begins
    return PreferencePair(whole, _answer(sides[0][begins:], "chosen"), _answer(sides[1][goes_on:], "rejected"))


def _prompt_of(prompt: list[Message], side: list[Message], name: str) -> tuple[list[Message], int]:
    """Return the whole prompt of a side, and how many of the side's messages belong to it."""
    place = _overlap(prompt, side)
    if place is not None:
        end = place + len(prompt)
        return [*prompt[: max(0, -place)], *side[:end]], end
    if side and side[0]["role"] not in ANSWERING:
        got = f"a message of {side[0]['role']} first, which is not the prompt"
        raise DataError(f"{name}: expected the answer, or exactly the prompt and then the answer, got {got}")
    if any(_equal(prompt, side[at : at + len(prompt)]) for at in range(1, len(side))):
        raise DataError(f"{name}: expected the answer alone, got the prompt once more after an answer")
    return prompt, 0


def _overlap(prompt: list[Message], side: list[Message]) -> int | None:
    """Find where in the side the prompt begins: below 0 if only its end is repeated, None if nothing is.

    First as the side's beginning, then by its end, then as the last question of a longer chat.
    """
    answers = not side or side[0]["role"] in ANSWERING
    repeated = [-skipped for skipped in range(1, len(prompt)) if not answers or len(prompt) - skipped > 1]
    later = [] if answers else range(len(side) - len(prompt), 0, -1)
    for place in (0, *repeated, *later):
        begin, end = max(0, place), place + len(prompt)
        if end <= len(side) and _equal(prompt[begin - place :], side[begin:end]):
            return place
    return None


def _find_common_prompt(chosen: list[Message], rejected: list[Message]) -> tuple[list[Message], int]:
    """Take what both sides begin with as the prompt, if the row has none."""
    count = 0
    while count < min(len(chosen), len(rejected)) and _same(chosen[count], rejected[count]):
        count += 1
    return chosen[:count], count


def _answer(answer: list[Message], name: str) -> list[Message]:
    _refuse_without_answer(answer, name)
    if answer[0]["role"] not in ANSWERING:
        raise DataError(f"{name}: expected the answer after the prompt, got a message of {answer[0]['role']}")
    return answer


def _refuse_without_answer(messages: list[Message], name: str) -> None:
    if not any(message["role"] == "assistant" for message in messages):
        raise DataError(f"{name}: expected a message of the assistant, got none")


def _equal(some: Sequence[Message], others: Sequence[Message]) -> bool:
    return len(some) == len(others) and all(map(_same, some, others))


def _same(message: Message, other: Message) -> bool:
    """Say whether two messages are equal up to white space."""
    return _normalize_message(message) == _normalize_message(other)


def _normalize_message(message: Message) -> dict[str, Any]:
    others = {key: value for key, value in message.items() if value is not None and key not in (*FLAGS, "content")}
    return {**others, "content": _normalize_space(message.get("content"))}


def _normalize_space(content: Any) -> Any:
    if isinstance(content, list) and all(isinstance(part, Mapping) and "text" in part for part in content):
        content = "".join(str(part["text"]) for part in content)
    return " ".join(content.split()) if isinstance(content, str) else content


def _read_messages(value: object, role: str, key: str) -> list[Message]:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value else []
    if not isinstance(value, Sequence) or not all(map(_is_message, value)):
        raise DataError(f"{key}: expected text, or a list of messages, each with role and content")
    return list(value)


def _is_message(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("role"), str) and "content" in value
