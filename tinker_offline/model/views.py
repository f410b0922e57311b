"""Describe what the chat models know at one position, and the rows of the tables that this selects.

Both ways of reading use it: all positions of whole texts at once (`reading`), and one position of
each text that grows (`reader`).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline.model.hashing import Hashes, Numbers, choose_rows, combine

Rows = npt.NDArray[np.uint16]

RECENT = 5  # characters
LOCAL_BITS, WORD_BITS, PLACE_BITS, POINT_BITS = 14, 15, 14, 11
FIRST_WORD_ROW = 2**LOCAL_BITS
FIRST_PLACE_ROW = FIRST_WORD_ROW + 2**WORD_BITS
FEATURES = FIRST_PLACE_ROW + 2**PLACE_BITS
POINTS = 2**POINT_BITS
WORDS = 64  # words behind a position that it reads as a bag
WORDS_WITHIN = 12  # characters after an anchor at which it does
WORDS_UNTIL = 3  # characters of a word until which it does
PLACES = 160  # characters before an anchor that it reads by their distance
PLACES_WITHIN = 2  # characters after the anchor at which it does
LONGEST_AGE, LONGEST_RUN, LONGEST_LINE, OLDEST_LINE = 15, 8, 7, 3


class View(NamedTuple):
    """What is known at each position, behind its token: (positions,) each.

    A word is a run of letters, digits and _; what is between two words is a gap. An anchor is where something
    begins: a text, a line, or what follows `: `, `= `, `> `, `? ` or `| `. Hashes of what is not there are 0.
    """

    recent: Numbers  # the last tokens, newest first: (RECENT, positions)
    kind: Numbers  # of the newest token
    word: Numbers  # the word so far, if the newest token is in one
    gap: Numbers  # what is before the word, or so far after the last one
    before: Numbers  # the word before the gap
    earlier: Numbers  # the word before that
    since: Numbers  # what was written since the anchor
    age: Numbers  # how many characters that is
    length: Numbers  # of the word so far
    match: Numbers  # what followed when a word began like this one before
    opener: Numbers  # the first word of the line
    second: Numbers  # the second word of the line
    line_words: Numbers  # how many words of the line are complete


def hash_state(view: View) -> Hashes:
    """Hash where in its phrase a position is: the word before, the gap, and the word so far."""
    return combine(view.before, view.gap, view.word)


def local_rows(view: View) -> Rows:
    """Return the rows of the surroundings of each position: (positions, kinds of surroundings)."""
    pairs = view.recent[0] * 100 + view.recent[1]
    triples, state = pairs * 100 + view.recent[2], hash_state(view)
    fours = triples * 100 + view.recent[3]
    chosen: tuple[tuple[Numbers, ...], ...] = (
        (view.recent[0],),
        (pairs,),
        (triples,),
        (fours,),
        (fours * 100 + view.recent[4],),
        (state,),
        (state, view.earlier),
        (view.gap, view.word),
        (view.before, view.length),
        (np.minimum(view.age, LONGEST_AGE),),
        (view.match, view.before, view.gap),
        (view.match, view.kind, view.recent[0]),
        (view.since, view.before * (view.age > 0).astype(np.uint64)),
        (view.opener, view.since),
        (view.match, view.gap, view.length),
        (state, view.opener),
        (view.second, view.gap, view.word),
        (view.second, view.before, view.word),
        (view.second, pairs),
    )
    hashes = [combine(number, *parts) for number, parts in enumerate(chosen, 1)]
    return choose_rows(np.stack(hashes, axis=1), LOCAL_BITS)


def word_rows(words: Numbers, previous: Numbers, lines: Numbers, states: Numbers) -> Rows:
    """Return the rows of words read as a bag, alone and with the word before them: (words, 2).

    `lines` says how many lines ago each was written, and `states` where the position is that reads it.
    """
    alone = combine(words, np.minimum(lines, OLDEST_LINE), states, 1)
    paired = combine(words, previous, states, 2)
    return choose_rows(np.stack([alone, paired], axis=1), WORD_BITS) + np.uint16(FIRST_WORD_ROW)


def place_rows(distances: Numbers, tokens: Numbers, older: Numbers, starts: Numbers) -> Rows:
    """Return the rows of characters by their distance from an anchor, alone and with the one before: (places, 2)."""
    alone = combine(distances, tokens, starts, 3)
    paired = combine(distances, np.asarray(tokens) * 100 + older, starts, 4)
    return choose_rows(np.stack([alone, paired], axis=1), PLACE_BITS) + np.uint16(FIRST_PLACE_ROW)


def hash_start(view: View) -> Hashes:
    """Hash what introduced an anchor and was written since: with it, characters are read by their distance."""
    return combine(view.before, view.since)


def query_rows(view: View) -> Rows:
    """Return the rows of what a position looks for, if a word or a sign begins behind it: (positions, kinds)."""
    chosen: tuple[tuple[Numbers, ...], ...] = (
        (np.zeros_like(view.gap),),
        (view.before,),
        (view.before, view.gap),
        (view.earlier, view.before),
        (view.gap,),
        (view.since, view.before),
        (view.opener,),
        (view.second, view.before),
        (view.second, view.gap),
    )
    hashes = [combine(number, *parts) for number, parts in enumerate(chosen, 11)]
    return choose_rows(np.stack(hashes, axis=1), POINT_BITS)


def key_rows(view: View, sorts: Numbers) -> Rows:
    """Return the rows of what can be found behind each position, whose next token is of this sort."""
    chosen: tuple[tuple[Numbers, ...], ...] = (
        (sorts,),
        (sorts, view.before),
        (sorts, view.before, view.gap),
        (sorts, view.earlier, view.before),
        (sorts, view.gap),
        (sorts, view.opener),
        (sorts, np.minimum(view.line_words, LONGEST_LINE)),
    )
    hashes = [combine(number, *parts) for number, parts in enumerate(chosen, 31)]
    return choose_rows(np.stack(hashes, axis=1), POINT_BITS)
