"""The frozen bases: each is trained once on the installation's own text, and kept.

Trained by AdaGrad on records of the corpus that begin with a begin token, every weight of every row (there is no
adapter yet). The name of the file is a hash of the recipe and of the text's edition; a lock lets a second server
wait for the first instead of training the same base again.
"""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinker_offline import corpus, tokenizer
from tinker_offline.files import write_file
from tinker_offline.ngram import Base, Floats, Ints, Rows, Size, base_logits, context_rows, grouped_sum, softmax


class Recipe(NamedTuple):
    """How a base is trained; what the name of its file hashes."""

    size: Size
    records: int
    steps: int
    batch: int = 64
    learning_rate: float = 0.3
    seed: int = 0
    version: int = 2  # to be raised when the training below changes


RECIPES = {"offline/ngram-s": (48_000, 1500), "offline/ngram-m": (56_000, 1500), "offline/ngram-l": (64_000, 1500)}


def load_base(size: Size, cache: Path) -> Base:
    """The base of this size, trained now if it is not in the cache yet (a few seconds)."""
    recipe = Recipe(size, *RECIPES[size.name])
    name = hashlib.sha256(f"{recipe} {corpus.edition()}".encode()).hexdigest()[:16]
    path = cache / f"{size.name.rsplit('/', 1)[-1]}-{name}.npz"
    with _locked(path.with_suffix(".lock")):
        if not path.exists():
            base = train_base(recipe)
            write_file(path, lambda file: np.savez(file, weights=base.weights, bias=base.bias))
    with np.load(path) as arrays:
        return Base(size, arrays["weights"], arrays["bias"])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def train_base(recipe: Recipe) -> Base:
    text = "".join(corpus.records(recipe.records))
    targets = np.array(tokenizer.encode(text)).reshape(-1, corpus.RECORD)
    contexts = np.column_stack([np.full(len(targets), tokenizer.BEGIN), targets[:, :-1]])
    rows = context_rows(list(contexts), recipe.size).reshape(*targets.shape, recipe.size.orders)
    source = np.random.default_rng(recipe.seed)
    base, squares = _zeros(recipe.size), _zeros(recipe.size)
    for _ in range(recipe.steps):
        batch = source.integers(len(targets), size=recipe.batch)
        _step(base, squares, rows[batch].reshape(-1, recipe.size.orders), targets[batch].ravel(), recipe.learning_rate)
    return base


def _zeros(size: Size) -> Base:
    return Base(size, np.zeros((size.features, tokenizer.SIZE), np.float32), np.zeros(tokenizer.SIZE, np.float32))


def _step(base: Base, squares: Base, rows: Rows, targets: Ints, learning_rate: float) -> None:
    """One AdaGrad step on the negative log-likelihood of a batch of records, summed over its positions."""
    errors = softmax(base_logits(base, rows))
    errors[np.arange(len(errors)), targets] -= 1
    _adagrad(base.weights, squares.weights, *grouped_sum(rows, errors), learning_rate)
    _adagrad(base.bias[None], squares.bias[None], np.zeros(1, np.uint16), errors.sum(axis=0)[None], learning_rate)


def _adagrad(weights: Floats, squares: Floats, touched: Rows, gradient: Floats, learning_rate: float) -> None:
    """Move the touched rows; 1 in the denominator keeps what was seen once or twice from being learnt as certain."""
    total = squares.take(touched, axis=0)
    total += np.square(gradient)
    squares[touched] = total
    np.sqrt(total, out=total)
    total += 1
    np.divide(gradient, total, out=total)
    total *= -learning_rate
    total += weights.take(touched, axis=0)
    weights[touched] = total
