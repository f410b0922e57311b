"""Random numbers from a seed, by raw words of Philox, which are the same in every version of numpy."""

from collections.abc import Iterator

BLOCK = 64  # words at once; the number does not change the words


class RandomStream:
    """One stream of random numbers; the key is a number from 0 to 2^128 - 1."""

    def __init__(self, key: int) -> None:
        self._words = _stream(key)

    def draw_below(self, count: int) -> int:
        """Draw from 0 to count - 1; uniform except for less than one part in 2^48 / count."""
        return next(self._words) % count

    def chance(self, share: float) -> bool:
        return self.draw_below(1_000_000) < share * 1_000_000

    def one_of(self, letters: str) -> str:
        return letters[self.draw_below(len(letters))]


def _stream(key: int) -> Iterator[int]:
    import numpy as np  # slow to import, and most users of this module draw nothing

    source = np.random.Philox(key=key)
    while True:
        yield from (source.random_raw(BLOCK) >> np.uint64(16)).tolist()
