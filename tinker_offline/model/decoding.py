"""Compute the next token's chances for texts of a chat model that grow side by side.

Texts that are alike so far are computed once: the samples of one prompt share all work until they differ.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinker_offline.model import characters
from tinker_offline.model.chat import (
    LACKS_GAIN,
    LOCAL_WEIGHT,
    PLACE_GAIN,
    SMALLEST,
    WORD_GAIN,
    chat_scale,
    open_gate,
    weigh_tokens,
)
from tinker_offline.model.feature_rows import (
    COLUMNS,
    FIRST_WORD_ROW,
    PLACES,
    PLACES_WITHIN,
    WORDS,
    WORDS_UNTIL,
    WORDS_WITHIN,
    Known,
    add_lines,
    hash_start,
    hash_words,
    key_rows,
    lacking_rows,
    name_state,
    place_rows,
    position_rows,
    query_rows,
)
from tinker_offline.model.growing import GrowingText
from tinker_offline.model.hashing import SORTS, Hashes
from tinker_offline.model.ngram import Adapter, Base, Floats, Ints, Rows, base_logits
from tinker_offline.model.pointer import Scorer, Seen

Numbers = npt.NDArray[np.intp]
_HASHES = slice(Known.GAP, Known.EARLIER + 1)  # of a view: those that are compared
_SORTS = SORTS.tolist()
_NO_WORDS = np.zeros(0, np.uint64)


class _Slots:
    """What can be found in one text: its slots, in the order in which they were written."""

    def __init__(self, room: int, rank: int) -> None:
        self.keys = np.zeros((room, rank), np.float32)
        self.tokens = np.full(room, characters.SIZE, np.int64)
        self.hashes = np.zeros((room, 3), np.uint64)
        self.words, self.lines = np.zeros(room, np.int64), np.zeros(room, np.int64)

    def copy(self, count: int) -> "_Slots":
        """Return a copy of the first `count` slots, with as much room."""
        twin = _Slots(*self.keys.shape)
        for name, values in vars(self).items():
            getattr(twin, name)[:count] = values[:count]
        return twin


class _Branch:
    """A text, and what is computed of it only once."""

    def __init__(self, text: GrowingText, slots: _Slots) -> None:
        self.text, self.slots = text, slots
        self.scores = np.zeros(0, np.float32)  # of the slots, where the last word began
        self.view = np.zeros(COLUMNS, np.uint64)  # what is known behind its last token
        self.query: Rows | Ints = np.zeros(0, np.int64)  # the rows of what is looked for there
        self.words: tuple[int, int, Hashes] | None = None  # how many words and lines, and the hashes of the words

    def copy(self) -> "_Branch":
        twin = _Branch(self.text.copy(), self.slots.copy(self.text.slots))
        twin.scores, twin.view, twin.query, twin.words = self.scores, self.view.copy(), self.query, self.words
        return twin

    def read(self, adapter: Adapter, prompt: Sequence[int]) -> None:
        """Append a prompt: as `write` does token by token, but all that can be found is computed at once."""
        text, slots, known = self.text, self.slots, list[list[int]]()
        for token in prompt:
            if text.tokens and not text.in_word:
                known.append([*text.view(), _SORTS[token], 0, token, len(text.words), text.line])
            text.write(token)
        if not known:
            return
        table, number = np.array(known, np.uint64), len(known)
        views = table[:, :COLUMNS]
        slots.keys[:number] = np.add.reduce(adapter.key.take(key_rows(views), axis=0), axis=1)
        slots.hashes[:number], self.query = views[:, _HASHES], query_rows(views[-1])
        slots.tokens[:number], slots.words[:number], slots.lines[:number] = table[:, COLUMNS:].T

    def write(self, adapter: Adapter, token: int) -> None:
        """Append a token; what begins with it can be found from now on."""
        text, slots = self.text, self.slots
        if not text.in_word:
            place = text.slots - 1
            self.view[Known.SORT] = _SORTS[token]
            slots.keys[place] = np.add.reduce(adapter.key.take(key_rows(self.view), axis=0), axis=0)
            slots.tokens[place], slots.hashes[place] = token, self.view[_HASHES]
            slots.words[place], slots.lines[place] = len(text.words), text.line
        text.write(token)

    def hash_words(self) -> Hashes:
        """Return the hashes of the words that are read as a bag behind the last token, but for its state."""
        text = self.text
        if text.age > WORDS_WITHIN or text.length > WORDS_UNTIL or not text.words:
            return _NO_WORDS
        if self.words is None or self.words[:2] != (len(text.words), text.line):
            words = np.array([0, *text.words[-WORDS - 1 :]], np.uint64)[-WORDS - 1 :]
            hashes = hash_words(words[1:], words[:-1])
            add_lines(hashes, text.line - np.array(text.word_lines[1 - len(words) :]))
            self.words = len(text.words), text.line, hashes.ravel()
        return self.words[2]


class ChatDecoder:
    """Texts with one prompt that grow side by side."""

    def __init__(self, base: Base, adapter: Adapter, prompt: Ints, count: int, room: int) -> None:
        self._base, self._adapter = base, adapter
        self._scorer, self._scale, self._words = Scorer(adapter), chat_scale(adapter), adapter.down[FIRST_WORD_ROW:]
        first = _Branch(GrowingText(finds=base.size.finds), _Slots(len(prompt) + room, adapter.rank))
        first.read(adapter, prompt.tolist())
        if first.text.in_word and first.text.slots:
            first.scores = self._score(first, first.query)
        self._branches = {0: first}  # by the first text that is on it
        self._leaders = [0] * count  # on which branch each text is

    def logprobs(self, running: Numbers) -> Floats:
        """Return the log-probabilities of the next token of each of these texts: (running, vocabulary)."""
        leaders = [self._leaders[index] for index in running.tolist()]
        places = {leader: place for place, leader in enumerate(dict.fromkeys(leaders))}
        computed = self._compute([self._branches[leader] for leader in places])
        if len(places) == len(leaders):
            return computed
        shared: Floats = computed.take([places[leader] for leader in leaders], axis=0)
        return shared

    def _compute(self, branches: Sequence[_Branch]) -> Floats:
        views = _look(branches)
        hidden, ngrams = self._sum_hidden(views, branches)
        chances, openings = weigh_tokens(self._adapter, base_logits(self._base, ngrams), hidden)
        copied = np.zeros(chances.shape, np.float32)
        copies = [self._point(copied[row], branch) for row, branch in enumerate(branches)]
        if any(copies):
            gate = open_gate(openings)[:, None]
            if not all(copies):
                gate *= np.array(copies)[:, None]
            chances *= 1 - gate
            copied *= gate
            chances += copied
        np.maximum(chances, SMALLEST, out=chances)
        return np.log(chances, out=chances)

    def write(self, running: Numbers, tokens: Ints) -> None:
        """Append one token to each of these texts; those that now differ go on alone."""
        chosen: dict[tuple[int, int], int] = {}
        for index, token in zip(running.tolist(), tokens.tolist(), strict=True):
            self._leaders[index] = chosen.setdefault((self._leaders[index], token), index)
        for (leader, _), mine in chosen.items():
            if mine != leader:
                self._branches[mine] = self._branches[leader].copy()
        for (_, token), mine in chosen.items():
            self._branches[mine].write(self._adapter, token)

    def _sum_hidden(self, views: Hashes, branches: Sequence[_Branch]) -> tuple[Floats, Ints]:
        """Return the hidden values of each, and the rows of its n-grams."""
        bags = [branch.hash_words() for branch in branches]
        rows = position_rows(views, bags, self._base.size)
        hidden: Floats = np.add.reduce(self._adapter.down.take(rows.local, axis=0), axis=1)
        hidden *= LOCAL_WEIGHT
        start = 0
        for row, (branch, bag) in enumerate(zip(branches, bags, strict=True)):
            branch.view, branch.query = views[row], rows.queries[row]
            if bag.size:
                words = rows.words[start : start + bag.size]
                hidden[row] += _sum_bag(self._words, words, WORD_GAIN * (bag.size // 2) ** -0.5)
                start += bag.size
            if branch.text.age <= PLACES_WITHIN:
                self._read_at_anchor(hidden[row], branch.text, branch.view)
        hidden *= self._scale
        return hidden, rows.ngrams

    def _read_at_anchor(self, hidden: Floats, text: GrowingText, view: Hashes) -> None:
        """Add what is read only where something begins."""
        if len(text.tokens) > text.age + 1:
            hidden += self._read_places(text, view[None])
        if text.evidence.lacks:
            hidden += self._read_lacks(text, view[Known.SINCE :])

    def _read_places(self, text: GrowingText, view: Hashes) -> Floats:
        anchor = len(text.tokens) - 1 - text.age
        tokens = np.array(bytearray(text.tokens[max(0, anchor - PLACES) : anchor])[::-1]).astype(np.uint64)
        rows = place_rows(slice(len(tokens)), tokens, hash_start(view))
        return _sum_bag(self._adapter.down, rows.ravel(), PLACE_GAIN * len(rows) ** -0.5)

    def _read_lacks(self, text: GrowingText, since: Hashes) -> Floats:
        lacks = np.array(text.evidence.lacks, np.uint64)
        rows = lacking_rows(lacks, since[:1])
        return _sum_bag(self._adapter.down, rows.ravel(), LACKS_GAIN * len(rows) ** -0.5)

    def _point(self, copied: Floats, branch: _Branch) -> bool:
        """Add the shares of what can be copied; return whether there is anything."""
        text = branch.text
        if text.alike:
            return _point_within(copied, branch)
        if text.in_word or text.slots < 2:
            return False
        self._point_slots(copied, branch)
        return True

    def _point_slots(self, copied: Floats, branch: _Branch) -> None:
        """Add the shares of what begins at the slots of a text that is at one."""
        slots, last = branch.slots, branch.text.slots - 1
        slots.hashes[last], slots.lines[last] = branch.view[_HASHES], branch.text.line
        branch.scores = self._score(branch, branch.query)
        copied += np.bincount(slots.tokens[:last], _share(branch.scores), characters.SIZE)

    def _score(self, branch: _Branch, query: Rows | Ints) -> Floats:
        """Score the slots before the last."""
        slots, last = branch.slots, branch.text.slots - 1
        seen = Seen(slots.keys[:last], slots.hashes[:last], slots.words[:last], slots.lines[:last])
        vector = np.add.reduce(self._adapter.query.take(query, axis=0), axis=0)
        text = branch.text
        lines = int(slots.lines[last]), text.evidence.line
        return self._scorer.score(vector, seen, slots.hashes[last], text.follows, lines)


def _sum_bag(table: Floats, rows: Rows | Ints, weight: float) -> Floats:
    summed: Floats = np.add.reduce(table.take(rows, axis=0), axis=0)
    summed *= np.float32(weight)
    return summed


def _point_within(copied: Floats, branch: _Branch) -> bool:
    """Add the shares of what continues the word, of the earlier words that begin alike; return whether there is any."""
    text = branch.text
    places = [place for place in text.alike if text.word_slots[place] >= 0]
    if text.word_slots[-1] < 0 or not places:
        return False
    shares = _share(branch.scores.take([text.word_slots[place] for place in places]))
    np.add.at(copied, [text.tokens[place + 1] for place in places], shares)
    return True


def _share(scores: Floats) -> Floats:
    """Return the softmax of the scores of one text."""
    shares: Floats = np.exp(scores - np.maximum.reduce(scores))
    shares /= np.add.reduce(shares)
    return shares


def _look(branches: Sequence[_Branch]) -> Hashes:
    """Return what is known behind the last token of each: (branches, columns)."""
    texts = [branch.text for branch in branches]
    states = [name_state(text.before, text.gap, text.word) for text in texts]
    return np.array([[*text.view(), 0, state] for text, state in zip(texts, states, strict=True)], np.uint64)
