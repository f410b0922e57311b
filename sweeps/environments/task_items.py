"""What a task is about: drawn from its seed, and of one split only."""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from sweeps.environments import Split
from sweeps.prng import Dice

TESTED = 4  # one item in four belongs to the split "test", the others to "train"

T = TypeVar("T")


def drawn(family: str, seed: int, split: Split, draw: Callable[[Dice], T]) -> T:
    """The first item that the seed's dice draw and that belongs to the split.

    To which split an item belongs is a hash of the item itself, so that no item is ever in both, whatever the seeds.
    """
    dice = dice_of(family, seed)
    while split_of(family, item := draw(dice)) != split:
        pass
    return item


def split_of(family: str, item: object) -> Split:
    return "test" if _number(f"{family} {item}") % TESTED == 0 else "train"


def dice_of(family: str, seed: int) -> Dice:
    """The dice of a seed; each family of tasks has its own."""
    return Dice((_number(family) << 64) + seed)


def _number(text: str) -> int:
    """From 0 to 2^64 - 1."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
