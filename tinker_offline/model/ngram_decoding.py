"""Compute the next token's chances for texts of an n-gram model that grow side by side."""

import numpy as np
import numpy.typing as npt

from tinker_offline.model.copy_head import Memory
from tinker_offline.model.ngram import (
    Adapter,
    Base,
    Floats,
    Ints,
    hash_rows,
    last_keys,
    log_softmax,
    logits,
    next_keys,
)


class NgramDecoder:
    """Texts with one prompt that grow side by side."""

    def __init__(self, base: Base, adapter: Adapter, prompt: Ints, count: int) -> None:
        self._base, self._adapter = base, adapter
        self._keys = np.repeat(last_keys(prompt, base.size), count, axis=0)
        self._memory = Memory(prompt.tolist() if base.size.copies else (), count, base.size.copies)

    def logprobs(self, running: npt.NDArray[np.intp]) -> Floats:
        """Return the log-probabilities of the next token of each of these texts: (running, vocabulary)."""
        rows = hash_rows(self._keys.take(running, axis=0), self._base.size)
        return log_softmax(logits(self._base, self._adapter, rows, self._memory.look(running))[0])

    def write(self, running: npt.NDArray[np.intp], tokens: Ints) -> None:
        """Append one token to each of these texts."""
        self._memory.write(running, tokens)
        self._keys[running] = next_keys(self._keys.take(running, axis=0), tokens)
