"""Measure two ways of doing a thing in turn, so that what the machine does meanwhile falls on both alike."""

import sys
from collections.abc import Callable
from typing import TypeVar

from benchmarks.row import PAIRS

Measured = TypeVar("Measured")


def alternate(
    ours: Callable[[], Measured], theirs: Callable[[], Measured], pairs: int = PAIRS
) -> tuple[list[Measured], list[Measured]]:
    """Measure A B, B A, A B, …: each pair is adjacent, and neither is always first."""
    first, second = list[Measured](), list[Measured]()
    for number in range(pairs):
        order = [(first, ours), (second, theirs)]
        for kept, measure in order if number % 2 == 0 else reversed(order):
            kept.append(measure())
        say(f"  pair {number + 1} of {pairs}: ours {first[-1]}, theirs {second[-1]}")
    return first, second


def say(line: str) -> None:
    """Print a line of progress at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
