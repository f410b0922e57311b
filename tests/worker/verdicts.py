"""Checks of answers as people write them, and as they fail: each in the way that the answer names."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

KNOWN = {"right": 1, "wrong": False, "half": 0.5}


def odd(answer: str, answers: list[str]) -> Any:
    """What the answer asks for; a plain one is compared."""
    if answer in KNOWN:
        return KNOWN[answer]
    return WAYS[answer]() if answer in WAYS else answer in answers


def lengths(answer: str, answers: list[str], *, most: int = 2) -> bool:
    """One that takes more than it has to."""
    return len(answer) <= most or answer in answers


def picky(answer: str, answers: list[str]) -> float:
    """Cannot say anything about an answer to some of the questions."""
    if answers[0][0] in "bcdfg":
        raise LookupError(f"no such word as {answers[0]}")
    return len(answer) / (1 + len(answer))


def early(answer: str, answers: list[str]) -> bool | str:
    """Is about the questions whose answer begins with an early letter."""
    return answer in answers if answers[0][0] in "bcdfg" else "not applicable"


def cites(answer: str, _answers: list[str], passages: list[str]) -> bool:
    """Whether it stands in a passage that it was given."""
    return any(answer in passage for passage in passages)


def never(_answer: str, _answers: list[str]) -> str:
    return "not applicable"


def hopeless(answer: str, answers: list[str]) -> float:
    raise KeyError(answer or answers[0])


async def later(answer: str, answers: list[str]) -> bool:
    return answer in answers


def lonely(answer: str) -> bool:
    return bool(answer)


def _steer() -> float:
    raise ValueError("\x1b[31mred\n\ud800 é")


def _raise() -> float:
    raise ValueError("no such unit")


def _hang() -> None:
    while True:
        pass


def _leave() -> None:
    os.write(2, b"goodbye")
    os._exit(3)


def _starve() -> int:
    return len(bytearray(10**12))


def _recurse() -> Any:
    return _recurse()


def _tell() -> str:
    return " ".join(f"{name}={value}" for name, value in os.environ.items())


def _print() -> bool:
    sys.stdout.write("prompt 1 turn [] \n" * 5000)
    return True


WAYS: dict[str, Callable[[], Any]] = {
    "raise": _raise,
    "steer": _steer,
    "hang": _hang,
    "leave": _leave,
    "exit": sys.exit,
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "starve": _starve,
    "recurse": _recurse,
    "nan": lambda: float("nan"),
    "over": lambda: 1.5,
    "under": lambda: -0.1,
    "text": lambda: "yes",
    "none": lambda: None,
    "print": _print,
    "secret": lambda: 1.0 * ("s3cret" not in _tell()),
}
