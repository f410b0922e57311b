"""Read what a user's code returns: plain values of limited size. Anything else is an InvalidReturn."""

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import cast

from sweeps.environments import REGIME, ROLE
from sweeps.metrics.verdicts import NOT_APPLICABLE

NAME = 100  # bytes of what names a kind
PARTS = 100_000  # values in one answer: one that contains itself would have no end


class InvalidReturn(Exception):
    """A return value that cannot be used; the message reads on from "returned"."""


def encode_json(value: object) -> str:
    """Encode a value as JSON. Raises InvalidReturn."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidReturn(f"what cannot be written as JSON: {error}") from None


def read_text(text: object, what: str, most: int) -> object:
    """Read plain text or messages of at most this many bytes. Raises InvalidReturn."""
    _weigh(text, what, most)
    if isinstance(text, str):
        return text
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray):
        raise InvalidReturn(f"{name_type(text)} as its {what}; expected text or messages")
    for message in text:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise InvalidReturn(f"{name_type(message)} among the messages of its {what} that has no role")
        if not isinstance(message.get("content"), str):
            content = name_type(message.get("content"))
            raise InvalidReturn(f"a message in its {what} whose content is {content}, not text")
    return [dict(message) for message in text]


def _weigh(value: object, what: str, most: int) -> None:
    """Refuse what is too large before it is encoded, which would need as much memory again."""
    bytes_, parts, left = 0, 0, [value]
    while left:
        item = left.pop()
        parts += 1
        if isinstance(item, str):
            bytes_ += len(item) if len(item) > most or item.isascii() else len(_encode(item, what))
        elif isinstance(item, Mapping):
            left += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            left += item
        if bytes_ > most or parts + len(left) > PARTS:
            raise InvalidReturn(f"more than {most:,} bytes or {PARTS:,} parts as its {what}")


def _encode(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidReturn(f"text as its {what} that is no valid Unicode") from None


def read_facts(facts: object) -> dict[str, float | str]:
    """Read the numbers that an environment says of an episode, its regime and its role. Raises InvalidReturn."""
    if not isinstance(facts, Mapping):
        raise InvalidReturn(f"{name_type(facts)} as its facts; expected a mapping of names to numbers")
    _weigh(facts, "facts", PARTS)
    wrong = next((name for name in facts if not isinstance(name, str)), None)
    if wrong is not None:
        raise InvalidReturn(f"a fact whose name is {name_type(wrong)}")
    return {
        name: _read_name(value, f"fact {name!r}") if _is_name(name, value) else read_number(value, f"fact {name!r}")
        for name, value in facts.items()
    }


def _is_name(fact: str, value: object) -> bool:
    return fact in (REGIME, ROLE) and isinstance(value, str)


def _read_name(name: object, what: str) -> str:
    """Read a short text that names a kind, or a role."""
    assert isinstance(name, str)
    _weigh(name, what, NAME)
    return name


def read_number(value: object, what: str) -> float:
    """Read a finite number. Raises InvalidReturn."""
    if not isinstance(value, Real):
        raise InvalidReturn(f"{name_type(value)} as its {what}; expected a number")
    number = float(cast(float, value))
    if not math.isfinite(number):
        raise InvalidReturn(f"{number} as its {what}")
    return number


def read_flag(done: object) -> bool:
    """Read True or False, also of numpy. Raises InvalidReturn."""
    if _is_flag(done):
        return bool(done)
    raise InvalidReturn(f"{name_type(done)} as its done; expected True or False")


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")  # numpy has one of its own


def name_type(value: object) -> str:
    """Name the type of a value for a message: "a list", "None"."""
    return "None" if value is None else f"a {type(value).__name__}"


def read_action(action: object, what: str, most: int) -> str:
    """Read an action that an episode proposes. Raises InvalidReturn."""
    _weigh(action, what, most)
    if not isinstance(action, str):
        raise InvalidReturn(f"{name_type(action)} as {what}; expected text")
    return action


def read_actions(actions: object, most: int) -> list[str]:
    """Read all actions that an episode knows. Raises InvalidReturn."""
    if not isinstance(actions, Sequence) or isinstance(actions, str | bytes | bytearray):
        raise InvalidReturn(f"{name_type(actions)} from list_actions(); expected a list of texts")
    _weigh(list(actions), "the actions of list_actions()", most)
    return [read_action(action, "an action of list_actions()", most) for action in actions]


def read_score(verdict: object) -> float | None:
    """Read the score that a check gives an answer, from 0 to 1; None if it does not apply. Raises InvalidReturn."""
    if _is_flag(verdict):
        return float(bool(verdict))
    if isinstance(verdict, str) and verdict == NOT_APPLICABLE:
        return None
    right = f"; expected a number from 0 to 1, True, False or {NOT_APPLICABLE!r}"
    if not isinstance(verdict, Real):
        raise InvalidReturn(f"{name_type(verdict)}{right}")
    worth = float(cast(float, verdict))
    if not 0 <= worth <= 1:  # NaN is not, either
        raise InvalidReturn(f"{worth:g}{right}")
    return worth
