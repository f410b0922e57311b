"""Compute the model: a hashed character n-gram language model with a low-rank adapter.

A position's context is its token and those before it. The last 1, 2, … `orders` tokens are each
hashed to one of `features` rows f₁ … f_O, and

    logits = base.bias + Σ base.weights[f_o] + scale · (Σ down[f_o]) @ up + bias + gain · Σ trust_k [found by k]

with `down` (features × rank), `up` (rank × vocabulary) and `bias` trained, and scale = 32 / rank,
so that a step of one learning rate moves the logits about equally far at every rank. One size also
looks back (`copy_head`): where the last k tokens were written before, the logit of what followed
them rises by a trained weight for each k. `trust` starts at 0, and is empty in the other sizes.
float32 throughout, one thread, one fixed order of operations: the same input gives the same bits.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline.model import characters

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.uint16]
Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.uint64]

ALPHA = 32.0
GAIN = 8.0  # gain of the copy weights: a few dozen steps are enough to learn them
SPREAD = 0.4  # initial standard deviation of `down`; `up` starts at 0
CHUNK = 1024  # positions at once: their data fit in the processor's cache
ORDERS = np.arange(8, dtype=np.uint64) << np.uint64(48)  # what tells contexts of 1, 2, … tokens apart
SAFE = 60.0  # exp of numbers up to this, and of their negatives, is far from the limits of float32
_PAD = characters.SIZE
_NARROW = 16
_FEW = 64
_DIGIT = np.uint64(100)  # a context is a number in this base
_ONES = np.ones(characters.SIZE, np.float32)  # a product with it sums the vocabulary four times faster than `sum`


class Size(NamedTuple):
    name: str
    orders: int
    features: int  # a power of two, at most 2^16
    copies: tuple[int, ...] = ()  # how many of the last tokens it looks for in the text before
    folds: bool = False  # it reads any tokenizer's tokens, in classes (`tinker_offline.model.folding`)
    chats: bool = False  # it reads whole chats (`tinker_offline.model.chat`); the rest describes its frozen n-grams
    finds: bool = False  # a model of chats that finds the line that answers (`tinker_offline.model.answering_line`)


SIZES = {
    size.name: size
    for size in (
        Size("offline/ngram-s", 4, 2**14),
        Size("offline/ngram-m", 5, 2**15),
        Size("offline/ngram-l", 6, 2**16),
        Size("offline/ngram-r", 4, 2**14, (2, 3, 4, 5)),  # small, and looks back
        Size("offline/chat-s", 4, 2**14, chats=True),
        Size("offline/chat-r", 4, 2**14, chats=True, finds=True),
        Size("offline/rehearsal", 2, 2**12, folds=True),
    )
}


class Base(NamedTuple):
    """Frozen weights (features × vocabulary) and bias (vocabulary)."""

    size: Size
    weights: Floats
    bias: Floats


class Adapter(NamedTuple):
    """The trained parameters. Gradients and moments have the same form."""

    down: Floats
    up: Floats
    bias: Floats
    trust: Floats = np.zeros(0, np.float32)  # trust in what each k finds; empty if the size does not look back
    query: Floats = np.zeros((0, 0), np.float32)  # these two are empty if the size does not read whole chats
    key: Floats = np.zeros((0, 0), np.float32)

    @property
    def rank(self) -> int:
        return len(self.up)

    @property
    def scale(self) -> float:
        return ALPHA / self.rank

    def zeros(self) -> "Adapter":
        return Adapter(*map(np.zeros_like, self))

    def copy(self) -> "Adapter":
        return Adapter(*(array.copy() for array in self))


def new_adapter(size: Size, rank: int, seed: int) -> Adapter:
    """Return an adapter that changes nothing yet; the same seed gives the same adapter."""
    source = np.random.default_rng(seed)
    down = source.standard_normal((size.features, rank), dtype=np.float32)
    down *= SPREAD
    up, bias = np.zeros((rank, characters.SIZE), np.float32), np.zeros(characters.SIZE, np.float32)
    return Adapter(down, up, bias, np.zeros(len(size.copies), np.float32))


def context_rows(tokens: Ints, lengths: Sequence[int], size: Size) -> Rows:
    """Return the feature rows of every position of sequences of these lengths: (positions, orders).

    Contexts do not cross sequences; before the first token they are padded. A context of k tokens is a number
    of k digits in base 100, hashed by multiplication, so that it is the same in every process.
    """
    gap = size.orders - 1
    ends = np.arange(len(tokens)) + np.repeat(np.arange(1, len(lengths) + 1) * gap, lengths)
    padded = np.full(len(tokens) + (len(lengths) + 1) * gap, _PAD, np.int64)
    padded[ends] = tokens
    return window_rows([padded[ends - back] for back in range(size.orders)], size)


def window_rows(newest_first: Sequence[Ints], size: Size) -> Rows:
    """Return the feature rows of contexts given as columns, newest token first: (contexts, orders)."""
    return hash_rows(context_keys(newest_first), size)


def context_keys(newest_first: Sequence[Ints]) -> Keys:
    """Return contexts as numbers: the last 1, 2, … tokens of each column, (contexts, orders)."""
    keys = np.empty((len(newest_first[0]), len(newest_first)), np.uint64)
    keys[:, 0] = newest_first[0]
    for order in range(1, len(newest_first)):
        np.multiply(keys[:, order - 1], _DIGIT, out=keys[:, order])
        keys[:, order] += newest_first[order].astype(np.uint64)
    return keys


def last_keys(prompt: Ints, size: Size) -> Keys:
    """Return the context behind a prompt as numbers: (1, orders)."""
    known = np.concatenate([np.full(max(0, size.orders - len(prompt)), _PAD), prompt])[-size.orders :]
    return context_keys(list(known[::-1, None]))


def next_keys(keys: Keys, tokens: Ints) -> Keys:
    """Return the keys of the same contexts after one more token each; the newest token is the first digit."""
    longer = tokens.astype(np.uint64)[:, None] * _DIGIT ** np.arange(keys.shape[1], dtype=np.uint64)
    longer[:, 1:] += keys[:, :-1]
    return longer


def hash_rows(keys: Keys, size: Size) -> Rows:
    mixed = keys + ORDERS[: size.orders]
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed >>= np.uint64(65 - size.features.bit_length())
    return mixed.astype(np.uint16)


def base_logits(base: Base, rows: Rows | Ints) -> Floats:
    """Return the logits of the base alone: (positions, vocabulary)."""
    return _sum_rows(base.weights, rows) + base.bias


def logits(base: Base, adapter: Adapter, rows: Rows, finds: Ints | None = None) -> tuple[Floats, Floats]:
    """Return the logits (positions, vocabulary) and the hidden values (positions, rank) that the gradient needs.

    `found` is what each position finds when it looks back, (positions, k).
    """
    hidden = _sum_rows(adapter.down, rows)
    hidden *= adapter.scale
    scores = _sum_rows(base.weights, rows)
    scores += hidden @ adapter.up
    scores += base.bias + adapter.bias
    for at, tokens, k in _list_finds(finds):
        scores[at, tokens] += np.float32(GAIN) * adapter.trust[k]
    return scores, hidden


def _list_finds(finds: Ints | None) -> Iterator[tuple[Ints, Ints, int]]:
    """Yield, for each k, where something is found and what."""
    for k in range(0 if finds is None else finds.shape[1]):
        column = finds[:, k]  # type: ignore[index]
        at = np.flatnonzero(column >= 0)
        yield at, column[at], k


def _sum_rows(table: Floats, rows: Rows | Ints) -> Floats:
    if len(rows) <= _FEW:  # the same sums in the same order; with few rows the calls dominate the cost
        summed: Floats = np.add.reduce(table.take(rows.T, axis=0), axis=0)
        return summed
    total = table.take(rows[:, 0], axis=0)
    for order in range(1, rows.shape[1]):
        total += table.take(rows[:, order], axis=0)
    return total


def softmax(scores: Floats) -> Floats:
    """Compute the softmax over the vocabulary, in place."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= (scores @ _ONES)[..., None]
    return scores


def log_softmax(scores: Floats) -> Floats:
    """Compute the log-softmax over the vocabulary, in place."""
    scores -= scores.max(axis=-1, keepdims=True)
    scores -= np.log(np.exp(scores) @ _ONES)[..., None]
    return scores


class Positions(NamedTuple):
    """What is predicted from what: feature rows (positions, orders) and target tokens (positions,).

    And what each position finds when it looks back, (positions, k), if the size does.
    """

    rows: Rows
    targets: Ints
    found: Ints | None = None

    def chunks(self) -> Iterator[tuple[slice, "Positions"]]:
        """Yield about a thousand positions at a time, so that memory stays bounded."""
        for start in range(0, len(self.rows), CHUNK):
            chunk = slice(start, start + CHUNK)
            finds = None if self.found is None else self.found[chunk]
            yield chunk, Positions(self.rows[chunk], self.targets[chunk], finds)


class Gradient(NamedTuple):
    """A sum of gradients, and which rows of `down` any of them touched."""

    sums: Adapter
    touched: Flags


Slopes = Callable[[slice, Floats], Floats]
"""Returns a loss's derivatives by the log-probabilities of the targets of a chunk of positions."""


def target_logprobs(base: Base, adapter: Adapter, positions: Positions) -> Floats:
    """Return the log-probability of each position's target: (positions,)."""
    logprobs = np.empty(len(positions.targets), np.float32)
    for chunk, (rows, targets, back) in positions.chunks():
        logprobs[chunk] = _exponentiate(logits(base, adapter, rows, back)[0], targets)[1]
    return logprobs


def _exponentiate(scores: Floats, targets: Ints) -> tuple[Floats, Floats]:
    """Make `scores` proportional to the probabilities, in place; return their sums and the targets' logprobs."""
    if not -SAFE < scores.min() <= scores.max() < SAFE:
        scores -= scores.max(axis=1, keepdims=True)
    chosen = scores[np.arange(len(targets)), targets]
    np.exp(scores, out=scores)
    totals = scores @ _ONES
    return totals, chosen - np.log(totals)


def add_gradient(gradient: Gradient, base: Base, adapter: Adapter, positions: Positions, slopes: Slopes) -> Floats:
    """Add the gradient of the loss with these slopes to `gradient`; return each target's log-probability."""
    logprobs = np.empty(len(positions.targets), np.float32)
    for chunk, (rows, targets, back) in positions.chunks():
        scores, hidden = logits(base, adapter, rows, back)
        totals, logprobs[chunk] = _exponentiate(scores, targets)
        # now proportional to the probabilities, it becomes the derivative by the logits, up to a factor per position
        scores[np.arange(len(targets)), targets] -= totals
        factors = -slopes(chunk, logprobs[chunk]) / totals
        by_hidden = (scores @ adapter.up.T) * (adapter.scale * factors)[:, None]
        for column in rows.T:
            _add_rows(gradient.sums.down, column, by_hidden)
        gradient.touched[rows.ravel()] = True
        gradient.sums.up[...] += (hidden * factors[:, None]).T @ scores
        gradient.sums.bias[...] += factors @ scores
        for at, tokens, k in _list_finds(back):
            gradient.sums.trust[k] += np.float32(GAIN) * np.vdot(factors[at], scores[at, tokens])
    return logprobs


def _add_rows(table: Floats, rows: Rows, values: Floats) -> None:
    """Add values[i] to table[rows[i]] for each i in turn, cell by cell, which `np.add.at` does much faster."""
    width = table.shape[1]
    cells = rows.astype(np.intp)[:, None] * width + np.arange(width)
    np.add.at(table.reshape(-1), cells.ravel(), values.ravel())


def sum_groups(rows: Rows, values: Floats) -> tuple[Rows, Floats]:
    """Return the distinct rows, and for each the sum of values[i] over all (i, o) where rows[i, o] is that row.

    The order of the sums is fixed. It works in layers, first the first occurrence of every row, then the
    second, as long as layers are wide; the few very frequent rows are then finished one by one. Ten times
    faster than `np.add.reduceat`.
    """
    order = np.argsort(rows.ravel(), kind="stable")
    ordered, source = rows.ravel()[order], order // rows.shape[1]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(starts, append=len(ordered))
    by_count = np.argsort(-counts, kind="stable")
    starts, counts = starts[by_count], counts[by_count]
    widths = np.searchsorted(-counts, -np.arange(counts[0]), side="left")  # rows that occur more than k times
    sums, depth = values.take(source[starts], axis=0), 1
    while depth < len(widths) and widths[depth] > _NARROW:
        sums[: widths[depth]] += values.take(source[starts[: widths[depth]] + depth], axis=0)
        depth += 1
    for row in range(widths[depth] if depth < len(widths) else 0):
        sums[row] += values.take(source[starts[row] + depth : starts[row] + counts[row]], axis=0).sum(axis=0)
    return ordered[starts], sums
