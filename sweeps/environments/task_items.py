"""Draw the content of a task from its seed, for one split only."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from sweeps.environments import Split
from sweeps.stats.prng import RandomStream

TESTED = 4  # one task in four belongs to the split "test", the others to "train"

T = TypeVar("T")


def draw_task(family: str, seed: int, split: Split, draw: Callable[[RandomStream], T]) -> T:
    """Draw the first task of the seed that belongs to the split.

    A hash of the task itself assigns its split, so that no task is ever in both, whatever the seeds.
    """
    dice = seed_stream(family, seed)
    while assign_split(family, item := draw(dice)) != split:
        pass
    return item


def assign_split(family: str, item: object) -> Split:
    return "test" if _number(f"{family} {item}") % TESTED == 0 else "train"


def seed_stream(family: str, seed: int) -> RandomStream:
    """Make the random stream of a seed; each family of tasks has its own."""
    return RandomStream((_number(family) << 64) + seed)


def _number(text: str) -> int:
    """Hash a text to a number from 0 to 2^64 - 1."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
