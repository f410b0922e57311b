"""Describe what the chat models know at one position, and the rows of the tables that this selects.

Both ways of reading use it: all positions of whole texts at once (`reading`), and one position of
each text that grows (`growing`).
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from tinker_offline.model.hashing import SPREAD, SPREADS, Hashes, Numbers, choose_rows, finish, finish_one
from tinker_offline.model.ngram import ORDERS, Ints, Rows, Size

LOCAL_BITS, WORD_BITS, PLACE_BITS, POINT_BITS = 14, 15, 14, 11
FIRST_WORD_ROW = 2**LOCAL_BITS
FIRST_PLACE_ROW = FIRST_WORD_ROW + 2**WORD_BITS
FEATURES = FIRST_PLACE_ROW + 2**PLACE_BITS
POINTS = 2**POINT_BITS
WORDS = 48  # words behind a position that it reads as a bag
WORDS_WITHIN = 12  # characters after an anchor at which it does
WORDS_UNTIL = 3  # characters of a word until which it does
PLACES = 192  # characters before an anchor that it reads by their distance
PLACES_WITHIN = 1  # characters after the anchor at which it does
LONGEST_AGE, LONGEST_RUN, LONGEST_LINE, OLDEST_LINE = 15, 8, 7, 3


class Known(IntEnum):
    """What is known at a position, behind its token: the columns of a view, (positions, columns).

    A word is a run of letters, digits and _; what is between two words is a gap. An anchor is where something
    begins: a text, a line, or what follows `: `, `= `, `> `, `? ` or `| `. Hashes of what is not there are 0.
    """

    ONE = 0  # a constant
    LAST = 1  # the newest token
    TWO = 2  # the newest two as a number
    THREE = 3
    FOUR = 4
    FIVE = 5
    KIND = 6  # of the newest token
    WORD = 7  # the word so far, if the newest token is in one
    GAP = 8  # what is before the word, or so far after the last one
    BEFORE = 9  # the word before the gap
    EARLIER = 10  # the word before that
    SINCE = 11  # what was written since the anchor
    AGE = 12  # how many characters that is, at most LONGEST_AGE
    HELD = 13  # the word before, or 0 at the anchor itself
    LENGTH = 14  # of the word so far, without its first character; at most LONGEST_RUN
    MATCH = 15  # what followed when a word began like this one before
    OPENER = 16  # the first word of the line
    SECOND = 17  # the second word of the line
    LINE_WORDS = 18  # how many words of the line are complete, at most LONGEST_LINE
    SORT = 19  # of what begins behind the position, if that is known
    STATE = 20  # BEFORE, GAP and WORD together: where in its phrase the position is


COLUMNS = len(Known)
_Chosen = tuple[tuple[Known, ...], ...]

_LOCAL: _Chosen = (
    (Known.LAST,),
    (Known.TWO,),
    (Known.THREE,),
    (Known.FOUR,),
    (Known.FIVE,),
    (Known.STATE,),
    (Known.STATE, Known.EARLIER),
    (Known.GAP, Known.WORD),
    (Known.BEFORE, Known.LENGTH),
    (Known.AGE,),
    (Known.MATCH, Known.BEFORE, Known.GAP),
    (Known.MATCH, Known.KIND, Known.LAST),
    (Known.SINCE, Known.HELD),
    (Known.OPENER, Known.SINCE),
    (Known.MATCH, Known.GAP, Known.LENGTH),
    (Known.STATE, Known.OPENER),
    (Known.SECOND, Known.GAP, Known.WORD),
    (Known.SECOND, Known.BEFORE, Known.WORD),
    (Known.SECOND, Known.TWO),
)
LOCAL_KINDS = len(_LOCAL)
_STATE: _Chosen = ((Known.BEFORE, Known.GAP, Known.WORD),)
_QUERIES: _Chosen = (
    (Known.ONE,),
    (Known.BEFORE,),
    (Known.BEFORE, Known.GAP),
    (Known.EARLIER, Known.BEFORE),
    (Known.GAP,),
    (Known.SINCE, Known.BEFORE),
    (Known.OPENER,),
    (Known.SECOND, Known.BEFORE),
    (Known.SECOND, Known.GAP),
)
_KEYS: _Chosen = (
    (Known.SORT,),
    (Known.SORT, Known.BEFORE),
    (Known.SORT, Known.BEFORE, Known.GAP),
    (Known.SORT, Known.EARLIER, Known.BEFORE),
    (Known.SORT, Known.GAP),
    (Known.SORT, Known.OPENER),
    (Known.SORT, Known.LINE_WORDS),
)


def _lay_weights(chosen: _Chosen, first: int) -> Hashes:
    """Return the weights by which a view becomes one number for each choice of columns: (columns, choices)."""
    weights = np.zeros((COLUMNS, len(chosen)), np.uint64)
    for number, columns in enumerate(chosen):
        weights[Known.ONE, number] = SPREADS[0] * np.uint64(first + number)
        for column, spread in zip(columns, SPREADS[1:], strict=False):
            weights[column, number] += spread
    return weights


with np.errstate(over="ignore"):
    _LOCAL_WEIGHTS, _QUERY_WEIGHTS, _KEY_WEIGHTS, _STATE_WEIGHTS = (
        _lay_weights(chosen, first) for chosen, first in ((_LOCAL, 1), (_QUERIES, 31), (_KEYS, 61), (_STATE, 91))
    )
_NGRAM_WEIGHTS = np.zeros((COLUMNS, 5), np.uint64)
_NGRAM_WEIGHTS[Known.LAST : Known.KIND] = np.diag(SPREADS[:1] * 5)
_NGRAM_WEIGHTS[Known.ONE] = ORDERS[:5] * SPREADS[0]
_READER_WEIGHTS = np.zeros((COLUMNS, 1), np.uint64)  # what a state adds to the hashes of the words that are read there
_READER_WEIGHTS[Known.STATE] = SPREADS[3]
_POSITION_WEIGHTS = np.hstack([_LOCAL_WEIGHTS, _QUERY_WEIGHTS, _NGRAM_WEIGHTS, _READER_WEIGHTS])
_CONTEXTS = LOCAL_KINDS + len(_QUERIES)  # the column at which those of the n-grams begin
_POSITION_SHIFTS = np.repeat(np.array([64 - LOCAL_BITS, 64 - POINT_BITS], np.uint64), [LOCAL_KINDS, len(_QUERIES) + 6])
_WORD_SHIFT = np.array([64 - WORD_BITS], np.uint64)
_STATE_FIRST = int(_STATE_WEIGHTS[Known.ONE, 0])
_STATE_FACTORS = tuple(map(int, SPREADS[1:]))
_WORD_KINDS = np.array([1, 2], np.uint64) * SPREADS[1]
_LACKING = np.array([4], np.uint64) * SPREADS[1]
_DISTANCES = np.arange(PLACES, dtype=np.uint64) * SPREADS[0] + np.array([3], np.uint64) * SPREADS[3]


def complete_view(view: Hashes) -> Hashes:
    """Fill in the state, in place."""
    view[:, Known.STATE] = finish(view @ _STATE_WEIGHTS)[:, 0]
    return view


def name_state(before: int, gap: int, word: int) -> int:
    """Return the state of one position: the same number as `complete_view`, without the cost of an array."""
    first, second, third = _STATE_FACTORS
    return finish_one(_STATE_FIRST + before * first + gap * second + word * third)


def local_rows(view: Hashes) -> Rows:
    """Return the rows of the surroundings of each position: (positions, kinds of surroundings)."""
    return choose_rows(finish(view @ _LOCAL_WEIGHTS), LOCAL_BITS)


def query_rows(view: Hashes) -> Rows:
    """Return the rows of what a position looks for, if a word or a sign begins behind it: (positions, kinds)."""
    return choose_rows(finish(view @ _QUERY_WEIGHTS), POINT_BITS)


def key_rows(view: Hashes) -> Rows:
    """Return the rows of what can be found behind each position: (positions, kinds)."""
    return choose_rows(finish(view @ _KEY_WEIGHTS), POINT_BITS)


def hash_words(words: Hashes, previous: Hashes) -> Hashes:
    """Hash words read as a bag, alone and with the word before them: (words, 2).

    How many lines ago each was written is added by `add_lines`, and where they are read from by `word_rows`.
    """
    hashes: Hashes = (words * SPREADS[0])[:, None] + _WORD_KINDS
    hashes[:, 1] += previous * SPREADS[2]
    return hashes


def add_lines(hashes: Hashes, lines: Numbers) -> None:
    """Add to the hashes of words how many lines ago each was written, in place."""
    hashes[:, 0] += np.minimum(lines, OLDEST_LINE).astype(np.uint64) * SPREADS[1]


def word_rows(hashes: Hashes, states: Hashes) -> Rows:
    """Return the rows of words that are read where these states are: (words, 2)."""
    return choose_rows(finish(hashes + states * SPREADS[3]), WORD_BITS) + np.uint16(FIRST_WORD_ROW)


class PositionRows(NamedTuple):
    """The rows that some positions select, as indices: they are used once, so small numbers would not pay."""

    local: Ints  # (positions, kinds of surroundings)
    queries: Ints  # (positions, kinds)
    ngrams: Ints  # (positions, orders)
    words: Ints  # those of all bags of words, in one line, counted from FIRST_WORD_ROW


def position_rows(views: Hashes, bags: Sequence[Hashes], size: Size) -> PositionRows:
    """Return what `local_rows`, `query_rows` and `hash_rows` say of some positions, and the rows of bags of words.

    There is a bag for each position, its hashes in one line. One pass over all hashes: with so few, each call of
    numpy costs more than what it computes.
    """
    sums = views @ _POSITION_WEIGHTS
    read = [bag + sums[row, -1:] for row, bag in enumerate(bags) if bag.size]
    mixed = finish(np.concatenate([sums.ravel(), *read]))
    fixed, words = mixed[: sums.size].reshape(sums.shape), mixed[sums.size :]
    ngrams = fixed[:, _CONTEXTS : _CONTEXTS + size.orders] >> np.uint64(65 - size.features.bit_length())
    mixed *= SPREAD
    fixed >>= _POSITION_SHIFTS
    words >>= _WORD_SHIFT
    rows = fixed.view(np.int64)
    local, queries = rows[:, :LOCAL_KINDS], rows[:, LOCAL_KINDS:_CONTEXTS]
    return PositionRows(local, queries, ngrams.view(np.int64), words.view(np.int64))


def lacking_rows(lacks: Hashes, since: Hashes) -> Rows:
    """Return the rows of what evidence lacks, with what was written since: (n, 1)."""
    hashes = lacks * SPREADS[0]
    hashes += _LACKING
    hashes += since * SPREADS[3]
    return choose_rows(finish(hashes)[:, None], WORD_BITS) + np.uint16(FIRST_WORD_ROW)


def place_rows(distances: Ints | slice, tokens: Hashes, starts: Hashes) -> Rows:
    """Return the rows of characters by their distance from an anchor: (places, 1)."""
    hashes = tokens * SPREADS[1]
    hashes += _DISTANCES[distances]
    hashes += starts * SPREADS[2]
    return choose_rows(finish(hashes)[:, None], PLACE_BITS) + np.uint16(FIRST_PLACE_ROW)


def hash_start(view: Hashes) -> Hashes:
    """Hash what introduced an anchor and was written since: with it, characters are read by their distance."""
    return finish(view[:, Known.BEFORE] * SPREAD + view[:, Known.SINCE] * SPREADS[1])
