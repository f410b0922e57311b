"""What other people's code may return: each thing as a plain value of a bearable size, or Unwelcome with the reason."""

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import cast

PARTS = 100_000  # things in one answer: what is within itself has no end


class Unwelcome(Exception):
    """What was returned cannot be used. The message says why."""


def spelled(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Unwelcome(f"what cannot be written as JSON: {error}") from None


def text_of(text: object, what: str, most: int) -> object:
    """Plain text or messages, of a bearable size."""
    _weigh(text, what, most)
    if isinstance(text, str):
        return text
    if not isinstance(text, Sequence) or isinstance(text, bytes | bytearray):
        raise Unwelcome(f"{kind_of(text)} as its {what} where text or messages are right")
    for message in text:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise Unwelcome(f"{kind_of(message)} among the messages of its {what} that has no role")
        if not isinstance(message.get("content"), str):
            raise Unwelcome(f"a message in its {what} whose content is {kind_of(message.get('content'))}, not text")
    return [dict(message) for message in text]


def _weigh(value: object, what: str, most: int) -> None:
    """Refuse what is too large before it is spelled, which would need as much memory again."""
    bytes_, parts, left = 0, 0, [value]
    while left:
        one = left.pop()
        parts += 1
        if isinstance(one, str):
            bytes_ += len(one) if len(one) > most or one.isascii() else len(_encoded(one, what))
        elif isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            left += one
        if bytes_ > most or parts + len(left) > PARTS:
            raise Unwelcome(f"more than {most:,} bytes or {PARTS:,} parts as its {what}")


def _encoded(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unwelcome(f"text as its {what} that is no valid Unicode") from None


def facts_of(facts: object) -> dict[str, float]:
    if not isinstance(facts, Mapping):
        raise Unwelcome(f"{kind_of(facts)} as its facts where a mapping of names to numbers is right")
    _weigh(facts, "facts", PARTS)
    wrong = next((name for name in facts if not isinstance(name, str)), None)
    if wrong is not None:
        raise Unwelcome(f"a fact whose name is {kind_of(wrong)}")
    return {name: number_of(value, f"fact {name!r}") for name, value in facts.items()}


def number_of(value: object, what: str) -> float:
    if not isinstance(value, Real):
        raise Unwelcome(f"{kind_of(value)} as its {what} where a number is right")
    number = float(cast(float, value))
    if not math.isfinite(number):
        raise Unwelcome(f"{number} as its {what}")
    return number


def flag_of(done: object) -> bool:
    if _is_flag(done):
        return bool(done)
    raise Unwelcome(f"{kind_of(done)} as its done where True or False is right")


def _is_flag(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")  # numpy has one of its own


def kind_of(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def worth_of(verdict: object) -> float:
    """What a check says that an answer is worth."""
    if _is_flag(verdict):
        return float(bool(verdict))
    right = "where a number from 0 to 1, True or False is right"
    if not isinstance(verdict, Real):
        raise Unwelcome(f"{kind_of(verdict)} {right}")
    worth = float(cast(float, verdict))
    if not 0 <= worth <= 1:  # NaN is not, either
        raise Unwelcome(f"{worth:g} {right}")
    return worth
