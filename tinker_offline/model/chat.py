"""Compute the models that read a whole chat: low-rank adapters on hashed words and places, and a pointer.

The probability of the next token is (1 - g) · softmax(logits) + g · copied, where

    logits  = logits of the frozen n-grams + scale · hidden @ up + bias
    hidden  = Σ down[row] · weight, over the rows that a position reads (`feature_rows`)
    g       = sigmoid(last column of the logits - 1), 0 where there is nothing to copy
    copied  = what the pointer says (`pointer`)

`down` starts at 0 and `up` at random, so an untrained adapter adds 0; the pointer's `query` starts at 0 and
its `key` at random. All that is trained is low-rank, but for the bias and the relations' weights. float32
throughout, one fixed order of operations: the same input gives the same bits.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tinker_offline.model import characters
from tinker_offline.model.feature_rows import FEATURES, LOCAL_KINDS, PLACES, POINTS
from tinker_offline.model.ngram import (
    SAFE,
    Adapter,
    Base,
    Floats,
    Gradient,
    Ints,
    Size,
    Slopes,
    context_rows,
)
from tinker_offline.model.pointer import KEYS, RELATIONS, Pointed, add_point_gradient, point
from tinker_offline.model.reading import Bag, Reading, read_texts
from tinker_offline.model.row_sums import add_entries, sum_many_rows, sum_rows

SCALE = 64.0  # divided by the rank
UP_SPREAD, KEY_SPREAD = 0.3, 0.5  # initial standard deviations
WORD_GAIN, PLACE_GAIN, LACKS_GAIN = 1.4, 1.4, 24.0
LOCAL_WEIGHT = np.float32(LOCAL_KINDS**-0.5)
GATE = characters.SIZE  # the column of the logits that is not a token
CLOSED = 1.0  # the gate's frozen bias, downwards
SMALLEST = 1e-30
TOKENS = 8192  # tokens of texts that are computed together
CELLS = 2**23  # positions squared of them, so that memory stays bounded
KEPT = 2**24  # bytes
_ROOTS = np.maximum(np.arange(PLACES + 1), 1) ** -0.5


class Texts(NamedTuple):
    """What is predicted from what: whole texts, one after another, and the target of each position."""

    tokens: Ints
    lengths: Sequence[int]
    targets: Ints

    def groups(self) -> Iterator[tuple[slice, "Texts"]]:
        """Yield some texts at a time."""
        first, start = 0, 0
        while first < len(self.lengths):
            last = _choose_group(self.lengths, first)
            end = start + sum(self.lengths[first:last])
            part = slice(start, end)
            yield part, Texts(self.tokens[part], self.lengths[first:last], self.targets[part])
            first, start = last, end


def _choose_group(lengths: Sequence[int], first: int) -> int:
    """Return the end of the group of texts that begins with this one."""
    last, total, longest = first, 0, 0
    while last < len(lengths):
        total, longest = total + lengths[last], max(longest, lengths[last])
        if last > first and (total > TOKENS or (last + 1 - first) * longest**2 > CELLS):
            break
        last += 1
    return last


def new_chat_adapter(size: Size, rank: int, seed: int) -> Adapter:
    """Return an adapter that changes nothing yet; the same seed gives the same adapter."""
    source = np.random.default_rng(seed)
    up = source.standard_normal((rank, GATE + 1), dtype=np.float32) * np.float32(UP_SPREAD)
    key = source.standard_normal((KEYS, rank), dtype=np.float32) * np.float32(KEY_SPREAD)
    shapes = (FEATURES, rank), (GATE + 1,), (RELATIONS + size.finds,), (POINTS, rank)
    zeros = [np.zeros(shape, np.float32) for shape in shapes]
    return Adapter(down=zeros[0], up=up, bias=zeros[1], trust=zeros[2], query=zeros[3], key=key)


class Pass(NamedTuple):
    """A forward pass over some texts, as the backward pass needs it."""

    reading: Reading
    hidden: Floats
    chances: Floats  # of the next token by the logits alone: (positions, vocabulary)
    gate: Floats  # 0 where there is nothing to copy
    pointed: Pointed
    logprobs: Floats  # of the targets


def chat_scale(adapter: Adapter) -> np.float32:
    return np.float32(SCALE / adapter.rank)


def compute_pass(base: Base, adapter: Adapter, texts: Texts) -> Pass:
    reading = read_texts(texts.tokens, texts.lengths, finds=base.size.finds)
    hidden = sum_rows(adapter.down, reading.local) * LOCAL_WEIGHT
    for bag, gain in _list_bags(reading):
        _add_bag(hidden, adapter.down, bag, gain)
    hidden *= chat_scale(adapter)
    ngrams = sum_rows(base.weights, context_rows(texts.tokens, texts.lengths, base.size))
    ngrams += base.bias
    chances, openings = weigh_tokens(adapter, ngrams, hidden)
    pointed = point(adapter, reading, texts.targets)
    gate = open_gate(openings) * pointed.possible
    by_logits = chances[np.arange(len(texts.targets)), texts.targets]
    mixed = (1 - gate) * by_logits + gate * pointed.copied
    return Pass(reading, hidden, chances, gate, pointed, np.log(np.maximum(mixed, np.float32(SMALLEST))))


def weigh_tokens(adapter: Adapter, ngrams: Floats, hidden: Floats) -> tuple[Floats, Floats]:
    """Return the chances of the next token by the logits alone, and the logit of the gate to what is copied.

    The chances take the place of the n-grams' logits: the memory is large, and new memory is slow.
    """
    scores = hidden @ adapter.up
    scores += adapter.bias
    chances = np.add(scores[:, :GATE], ngrams, out=ngrams)
    chances -= np.maximum.reduce(chances, axis=1, keepdims=True)
    np.exp(chances, out=chances)
    chances /= np.add.reduce(chances, axis=1, keepdims=True)
    return chances, scores[:, GATE]


def open_gate(openings: Floats) -> Floats:
    """Return how far the gate is open, given its logits."""
    gate: Floats = 1 / (1 + np.exp(np.minimum(np.maximum(CLOSED - openings, -SAFE), SAFE)))
    return gate


def _list_bags(reading: Reading) -> list[tuple[Bag, float]]:
    """Return what is read besides, and with what gain."""
    bags = [(reading.words, WORD_GAIN), (reading.places, PLACE_GAIN)]
    return bags if reading.lacks is None else [*bags, (reading.lacks, LACKS_GAIN)]


def weigh(counts: Ints, gain: float) -> Floats:
    """Return the weight of the rows of bags: the gain, divided by the root of how many things there are."""
    return (gain * _ROOTS.take(counts)).astype(np.float32)


def _add_bag(hidden: Floats, table: Floats, bag: Bag, gain: float) -> None:
    per_thing = bag.rows.shape[1]
    sums = sum_many_rows(table, bag.rows.ravel(), bag.counts * per_thing)
    hidden[bag.at] += sums * weigh(bag.counts, gain)[:, None]


def add_chat_gradient(gradient: Gradient, base: Base, adapter: Adapter, texts: Texts, slopes: Slopes) -> Floats:
    """Add the gradient of the loss with these slopes to `gradient`; return each target's log-probability."""
    logprobs = np.empty(len(texts.targets), np.float32)
    for part, group in texts.groups():
        done = compute_pass(base, adapter, group)
        logprobs[part] = done.logprobs
        _go_back(gradient, adapter, done, group.targets, slopes(part, done.logprobs).astype(np.float32, copy=False))
    return logprobs


def chat_logprobs(base: Base, adapter: Adapter, texts: Texts) -> Floats:
    """Return the log-probability of each position's target: (positions,)."""
    return np.concatenate([compute_pass(base, adapter, group).logprobs for _, group in texts.groups()])


def _go_back(gradient: Gradient, adapter: Adapter, done: Pass, targets: Ints, slopes: Floats) -> None:
    live = np.flatnonzero(slopes)
    if not len(live):
        return
    copied, likely = done.gate * done.pointed.copied, np.exp(done.logprobs)
    share: Floats = np.divide(copied, likely, dtype=np.float32)  # how likely it is that the target was copied
    by_logits: Floats = np.multiply(slopes, 1 - share, dtype=np.float32)[live]
    by_score = np.empty((len(live), GATE + 1), np.float32)
    by_score[:, :GATE] = done.chances[live]
    by_score[:, :GATE] *= -by_logits[:, None]
    by_score[np.arange(len(live)), targets[live]] += by_logits
    by_score[:, GATE] = (slopes * np.where(done.pointed.possible, share - done.gate, 0))[live]
    gradient.sums.up[...] += done.hidden[live].T @ by_score
    gradient.sums.bias[...] += by_score.sum(axis=0)
    by_hidden = (by_score @ adapter.up.T) * chat_scale(adapter)
    _scatter(gradient, done.reading, by_hidden, live)
    add_point_gradient(gradient.sums, adapter, done.reading, done.pointed, slopes * share)


def _scatter(gradient: Gradient, reading: Reading, by_hidden: Floats, live: Ints) -> None:
    """Add the derivatives by the hidden values of the `live` positions to the rows that they read."""
    local = reading.local[live]
    rows, values = [local.ravel()], [by_hidden * LOCAL_WEIGHT]
    widths = [np.full(len(live), local.shape[1])]
    places = np.full(len(reading.tokens), -1)
    places[live] = np.arange(len(live))
    for bag, gain in _list_bags(reading):
        reads = places[bag.at] >= 0
        counts = bag.counts[reads]
        rows.append(bag.rows.take(np.flatnonzero(np.repeat(reads, bag.counts)), axis=0).ravel())
        values.append(by_hidden[places[bag.at[reads]]] * weigh(counts, gain)[:, None])
        widths.append(counts * bag.rows.shape[1])
    entries = np.concatenate(rows), np.concatenate(widths), np.concatenate(values)
    gradient.touched[...] |= add_entries(gradient.sums.down, *entries)


def chat_base(size: Size, ngrams: Base) -> Base:
    """Return the frozen part: the n-grams of a smaller model, under this name."""
    return ngrams._replace(size=size)


def _reuse_memory() -> None:
    """Ask for a large block and free it: from then on, glibc keeps up to twice as much of what is freed.

    Else it returns the memory of a step to the system and asks for it again, which takes a fifth of the step.
    """
    np.empty(KEPT, np.uint8)


_reuse_memory()
