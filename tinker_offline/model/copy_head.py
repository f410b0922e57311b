"""Look back: find which token followed when the last k tokens were last written in the same sequence.

A model with this feature can copy from what it reads: the induction heads of transformers (Olsson
et al., 2022), as features. One trained weight per k says how much to trust it; it is 0 in the base,
so copying is learnt.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
NOTHING = -1  # the last k tokens were never written before
_DIGIT = 100  # a context is a number in this base


def look_up(tokens: Ints, lengths: Sequence[int], copies: Sequence[int]) -> Ints:
    """Return what each k finds at every position of sequences of these lengths: (positions, k)."""
    finds = np.full((len(tokens), len(copies)), NOTHING, np.int64)
    sequences = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    for column, k in enumerate(copies):
        ends = np.flatnonzero(places >= k - 1)
        keys = sequences[ends]
        for back in reversed(range(k)):
            keys = keys * _DIGIT + tokens[ends - back]
        order = np.argsort(keys, kind="stable")
        before, after = order[:-1], order[1:]
        again = keys[before] == keys[after]
        finds[ends[after[again]], column] = tokens[ends[before[again]] + 1]
    return finds


class Memory:
    """The same for sequences that grow token by token after one prompt."""

    def __init__(self, prompt: Sequence[int], count: int, copies: Sequence[int]) -> None:
        self._copies = copies
        self._seen: list[dict[tuple[int, ...], int]] = [{}]
        self._written = [list[int]()]
        for token in prompt:
            self._write(0, token)
        self._seen = [dict(self._seen[0]) for _ in range(count)]
        self._written = [list(self._written[0]) for _ in range(count)]

    def look(self, running: npt.NDArray[np.intp]) -> Ints:
        """Return what each of these sequences finds after its last token: (running, k)."""
        finds = np.empty((len(running), len(self._copies)), np.int64)
        if self._copies:
            finds[...] = [[self._find(index, k) for k in self._copies] for index in running.tolist()]
        return finds

    def write(self, running: npt.NDArray[np.intp], tokens: Ints) -> None:
        """Append one token to each of these sequences."""
        if self._copies:
            for index, token in zip(running.tolist(), tokens.tolist(), strict=True):
                self._write(index, token)

    def _write(self, index: int, token: int) -> None:
        written = self._written[index]
        for k in self._copies:
            if len(written) >= k:
                self._seen[index][tuple(written[-k:])] = token
        written.append(token)

    def _find(self, index: int, k: int) -> int:
        written = self._written[index]
        return self._seen[index].get(tuple(written[-k:]), NOTHING) if len(written) >= k else NOTHING
