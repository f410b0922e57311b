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
    found = np.full((len(tokens), len(copies)), NOTHING, np.int64)
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
        found[ends[after[again]], column] = tokens[ends[before[again]] + 1]
    return found


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
        found = np.empty((len(running), len(self._copies)), np.int64)
        if self._copies:
            found[...] = [[self._find(one, k) for k in self._copies] for one in running.tolist()]
        return found

    def write(self, running: npt.NDArray[np.intp], tokens: Ints) -> None:
        """Append one token to each of these sequences."""
        if self._copies:
            for one, token in zip(running.tolist(), tokens.tolist(), strict=True):
                self._write(one, token)

    def _write(self, one: int, token: int) -> None:
        written = self._written[one]
        for k in self._copies:
            if len(written) >= k:
                self._seen[one][tuple(written[-k:])] = token
        written.append(token)

    def _find(self, one: int, k: int) -> int:
        written = self._written[one]
        return self._seen[one].get(tuple(written[-k:]), NOTHING) if len(written) >= k else NOTHING
