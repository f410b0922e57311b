"""Lay out texts: where their words, lines and anchors are, for all positions of them at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tinker_offline.model.characters import BEGIN, NEWLINE
from tinker_offline.model.hashing import BLANK, IN_WORD, INTRODUCES, Hashes, cut_run
from tinker_offline.model.ngram import Flags, Ints


class Words(NamedTuple):
    """All words that are complete: where they end, their hashes and those of the words before them, their lines."""

    ends: Ints
    hashes: Hashes
    previous: Hashes
    lines: Ints
    done: Ints  # how many are complete at each position, in all texts
    first: Ints  # the number of the first word of each position's text


class Layout(NamedTuple):
    """Where each position is: its text, its text's start, its place in it, and its line."""

    texts: Ints
    starts: Ints
    places: Ints
    lines: Ints
    line_starts: Ints
    run_starts: Ints  # where its run of word characters, or of others, starts
    run_ends: Ints  # where that run ends


def lay_out(tokens: Ints, lengths: Sequence[int]) -> Layout:
    sizes = np.asarray(lengths)
    index, texts = np.arange(len(tokens)), np.repeat(np.arange(len(sizes)), sizes)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = index == starts
    changes = first.copy()
    changes[1:] |= IN_WORD[tokens[1:]] != IN_WORD[tokens[:-1]]
    heads = first.copy()
    heads[1:] |= (tokens[:-1] == NEWLINE) & (tokens[1:] != NEWLINE)
    run_ends = np.append(np.flatnonzero(changes)[1:], len(tokens))[np.cumsum(changes) - 1] - 1
    return Layout(texts, starts, index - starts, np.cumsum(heads), _hold(heads, index), _hold(changes, index), run_ends)


def _hold(marks: Flags, index: Ints) -> Ints:
    """Return the last marked position up to each."""
    return np.maximum.accumulate(np.where(marks, index, 0))


def hash_so_far(sums: Hashes, layout: Layout) -> Hashes:
    """Return the hash of each position's run up to there."""
    raw = cut_run(sums, layout.places, layout.run_starts, np.arange(len(layout.places)))
    return raw ^ (raw >> np.uint64(31))


def find_ends(in_word: Flags, layout: Layout) -> Flags:
    ends: Flags = in_word & (layout.run_ends == np.arange(len(in_word)))
    return ends


def list_words(tokens: Ints, runs: Hashes, layout: Layout) -> Words:
    in_word, marks = IN_WORD[tokens], find_ends(IN_WORD[tokens], layout)
    ends, counts = np.flatnonzero(marks), np.append(0, np.cumsum(marks))
    done = np.where(in_word, counts[layout.run_starts], counts[1:])
    texts = layout.texts[ends]
    alone = np.append(True, texts[1:] != texts[:-1])[: len(ends)]
    previous = np.where(alone, np.uint64(0), np.append(np.uint64(0), runs[ends])[: len(ends)])
    return Words(ends, runs[ends], previous, layout.lines[ends], done, np.searchsorted(texts, layout.texts))


def hold_anchors(tokens: Ints, layout: Layout) -> Ints:
    """Return the last anchor up to each position, or the start of its text."""
    anchors = (tokens == NEWLINE) | (tokens == BEGIN) | (layout.places == 0)
    anchors[1:] |= (tokens[1:] == BLANK) & INTRODUCES[tokens[:-1]] & (layout.places[1:] > 0)
    return _hold(anchors, np.arange(len(tokens)))
