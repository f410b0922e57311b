"""Point at what was read: a distribution over the words and signs before a position, to copy the next character.

Where a word or a sign begins (a slot), what begun at each earlier slot is scored by

    query · key · scale + Σ weights of the relations that hold

with the query and the key sums of trained rows. Within a word, the scores of its slot hold, among the
latest earlier words that begin alike. The relations: the same gap before, the same word, both, also the
word before; how many words behind the last one retold; how many lines ago.
"""

from typing import NamedTuple

import numpy as np

from tinker_offline.model.feature_rows import POINTS
from tinker_offline.model.hashing import Hashes, Numbers
from tinker_offline.model.ngram import Adapter, Flags, Floats, Ints, Rows
from tinker_offline.model.reading import NOWHERE, Reading
from tinker_offline.model.row_sums import add_entries, sum_rows

KNOWN = np.array([0.5, 1.0, 3.0, 2.0], np.float32)  # what the frozen base gives to the relations of equality
STEPS, LINES = 8, 6  # numbers of words behind the last one retold (the last: nowhere), of lines ago
STEPS_BACK = 2
KEYS = POINTS + STEPS + LINES
RELATIONS = len(KNOWN) + STEPS + LINES
EQUALITIES = (*range(len(KNOWN)), RELATIONS)  # the place of each among the weights; the last is for what was found
FOUND = np.float32(1.0)  # to the line that answers, if the model looks for it
RELATION_GAIN = 4.0
POINT_SCALE = 16.0  # divided by the rank
_LEAST = np.float32(1e-30)
_BITS, _GAP = np.array([1, 2, 4], np.uint8), np.array([1, 0, 0], np.uint8)


class Grid(NamedTuple):
    """The slots of each text in a row of its own: (texts, slots)."""

    texts: Ints
    columns: Ints
    shape: tuple[int, int]

    def lay(self, values: Numbers, fill: int = 0) -> Numbers:
        table = np.full(self.shape + values.shape[1:], fill, values.dtype)
        table[self.texts, self.columns] = values
        return table


class Pointed(NamedTuple):
    """What the backward pass needs, and the result: the share of the target that is copied at each position."""

    grid: Grid
    queries: Floats
    keys: Floats
    equal: list[Flags]
    numbers: tuple[Ints, Ints]  # cells of (texts, slots, STEPS) and of (texts, slots, LINES), for each score
    shares: Floats  # attention of each slot: (texts, slots, slots)
    hits: Flags
    pairs: tuple[Ints, Ints, Floats, Flags]  # position, cell of the scores, share, and whether it is the target
    copied: Floats  # (positions,)
    possible: Flags  # where there is anything to copy


def point(adapter: Adapter, reading: Reading, targets: Ints) -> Pointed:
    """Return how much of the attention at each position is on its target."""
    grid, slots = _lay_grid(reading), reading.slots
    queries = grid.lay(sum_rows(adapter.query, slots.queries))
    keys = grid.lay(sum_rows(adapter.key, slots.keys))
    equal, numbers = _relate(grid, reading)
    scores = _score(adapter, (queries, keys), equal, numbers)
    shares, any_before = _attend(scores, grid)
    hits = grid.lay(reading.following[slots.at], -1)[:, None, :] == grid.lay(targets[slots.at], -2)[:, :, None]
    copied, possible = np.zeros(len(targets), np.float32), np.zeros(len(targets), np.bool_)
    copied[slots.at] = (shares * hits).sum(axis=2)[grid.texts, grid.columns]
    possible[slots.at] = any_before
    pairs = _attend_within_words(scores, grid, reading, targets)
    within = np.bincount(pairs[0], pairs[2] * pairs[3], len(targets)).astype(np.float32)
    copied[reading.in_word] = within[reading.in_word]
    possible[pairs[0]] = True
    return Pointed(grid, queries, keys, equal, numbers, shares, hits, pairs, copied, possible)


def _lay_grid(reading: Reading) -> Grid:
    counts = np.bincount(reading.slots.texts, minlength=int(reading.texts[-1]) + 1)
    columns = np.arange(len(reading.slots.at)) - (np.cumsum(counts) - counts)[reading.slots.texts]
    return Grid(reading.slots.texts, columns, (len(counts), max(1, int(counts.max()))))


def _relate(grid: Grid, reading: Reading) -> tuple[list[Flags], tuple[Ints, Ints]]:
    """Return the relations of each slot to each, (texts, slots, slots): those of equality, and cells of numbers."""
    slots = reading.slots
    gaps, before, earlier = (grid.lay(hashes) for hashes in (slots.gaps, slots.before, slots.earlier))
    gap, word = gaps[:, :, None] == gaps[:, None, :], before[:, :, None] == before[:, None, :]
    word &= (before != 0)[:, :, None]
    equal = [gap, word, gap & word, word & (earlier[:, :, None] == earlier[:, None, :])]
    follows, words, lines = grid.lay(slots.follows, NOWHERE), grid.lay(slots.words), grid.lay(slots.lines)
    steps = _count_steps(words[:, None, :], follows[:, :, None])
    if reading.lacks is not None:
        equal.append(lines[:, None, :] == grid.lay(slots.sought)[:, :, None])
    ages = lines[:, :, None] - lines[:, None, :]
    np.minimum(np.maximum(ages, 0, out=ages), LINES - 1, out=ages)
    first = np.arange(grid.shape[0] * grid.shape[1]).reshape(*grid.shape, 1)
    steps += first * STEPS
    ages += first * LINES
    return equal, (steps, ages)


def _count_steps(words: Ints, follows: Ints) -> Ints:
    """Return how many words behind the one last retold: 0 for STEPS_BACK before it or more; the last for nowhere."""
    steps = words - (follows + 1 - STEPS_BACK)
    np.minimum(np.maximum(steps, 0, out=steps), STEPS - 2, out=steps)
    np.copyto(steps, STEPS - 1, where=follows < 0)
    return steps


def point_scale(adapter: Adapter) -> np.float32:
    return np.float32(POINT_SCALE / adapter.rank)


def relation_weights(adapter: Adapter) -> Floats:
    """Return the weights of all relations: those of equality, the numbers of words, the numbers of lines."""
    weights = np.float32(RELATION_GAIN) * adapter.trust
    weights[: len(KNOWN)] += KNOWN
    weights[RELATIONS:] += FOUND
    return weights


def score_numbers(adapter: Adapter, queries: Floats) -> tuple[Floats, Floats]:
    """Return what each number of words and of lines adds to the scores of these queries."""
    steps, lines = adapter.key[POINTS : POINTS + STEPS], adapter.key[POINTS + STEPS :]
    weights, scale = relation_weights(adapter)[len(KNOWN) : RELATIONS], point_scale(adapter)
    return queries @ steps.T * scale + weights[:STEPS], queries @ lines.T * scale + weights[STEPS:]


class Seen(NamedTuple):
    """What is known of the slots of one text: keys, the hashes of gap, word and earlier word, numbers, lines."""

    keys: Floats
    hashes: Hashes
    words: Ints
    lines: Ints


class Scorer:
    """Scores the slots of one text at a time. What all texts have in common is computed once."""

    def __init__(self, adapter: Adapter) -> None:
        weights, self._scale = relation_weights(adapter), point_scale(adapter)
        gap, word, earlier = (np.arange(8) >> bit & 1 for bit in range(3))
        holds = np.stack([gap, word, gap & word, word & earlier], axis=1).astype(np.float32)
        self._equal = holds @ weights[: len(KNOWN)]  # by which of the three hashes are equal
        self._numbers, self._weights = adapter.key[POINTS:], weights[len(KNOWN) : RELATIONS]
        self._found = weights[RELATIONS:]

    def score(self, query: Floats, seen: Seen, mine: Hashes, follows: int, lines: tuple[int, int]) -> Floats:
        """Return the scores of what was seen, for a slot with these hashes, in this line, that seeks that line."""
        line, sought = lines
        query = query * self._scale
        numbers = self._numbers @ query + self._weights
        scores: Floats = seen.keys @ query
        equal = (seen.hashes == mine).view(np.uint8) @ (_BITS if mine[1] else _GAP)
        scores += self._equal.take(equal)
        scores += numbers[STEPS:].take(line - seen.lines, mode="clip")
        if follows < 0:
            scores += numbers[STEPS - 1]
        else:
            scores += numbers[: STEPS - 1].take(seen.words - (follows + 1 - STEPS_BACK), mode="clip")
        if sought:
            scores += self._found * (seen.lines == sought)
        return scores


def _score(adapter: Adapter, vectors: tuple[Floats, Floats], equal: list[Flags], numbers: tuple[Ints, Ints]) -> Floats:
    queries, keys = vectors
    scores: Floats = queries @ keys.transpose(0, 2, 1)
    scores *= point_scale(adapter)
    weights = relation_weights(adapter)
    for holds, place in zip(equal, EQUALITIES, strict=False):
        scores += holds * weights[place]
    for values, cells in zip(score_numbers(adapter, queries), numbers, strict=True):
        scores += values.take(cells)
    return scores


def _attend(scores: Floats, grid: Grid) -> tuple[Floats, Flags]:
    """Return each slot's distribution over the slots before it, and whether it has any."""
    before = np.tri(grid.shape[1], k=-1, dtype=np.bool_)
    shares = np.where(before, scores, np.float32(-1e9))
    shares -= shares.max(axis=2, keepdims=True)
    np.exp(shares, out=shares)
    shares *= before
    shares /= np.maximum(shares.sum(axis=2, keepdims=True), _LEAST)
    return shares, grid.columns > 0


def _attend_within_words(
    scores: Floats, grid: Grid, reading: Reading, targets: Ints
) -> tuple[Ints, Ints, Floats, Flags]:
    numbers = np.full(len(targets), -1)
    numbers[reading.slots.at] = np.arange(len(reading.slots.at))
    last = np.maximum.accumulate(numbers)  # the slot at which each position's word began
    here, there = reading.pairs
    mine, its = last[here], last[there]
    known = (mine >= 0) & (its >= 0)
    known[known] &= (grid.texts[mine[known]] == reading.texts[here[known]]) & (
        grid.texts[its[known]] == reading.texts[here[known]]
    )
    here, there, mine, its = here[known], there[known], mine[known], its[known]
    width = grid.shape[1]
    cells = (grid.texts[mine] * width + grid.columns[mine]) * width + grid.columns[its]
    values = scores.reshape(-1)[cells]
    highest = np.full(len(targets), -np.inf, np.float32)
    np.maximum.at(highest, here, values)
    values = np.exp(values - highest[here])
    totals = np.bincount(here, values, len(targets)).astype(np.float32)
    return here, cells, values / totals[here], reading.following[there] == targets[here]


def add_point_gradient(gradient: Adapter, adapter: Adapter, reading: Reading, pointed: Pointed, slopes: Floats) -> None:
    """Add the gradient, given the derivative of the loss by the log of `copied` at each position."""
    by_score = _differentiate(reading, pointed, slopes)
    for holds, place in zip(pointed.equal, EQUALITIES, strict=False):
        gradient.trust[place] += np.float32(RELATION_GAIN) * np.vdot(by_score, holds.astype(np.float32))
    counts = (STEPS, LINES)
    sums = [_sum_numbers(by_score, cells, count) for cells, count in zip(pointed.numbers, counts, strict=True)]
    numbers = np.concatenate(sums, axis=2)
    gradient.trust[len(KNOWN) : RELATIONS] += np.float32(RELATION_GAIN) * numbers.sum(axis=(0, 1))
    scale, rank = point_scale(adapter), adapter.rank
    by_query = (by_score @ pointed.keys + numbers @ adapter.key[POINTS:]) * scale
    by_key = (by_score.transpose(0, 2, 1) @ pointed.queries) * scale
    gradient.key[POINTS:] += (numbers.reshape(-1, STEPS + LINES).T @ pointed.queries.reshape(-1, rank)) * scale
    cells, slots = (pointed.grid.texts, pointed.grid.columns), reading.slots
    for table, rows, values in ((gradient.query, slots.queries, by_query), (gradient.key, slots.keys, by_key)):
        _add_rows(table, rows, values[cells])


def _differentiate(reading: Reading, pointed: Pointed, slopes: Floats) -> Floats:
    """Return the derivative by the scores: (texts, slots, slots)."""
    grid, at = pointed.grid, reading.slots.at
    mine, copied = grid.lay(slopes[at])[:, :, None], grid.lay(pointed.copied[at])[:, :, None]
    by_score: Floats = np.where(pointed.hits, mine / np.maximum(copied, _LEAST) - mine, -mine) * pointed.shares
    here, cells, shares, hits = pointed.pairs
    values = slopes[here] * shares * (np.where(hits, 1 / np.maximum(pointed.copied[here], _LEAST), 0) - 1)
    live = np.flatnonzero(values)
    np.add.at(by_score.reshape(-1), cells[live], values[live])
    return by_score


def _sum_numbers(by_score: Floats, cells: Ints, count: int) -> Floats:
    """Sum the derivatives of each slot by the numbers that these cells stand for: (texts, slots, numbers)."""
    shape = (*cells.shape[:2], count)
    sums = np.bincount(cells.ravel(), by_score.ravel(), shape[0] * shape[1] * count)
    return sums.reshape(shape).astype(np.float32)


def _add_rows(table: Floats, rows: Rows, values: Floats) -> None:
    """Add values[i] to each of the rows[i] of the table; what has no value is left out."""
    live = np.flatnonzero(values.any(axis=1))
    if len(live):
        add_entries(table, rows[live].ravel(), np.full(len(live), rows.shape[1]), values[live])
