"""Choose the examples of a subset, and the order in which training visits them.

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


def order_subset(count: int, seed: int, groups: Sequence[str] = ()) -> Positions:
    """Permute `count` rows; the first n entries are the subset of size n, so subsets nest.

    With the group of each row, groups are permuted, and the rows of each stay together, in their order.
    """
    if not groups:
        return _permutation("subset", count, seed, 0)
    places = _number(groups)
    ranks = np.argsort(_permutation("groups", int(places.max()) + 1, seed, 0))
    return np.argsort(ranks[places], kind="stable").astype(np.int64)


def count_group_rows(order: Positions, groups: Sequence[str], size: int) -> int:
    """Count the rows of the first `size` groups in that order."""
    sizes = np.bincount(_number([groups[row] for row in order]))
    return int(sizes[:size].sum())


def count_units(rows: int, seed: int, groups: Sequence[str]) -> int:
    """Count what a size counts in the first `rows` rows of a seed's order: their groups, or rows without any."""
    return len({groups[row] for row in order_subset(len(groups), seed, groups)[:rows]}) if groups else rows


def _number(groups: Sequence[str]) -> Positions:
    """Number the groups by their first rows."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)


def hash_prefixes(digests: Sequence[bytes], order: Positions, sizes: Iterable[int]) -> dict[int, str]:
    """Hash the first n digests in that order (SHA-256, hex) for each size n, in one pass.

    Equal hashes prove equal prefixes. A size beyond the rows is a DataError.
    """
    wanted = sorted(set(sizes))
    if wanted and (wanted[0] < 0 or wanted[-1] > len(order)):
        raise DataError(f"expected subset sizes from 0 to {len(order)}, the number of rows, got {wanted}")
    prefix, done, hashes = hashlib.sha256(), 0, {}
    for size in wanted:
        prefix.update(b"".join(digests[row] for row in order[done:size]))
        hashes[size], done = prefix.hexdigest(), size
    return hashes


def select_batch(step: int, *, size: int, batch_size: int, seed: int) -> Positions:
    """Select the positions within the subset that optimizer step `step` (from 0) trains on.

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
    """Count how often `steps` steps visit each position of the subset: full epochs, and a part of one."""
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
