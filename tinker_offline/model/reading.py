"""Read whole texts at once: what the chat models know at every position of them.

Everything is computed for all positions together; nothing at a position depends on what follows it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from tinker_offline.model.answering_line import Evidence, find_evidence
from tinker_offline.model.characters import BEGIN
from tinker_offline.model.feature_rows import (
    COLUMNS,
    LONGEST_AGE,
    LONGEST_LINE,
    LONGEST_RUN,
    PLACES,
    PLACES_WITHIN,
    WORDS,
    WORDS_UNTIL,
    WORDS_WITHIN,
    Known,
    add_lines,
    complete_view,
    hash_start,
    hash_words,
    key_rows,
    lacking_rows,
    local_rows,
    place_rows,
    query_rows,
    word_rows,
)
from tinker_offline.model.hashing import (
    DIGIT,
    IN_WORD,
    KINDS,
    PAD,
    SORTS,
    Hashes,
    combine,
    cut_run,
    hash_runs,
)
from tinker_offline.model.ngram import Flags, Ints, Rows
from tinker_offline.model.row_sums import count_below
from tinker_offline.model.text_layout import Layout, Words, find_ends, hash_so_far, hold_anchors, lay_out, list_words

MATCHES = 16  # earlier words that begin like this one and are considered
NOWHERE = -(10**6)  # no word was written before


class Bag(NamedTuple):
    """Rows that some positions read besides: which positions, how many things each reads, and the rows of each."""

    at: Ints
    counts: Ints
    rows: Rows


class Slots(NamedTuple):
    """The positions behind which a word or a sign begins. What begins there can be found later."""

    at: Ints
    texts: Ints  # which text each is in
    queries: Rows
    keys: Rows
    gaps: Hashes
    before: Hashes
    earlier: Hashes
    sought: Ints  # the line that answers what was asked before each; 0 if there is none
    follows: Ints  # the number of the word at which the text was last retold; NOWHERE if it was not
    words: Ints  # how many words are complete
    lines: Ints


class Pairs(NamedTuple):
    """Positions within a word, and earlier ones whose word begins alike."""

    here: Ints
    there: Ints


class Reading(NamedTuple):
    """What is known at each position of some texts, and the rows that this selects."""

    texts: Ints
    tokens: Ints
    following: Ints  # the next token of each position
    in_word: Flags
    local: Rows
    words: Bag
    places: Bag
    lacks: Bag | None  # what evidence lacks, if the model looks for it
    slots: Slots
    pairs: Pairs


def read_texts(tokens: Ints, lengths: Sequence[int], *, finds: bool = False) -> Reading:
    """Read texts of these lengths, which follow one another in `tokens`."""
    view, words, layout = _look(tokens, lengths)
    in_word, following = IN_WORD[tokens], np.append(tokens[1:], PAD)
    pairs, view[:, Known.MATCH] = _match_words(view, in_word, layout, following)
    complete_view(view)
    bags = _read_words(view, words, layout), _read_places(view, tokens, layout)
    anchors = hold_anchors(tokens, layout)
    evidence = _find_evidence(anchors, words, layout) if finds else {}
    lacks = _read_lacks(view, anchors, evidence) if finds else None
    slots = _list_slots(view, words, layout, np.flatnonzero(~in_word))
    if finds:
        slots = slots._replace(sought=np.array([evidence[anchor].line for anchor in anchors[slots.at].tolist()]))
    return Reading(layout.texts, tokens, following, in_word, local_rows(view), *bags, lacks, slots, pairs)


def _look(tokens: Ints, lengths: Sequence[int]) -> tuple[Hashes, Words, Layout]:
    """Return what is known at each position but for MATCH and STATE, with the words and the layout."""
    layout = lay_out(tokens, lengths)
    sums = hash_runs(tokens, layout.places)
    runs = hash_so_far(sums, layout)
    words = list_words(tokens, runs, layout)
    view = _describe(tokens, sums, runs, layout)
    complete = np.append(0, np.cumsum(find_ends(IN_WORD[tokens], layout)))
    view[:, Known.LINE_WORDS] = np.minimum(words.done - complete[layout.line_starts], LONGEST_LINE)
    view[:, Known.SORT] = SORTS[np.append(tokens[1:], PAD)]
    return view, words, layout


def _describe(tokens: Ints, sums: Hashes, runs: Hashes, layout: Layout) -> Hashes:
    index, in_word = np.arange(len(tokens)), IN_WORD[tokens]

    def step_back(ends: Ints) -> Ints:
        """Return where the run before the one that ends there ends; -1 if there is none."""
        before = layout.run_starts[ends] - 1
        return np.where((ends >= 0) & (before >= layout.starts), before, -1)

    def look_up(ends: Ints) -> Hashes:
        return np.where(ends >= 0, runs[ends], np.uint64(0))

    view = np.zeros((len(tokens), COLUMNS), np.uint64)
    view[:, Known.ONE] = 1
    view[:, Known.KIND] = KINDS[tokens]
    number = np.zeros(len(tokens), np.int64)
    for back, column in enumerate((Known.LAST, Known.TWO, Known.THREE, Known.FOUR, Known.FIVE)):
        number = number * DIGIT + np.where(layout.places >= back, np.roll(tokens, back), PAD)
        view[:, column] = number
    gap = np.where(in_word, layout.run_starts - 1, index)
    gap = np.where(gap >= layout.starts, gap, -1)
    before, anchors = step_back(gap), hold_anchors(tokens, layout)
    view[:, Known.WORD] = np.where(in_word, runs, np.uint64(0))
    view[:, Known.GAP], view[:, Known.BEFORE] = look_up(gap), look_up(before)
    view[:, Known.EARLIER] = look_up(step_back(step_back(before)))
    view[:, Known.SINCE] = cut_run(sums, layout.places, anchors + 1, index)
    view[:, Known.AGE] = np.minimum(index - anchors, LONGEST_AGE)
    view[:, Known.HELD] = np.where(index > anchors, view[:, Known.BEFORE], np.uint64(0))
    view[:, Known.LENGTH] = np.minimum(index - layout.run_starts, LONGEST_RUN) * in_word
    view[:, Known.OPENER], view[:, Known.SECOND] = _read_openers(tokens, sums, layout)
    return view


def _read_openers(tokens: Ints, sums: Hashes, layout: Layout) -> tuple[Hashes, Hashes]:
    """Return the hashes of the first and the second word of each position's line, as far as read."""
    index, in_word = np.arange(len(tokens)), IN_WORD[tokens]
    first = np.minimum(layout.line_starts + (tokens[layout.line_starts] == BEGIN), len(tokens) - 1)
    opener = cut_run(sums, layout.places, first, np.minimum(layout.run_ends[first], index))
    begins = in_word & (layout.run_starts == index)
    counts, where = np.append(0, np.cumsum(begins)), np.append(np.flatnonzero(begins), len(tokens) - 1)
    wanted = counts[layout.line_starts] + 1
    second = where[np.minimum(wanted, len(where) - 1)]
    hashes = cut_run(sums, layout.places, second, np.minimum(layout.run_ends[second], index))
    return opener, np.where(counts[1:] > wanted, hashes, np.uint64(0))


def _match_words(view: Hashes, in_word: Flags, layout: Layout, following: Ints) -> tuple[Pairs, Ints]:
    """Pair each position within a word with the latest earlier ones that begin alike; and say what followed them.

    What followed is that of the latest one in the same phrase, else after the same word, else of the latest.
    """
    inside = np.flatnonzero(in_word)
    word, gap, before = (view[:, column] for column in (Known.WORD, Known.GAP, Known.BEFORE))
    keys = combine(layout.texts, word)
    order = inside[np.argsort(keys[inside], kind="stable")]
    ordered = keys[order]
    here, there = [], []
    for lag in range(1, MATCHES + 1):
        alike = np.flatnonzero(ordered[lag:] == ordered[:-lag])
        here.append(order[alike + lag])
        there.append(order[alike])
    pairs = Pairs(np.concatenate(here), np.concatenate(there))
    match = np.full(len(in_word), PAD)
    same = before[pairs.here] == before[pairs.there]
    for better in (np.ones_like(same), same, same & (gap[pairs.here] == gap[pairs.there])):
        chosen = np.flatnonzero(better)[::-1]  # the latest one is written last
        match[pairs.here[chosen]] = following[pairs.there[chosen]]
    return pairs, match


def _read_words(view: Hashes, words: Words, layout: Layout) -> Bag:
    at = np.flatnonzero((view[:, Known.AGE] <= WORDS_WITHIN) & (view[:, Known.LENGTH] <= WORDS_UNTIL))
    counts = np.minimum(words.done[at] - words.first[at], WORDS)
    which = count_below(counts) + np.repeat(words.done[at] - counts, counts)
    hashes = hash_words(words.hashes, words.previous).take(which, axis=0)
    add_lines(hashes, np.repeat(layout.lines[at], counts) - words.lines[which])
    return Bag(at, counts, word_rows(hashes, np.repeat(view[at, Known.STATE], counts)[:, None]))


def _read_places(view: Hashes, tokens: Ints, layout: Layout) -> Bag:
    at = np.flatnonzero(view[:, Known.AGE] <= PLACES_WITHIN)
    anchors = at - view[at, Known.AGE].astype(np.int64)
    counts = np.minimum(anchors - layout.starts[at], PLACES)
    distances = count_below(counts)
    which = np.repeat(anchors, counts) - distances - 1
    starts = np.repeat(hash_start(view[at]), counts)
    return Bag(at, counts, place_rows(distances, tokens.astype(np.uint64).take(which), starts))


def _find_evidence(anchors: Ints, words: Words, layout: Layout) -> dict[int, Evidence]:
    """Return the evidence for what begins at each anchor."""
    hashes, lines = words.hashes.tolist(), words.lines.tolist()
    evidence = {}
    for anchor in np.unique(anchors).tolist():
        known = slice(words.first[anchor], words.done[anchor])
        evidence[anchor] = find_evidence(hashes[known], lines[known], int(layout.lines[anchor]))
    return evidence


def _read_lacks(view: Hashes, anchors: Ints, evidence: dict[int, Evidence]) -> Bag:
    at = np.flatnonzero(view[:, Known.AGE] <= PLACES_WITHIN)
    lacks = [evidence[anchor].lacks for anchor in anchors[at].tolist()]
    counts = np.array([len(numbers) for numbers in lacks])
    values = np.array(list(chain.from_iterable(lacks)), np.uint64)
    return Bag(at, counts, lacking_rows(values, np.repeat(view[at, Known.SINCE], counts)))


def _list_slots(view: Hashes, words: Words, layout: Layout, at: Ints) -> Slots:
    here, done = view[at], words.done[at]
    return Slots(
        at,
        layout.texts[at],
        query_rows(here),
        key_rows(here),
        here[:, Known.GAP],
        here[:, Known.BEFORE],
        here[:, Known.EARLIER],
        np.zeros(len(at), np.int64),
        np.where(done > words.first[at], _follow_words(words, layout)[done], NOWHERE),
        done,
        layout.lines[at],
    )


def _follow_words(words: Words, layout: Layout) -> Ints:
    """Return, after each number of complete words, at which word's number the text was last retold.

    If the last word was written before, that is its first occurrence after the one last retold, else its last.
    """
    follows, last = [NOWHERE], -1
    occurrences: dict[int, list[int]] = {}
    current = NOWHERE
    for number, (word, text) in enumerate(zip(words.hashes.tolist(), layout.texts[words.ends].tolist(), strict=True)):
        if text != last:
            occurrences, last, current = {}, text, NOWHERE
        places = occurrences.setdefault(word, [])
        if places:
            current = places[min(bisect_right(places, current), len(places) - 1)]
        places.append(number)
        follows.append(current)
    return np.array(follows)
