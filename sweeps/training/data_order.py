"""Which examples a subset holds, and in which order training visits them.

Every order is a permutation: the stable argsort of raw Philox words whose key hashes (purpose, seed, epoch).
The raw words are the cipher's own output, so they stay the same on every platform and in every numpy; numpy's
`permutation` promises no such thing. Purposes differ, so a subset's order says nothing about its batches.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sweeps.errors import DataError

Positions = npt.NDArray[np.int64]


def order_subset(count: int, seed: int) -> Positions:
    """A permutation of `count` rows; its first n entries are the subset of size n, so subsets nest."""
    return _permutation("subset", count, seed, 0)


def hash_prefixes(digests: Sequence[bytes], order: Positions, sizes: Iterable[int]) -> dict[int, str]:
    """For each size n the SHA-256 (hex) over the first n digests in that order: one pass for all sizes.

    Equal hashes prove equal prefixes. A size beyond the rows is a DataError.
    """
    wanted = sorted(set(sizes))
    if wanted and (wanted[0] < 0 or wanted[-1] > len(order)):
        raise DataError(f"subset sizes {wanted}: there are {len(order)} rows, a size lies between 0 and that")
    prefix, done, hashes = hashlib.sha256(), 0, {}
    for size in wanted:
        prefix.update(b"".join(digests[row] for row in order[done:size]))
        hashes[size], done = prefix.hexdigest(), size
    return hashes


def select_batch(step: int, *, size: int, batch_size: int, seed: int) -> Positions:
    """The positions within the subset that optimizer step `step` (from 0) trains on.

    An endless stream of epochs, each its own permutation, cut into batches of min(batch_size, size): a batch
    may run across the border of two epochs, and then may hold a row twice.
    """
    batch = min(batch_size, size)
    epoch, start = divmod(step * batch, size)
    rows = _epoch(size, seed, epoch)[start : start + batch]
    if len(rows) == batch:
        return rows
    return np.concatenate([rows, _epoch(size, seed, epoch + 1)[: batch - len(rows)]])


def count_visits(steps: int, *, size: int, batch_size: int, seed: int) -> Positions:
    """How often each position of the subset is visited in `steps` steps: full epochs, and a part of one."""
    epochs, rest = divmod(steps * min(batch_size, size), size)
    counts = np.full(size, epochs, dtype=np.int64)
    counts[_epoch(size, seed, epochs)[:rest]] += 1
    return counts


@lru_cache(maxsize=16)
def _epoch(size: int, seed: int, epoch: int) -> Positions:
    order = _permutation("epoch", size, seed, epoch)
    order.flags.writeable = False
    return order


def _permutation(purpose: str, count: int, seed: int, epoch: int) -> Positions:
    key = hashlib.sha256(f"{purpose}:{seed}:{epoch}".encode()).digest()[:16]
    words = np.random.Philox(key=int.from_bytes(key, "little")).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64)
