"""Fit the frozen base models to the installation's own text, once, and cache them.

Fitted by generalised iterative scaling (Darroch and Ratcliff, 1972): every weight moves by the log
of how often its token followed its context, divided by how often the model expects it to. Equal
contexts are merged, so a round takes a tenth of a second. The file's name hashes the recipe and the
text's edition; a lock lets a second server wait instead of fitting the same base again. Writes to
the cache folder.
"""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinker_offline.atomic_files import write_file
from tinker_offline.model import characters, corpus
from tinker_offline.model.ngram import Base, Floats, Ints, Rows, Size, base_logits, softmax, sum_groups, window_rows

CHUNK = 2048  # contexts at once: their data fit in the processor's cache


class Recipe(NamedTuple):
    """How a base is fitted; the name of its file hashes it.

    `prior` is added to both counts, so that rare contexts say little. Few rounds keep the weights small: with
    many, the base would know its own text better and other text worse.
    """

    size: Size
    records: int = 120_000
    rounds: int = 6
    rate: float = 2.0  # divided by the number of orders
    prior: float = 20.0
    version: int = 4  # raise it when the fitting below changes


def load_base(size: Size, cache: Path) -> Base:
    """Return the base of this size; fit it now (a few seconds) if it is not cached."""
    recipe = Recipe(size)
    name = hashlib.sha256(f"{recipe} {corpus.text_edition()}".encode()).hexdigest()[:16]
    path = cache / f"{size.name.rsplit('/', 1)[-1]}-{name}.npz"
    with _lock(path.with_suffix(".lock")):
        if not path.exists():
            base = train_base(recipe)
            write_file(path, lambda file: np.savez(file, weights=base.weights, bias=base.bias))
    with np.load(path) as arrays:
        return Base(size, arrays["weights"], arrays["bias"])


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Counts(NamedTuple):
    """The text with equal contexts merged.

    The rows of each context (contexts, orders), how often it occurs (contexts,), and how often each token
    follows in each row (features, vocabulary).
    """

    rows: Rows
    times: Floats
    observed: Floats


def train_base(recipe: Recipe) -> Base:
    targets = np.array(characters.encode("".join(corpus.read_records(recipe.records)))).reshape(-1, corpus.RECORD)
    counts = _count(targets, recipe.size)
    often = np.bincount(targets.ravel(), minlength=characters.SIZE) + 0.5
    base = Base(recipe.size, np.zeros_like(counts.observed), np.log(often / often.max()).astype(np.float32))
    for _ in range(recipe.rounds):
        move = (counts.observed + recipe.prior) / (_compute_expected(base, counts) + recipe.prior)
        base.weights[...] += recipe.rate / recipe.size.orders * np.log(move)
    return base


def _count(targets: Ints, size: Size) -> Counts:
    """Count the contexts. A context is a number in base 100, newest token first, so that neighbours share rows."""
    records, length = targets.shape
    edge = [np.full((records, size.orders - 1), characters.SIZE), np.full((records, 1), characters.BEGIN)]
    text = np.column_stack([*edge, targets])
    window = [text[:, size.orders - 1 - back :][:, :length] for back in range(size.orders)]
    key = np.zeros_like(targets)
    for tokens in [*window, targets]:
        key = key * 100 + tokens
    pairs, times = np.unique(key, return_counts=True)
    contexts, context = np.unique(pairs // 100, return_inverse=True)
    rows = window_rows([contexts // 100**back % 100 for back in reversed(range(size.orders))], size)
    observed = np.zeros(size.features * characters.SIZE)
    for column in rows[context].T:
        cells = column.astype(np.int64) * characters.SIZE + pairs % 100
        observed += np.bincount(cells, times, len(observed))
    total = np.bincount(context, times).astype(np.float32)
    return Counts(rows, total, observed.reshape(size.features, -1).astype(np.float32))


def _compute_expected(base: Base, counts: Counts) -> Floats:
    """Return how often each token would follow in each row if the base were right: (features, vocabulary)."""
    expected = np.zeros_like(base.weights)
    for start in range(0, len(counts.rows), CHUNK):
        rows = counts.rows[start : start + CHUNK]
        chances = softmax(base_logits(base, rows))
        chances *= counts.times[start : start + CHUNK, None]
        reached, sums = sum_groups(rows, chances)
        expected[reached] += sums
    return expected
