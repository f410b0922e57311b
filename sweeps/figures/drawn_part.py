"""Choose what a figure shows of more than it has room for."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def choose_evenly(all_: Sequence[T], most: int) -> list[T]:
    """Choose at most this many, evenly spaced, with the first and the last: a figure has room for no more."""
    if len(all_) <= most:
        return list(all_)
    return [all_[round(place * (len(all_) - 1) / (most - 1))] for place in range(most)]
