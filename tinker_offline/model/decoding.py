"""Compute the next token's chances for texts of a chat model that grow side by side."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinker_offline.model import characters
from tinker_offline.model.chat import PLACE_GAIN, SMALLEST, WORD_GAIN, chat_scale, local_weight, open_gate, weigh
from tinker_offline.model.feature_rows import (
    COLUMNS,
    PLACES,
    PLACES_WITHIN,
    WORDS,
    WORDS_UNTIL,
    WORDS_WITHIN,
    Known,
    complete_view,
    hash_start,
    key_rows,
    local_rows,
    place_rows,
    query_rows,
    word_rows,
)
from tinker_offline.model.growing import GrowingText
from tinker_offline.model.hashing import SORTS, Hashes
from tinker_offline.model.ngram import Adapter, Base, Floats, Ints, hash_rows, last_keys, next_keys
from tinker_offline.model.pointer import count_steps, point_scale, relation_weights, score_numbers
from tinker_offline.model.reading import read_texts
from tinker_offline.model.row_sums import sum_rows

Numbers = npt.NDArray[np.intp]
_HASHES = [Known.GAP, Known.BEFORE, Known.EARLIER]


class _Slots:
    """What can be found: the slots of each text, in the order in which they were written."""

    def __init__(self, count: int, room: int, rank: int) -> None:
        self.keys = np.zeros((count, room, rank), np.float32)
        self.tokens = np.full((count, room), characters.SIZE, np.int64)
        self.hashes = np.zeros((count, room, len(_HASHES)), np.uint64)
        self.words, self.lines = np.zeros((count, room), np.int64), np.zeros((count, room), np.int64)


class ChatDecoder:
    """Texts with one prompt that grow side by side."""

    def __init__(self, base: Base, adapter: Adapter, prompt: Ints, count: int, room: int) -> None:
        self._base, self._adapter = base, adapter
        self._texts = [GrowingText(prompt.tolist())]
        self._texts += [self._texts[0].copy() for _ in range(count - 1)]
        self._slots = _Slots(count, len(prompt) + room, adapter.rank)
        self._views = np.zeros((count, COLUMNS), np.uint64)
        self._ngrams = np.repeat(last_keys(prompt, base.size), count, axis=0)
        self._scores = [np.zeros(0, np.float32)] * count  # of the slots, where the last word began
        self._read_prompt(prompt, count)

    def _read_prompt(self, prompt: Ints, count: int) -> None:
        slots, mine, number = read_texts(prompt, [len(prompt)]).slots, self._slots, self._texts[0].slots
        if not number:
            return
        mine.keys[:, :number] = sum_rows(self._adapter.key, slots.keys)
        mine.tokens[:, : number - 1] = prompt[slots.at[:-1] + 1]
        mine.hashes[:, :number] = np.stack([slots.gaps, slots.before, slots.earlier], axis=1)
        mine.words[:, :number], mine.lines[:, :number] = slots.words, slots.lines
        if self._texts[0].in_word:
            mine.tokens[:, number - 1] = prompt[slots.at[-1] + 1]
            queries = sum_rows(self._adapter.query, slots.queries[-1:])
            scores = self._score(queries, np.zeros(1, np.intp), slots.follows[-1:], [number])
            self._scores = [scores[0, : number - 1]] * count

    def logprobs(self, running: Numbers) -> Floats:
        """Return the log-probabilities of the next token of each of these texts: (running, vocabulary)."""
        texts = [self._texts[index] for index in running.tolist()]
        views = np.zeros((len(texts), COLUMNS), np.uint64)
        views[:, : Known.SORT] = [text.view() for text in texts]
        self._views[running] = complete_view(views)
        ngrams = hash_rows(self._ngrams.take(running, axis=0), self._base.size)
        chances, gate = open_gate(self._base, self._adapter, ngrams, self._sum_hidden(views, texts))
        copied = np.zeros_like(chances)
        self._point_slots(copied, views, texts, running)
        for row, (text, index) in enumerate(zip(texts, running.tolist(), strict=True)):
            if text.alike:
                self._point_within(copied[row], text, index)
        gate *= copied.any(axis=1)
        chances *= (1 - gate)[:, None]
        copied *= gate[:, None]
        chances += copied
        logprobs: Floats = np.log(np.maximum(chances, np.float32(SMALLEST)))
        return logprobs

    def write(self, running: Numbers, tokens: Ints) -> None:
        """Append one token to each of these texts."""
        self._ngrams[running] = next_keys(self._ngrams.take(running, axis=0), tokens)
        begun = []
        for index, token in zip(running.tolist(), tokens.tolist(), strict=True):
            text = self._texts[index]
            if not text.in_word:
                begun.append((index, text.slots - 1, token, len(text.words), text.line))
            text.write(token)
        if begun:
            texts, places, firsts, words, lines = np.array(begun).T
            views, slots = self._views[texts], self._slots
            views[:, Known.SORT] = SORTS[firsts]
            slots.keys[texts, places] = sum_rows(self._adapter.key, key_rows(views))
            slots.tokens[texts, places] = firsts
            slots.hashes[texts, places] = views[:, _HASHES]
            slots.words[texts, places], slots.lines[texts, places] = words, lines

    def _sum_hidden(self, views: Hashes, texts: Sequence[GrowingText]) -> Floats:
        table, rows = self._adapter.down, local_rows(views)
        hidden: Floats = table.take(rows, axis=0).sum(axis=1)
        hidden *= local_weight(rows)
        for row, text in enumerate(texts):
            if text.age <= WORDS_WITHIN and views[row, Known.LENGTH] <= WORDS_UNTIL and text.words:
                hidden[row] += self._read_words(text, views[row : row + 1])
            if text.age <= PLACES_WITHIN and len(text.tokens) > text.age + 1:
                hidden[row] += self._read_places(text, views[row : row + 1])
        hidden *= chat_scale(self._adapter)
        return hidden

    def _read_words(self, text: GrowingText, view: Hashes) -> Floats:
        words = np.array([0, *text.words[-WORDS - 1 :]], np.uint64)[-WORDS - 1 :]
        count = len(words) - 1
        lines = text.line - np.array(text.word_lines[-count:])
        return self._sum_bag(word_rows(words[1:], words[:-1], lines, view[:, Known.STATE]), count, WORD_GAIN)

    def _read_places(self, text: GrowingText, view: Hashes) -> Floats:
        anchor = len(text.tokens) - 1 - text.age
        tokens = np.array(text.tokens[max(0, anchor - PLACES) : anchor])[::-1]
        rows = place_rows(np.arange(len(tokens)), tokens, hash_start(view))
        return self._sum_bag(rows, len(tokens), PLACE_GAIN)

    def _sum_bag(self, rows: npt.NDArray[np.uint16], count: int, gain: float) -> Floats:
        summed: Floats = self._adapter.down.take(rows.ravel(), axis=0).sum(axis=0)
        return summed * weigh(np.array([count]), gain)

    def _point_slots(self, copied: Floats, views: Hashes, texts: Sequence[GrowingText], running: Numbers) -> None:
        """Add the shares of what begins at the slots of the texts that are at one."""
        rows = np.array([row for row, text in enumerate(texts) if not text.in_word and text.slots > 1], np.intp)
        if not len(rows):
            return
        counts = [texts[row].slots for row in rows]
        follows = np.array([texts[row].follows for row in rows])
        queries = sum_rows(self._adapter.query, query_rows(views[rows]))
        where = running[rows]
        self._slots.hashes[where, np.array(counts) - 1] = views[rows][:, _HASHES]
        self._slots.lines[where, np.array(counts) - 1] = [texts[row].line for row in rows]
        scores = self._score(queries, where, follows, counts)
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        tokens = self._slots.tokens[where, : scores.shape[1]]
        for row, index, count, share, firsts, score in zip(
            rows.tolist(), where.tolist(), counts, shares, tokens, scores, strict=True
        ):
            copied[row] = np.bincount(firsts[: count - 1], share[: count - 1], characters.SIZE)
            self._scores[index] = score[: count - 1]

    def _score(self, queries: Floats, texts: Numbers, follows: Ints, counts: Sequence[int]) -> Floats:
        """Score the slots before the last of each text: (texts, slots); what is not there is never chosen."""
        number, last = max(counts) - 1, np.array(counts) - 1
        keys, hashes = self._slots.keys[texts, :number], self._slots.hashes[texts, :number]
        mine = self._slots.hashes[texts, last]
        scores: Floats = (keys @ queries[:, :, None])[:, :, 0] * point_scale(self._adapter)
        alike = hashes == mine[:, None, :]
        gap, word = alike[:, :, 0], alike[:, :, 1] & (mine[:, 1] != 0)[:, None]
        weights = relation_weights(self._adapter)
        for holds, weight in zip((gap, word, gap & word, word & alike[:, :, 2]), weights, strict=False):
            scores += holds * weight
        by_steps, by_lines = score_numbers(self._adapter, queries)
        steps = count_steps(self._slots.words[texts, :number], follows[:, None])
        lines = self._slots.lines[texts, last][:, None] - self._slots.lines[texts, :number]
        scores += np.take_along_axis(by_steps, steps, axis=1)
        scores += np.take_along_axis(by_lines, np.clip(lines, 0, by_lines.shape[1] - 1), axis=1)
        scores[np.arange(number) >= last[:, None]] = -1e9
        return scores

    def _point_within(self, copied: Floats, text: GrowingText, index: int) -> None:
        """Add the shares of what continues the word, of the earlier words that begin alike."""
        scores = self._scores[index]
        places = [place for place in text.alike if text.word_slots[place] >= 0]
        if text.word_slots[-1] < 0 or not places:
            return
        values = scores[[text.word_slots[place] for place in places]]
        shares = np.exp(values - values.max())
        shares /= shares.sum()
        np.add.at(copied, [text.tokens[place + 1] for place in places], shares)
