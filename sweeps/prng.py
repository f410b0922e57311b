"""Chances that follow from a seed, through raw words of Philox, which no version of numpy changes."""

from collections.abc import Iterator

BLOCK = 64  # words at once; how many makes no difference to what they are


class RandomStream:
    """One stream of chances; the key is a number from 0 to 2^128 - 1."""

    def __init__(self, key: int) -> None:
        self._words = _stream(key)

    def below(self, count: int) -> int:
        """From 0 to count - 1; evenly, but for less than one part in 2^48 / count."""
        return next(self._words) % count

    def chance(self, share: float) -> bool:
        return self.below(1_000_000) < share * 1_000_000

    def one_of(self, letters: str) -> str:
        return letters[self.below(len(letters))]


def _stream(key: int) -> Iterator[int]:
    import numpy as np  # heavy, and who merely names a change of a question throws no dice

    source = np.random.Philox(key=key)
    while True:
        yield from (source.random_raw(BLOCK) >> np.uint64(16)).tolist()
