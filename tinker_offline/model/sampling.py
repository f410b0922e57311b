"""Generate text: several sequences at once, each with its own random stream.

Log-probabilities are the model's own, before temperature, top-k and top-p, so that they agree with
those of training.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline.model import characters
from tinker_offline.model.families import list_logprobs, make_decoder
from tinker_offline.model.ngram import Adapter, Base, Flags, Floats, Ints
from tinker_offline.wire import Sampled, Top

MASKED = -99999.0  # what clients expect where a top-k list has no entry
SURE = 0.999  # part of the likeliest token's chance within which a random number chooses it for sure
BLOCK = 32  # random numbers drawn at once per sequence


class Draw(NamedTuple):
    """How to choose the next token, and when to stop. A temperature of 0 takes the likeliest token."""

    max_tokens: int
    seed: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    stop_tokens: frozenset[int] = frozenset()
    stop_texts: tuple[tuple[int, ...], ...] = ()
    top: int = 0  # return this many likeliest tokens of every position


class Step(NamedTuple):
    """One more token for each running sequence: which these are, their tokens, log-probabilities and top k."""

    running: npt.NDArray[np.intp]
    tokens: Ints
    logprobs: Floats
    top: Top | None


def sample(base: Base, adapter: Adapter, prompt: Ints, count: int, draw: Draw) -> list[Sampled]:
    """Sample `count` continuations. The same seed gives the same ones; the first of many is the first of few."""
    chances, stops = Chances(draw, count), Stops(draw, count)
    decoder = make_decoder(base, adapter, prompt, count, draw.max_tokens)
    running, steps = np.arange(count), list[Step]()
    while running.size and len(steps) < draw.max_tokens:
        logprobs = decoder.logprobs(running)
        tokens, chosen = choose_likely(logprobs, chances.draw(running), draw)
        top = find_top(logprobs, draw.top) if draw.top else None
        steps.append(Step(running, tokens, chosen, top))
        decoder.write(running, tokens)
        ended = stops.find_ended(running, tokens)
        if True in ended.tolist():  # rare, and a list of few is searched in no time
            running = running[~ended]
    return _collect(steps, stops.stopped)


class Chances:
    """A random stream per sequence, drawn in blocks: single draws cost far more."""

    def __init__(self, draw: Draw, count: int) -> None:
        wanted = range(count) if draw.temperature else ()  # the likeliest token needs no random number
        self._streams = [np.random.default_rng([draw.seed, index]) for index in wanted]
        self._block = np.zeros((count, min(draw.max_tokens, BLOCK)))
        self._used = 0

    def draw(self, running: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return the next number in [0, 1) for each running sequence: (running,)."""
        at = self._used % self._block.shape[1]
        if at == 0 and self._streams:
            for index in running:
                self._streams[index].random(out=self._block[index])
        self._used += 1
        return self._block[:, at].take(running)


class Stops:
    """Decides where sequences end. What stopped a sequence is part of it; the end token always stops."""

    def __init__(self, draw: Draw, count: int) -> None:
        self.stopped = np.zeros(count, np.bool_)
        self._ends = np.zeros(characters.SIZE, np.bool_)
        self._ends[[characters.END, *(token for token in draw.stop_tokens if 0 <= token < characters.SIZE)]] = True
        self._texts = [np.array(text) for text in draw.stop_texts if text]
        self._recent = np.full((count, max(map(len, self._texts), default=0)), -1)

    def find_ended(self, running: npt.NDArray[np.intp], tokens: Ints) -> Flags:
        """Return whether each running sequence ends with its new token: (running,)."""
        ended = self._ends[tokens]
        if self._texts:
            self._recent[running] = recent = np.column_stack([self._recent[running, 1:], tokens])
            for text in self._texts:
                ended |= (recent[:, -len(text) :] == text).all(axis=1)
        self.stopped[running] = ended
        return ended


def _collect(steps: Sequence[Step], stopped: Flags) -> list[Sampled]:
    """Collect the sequences from the steps that made them: all begin with the first step, and each ends once."""
    count = len(stopped)
    rows = np.concatenate([step.running for step in steps])
    columns = np.repeat(np.arange(len(steps)), [len(step.running) for step in steps])
    lengths = np.bincount(rows, minlength=count)
    tokens, logprobs = np.zeros((count, len(steps)), np.int64), np.zeros((count, len(steps)), np.float32)
    tokens[rows, columns] = np.concatenate([step.tokens for step in steps])
    logprobs[rows, columns] = np.concatenate([step.logprobs for step in steps])
    return [
        Sampled(
            tokens[index, :length], logprobs[index, :length], bool(stopped[index]), _collect_top(steps[:length], index)
        )
        for index, length in enumerate(lengths.tolist())
    ]


def _collect_top(steps: Sequence[Step], index: int) -> Top | None:
    """Collect the top k of one sequence, which runs through all of these steps."""
    tops = [(step.top, np.searchsorted(step.running, index)) for step in steps if step.top is not None]
    if not tops:
        return None
    return Top(np.stack([top.tokens[at] for top, at in tops]), np.stack([top.logprobs[at] for top, at in tops]))


def choose_likely(logprobs: Floats, chances: npt.NDArray[np.float64], draw: Draw) -> tuple[Ints, Floats]:
    """Choose as `choose` does, where the tokens of each row are likely 1 in sum; return also their log-probabilities.

    Most numbers of a trained model fall on the likeliest token so clearly that rounding cannot change it, whatever
    top-k and top-p leave out. That needs no sorting.
    """
    if draw.temperature <= 1:
        likely: Floats = np.maximum.reduce(logprobs, axis=1)
        pairs = zip(chances.tolist(), likely.tolist(), strict=True)
        if draw.temperature == 0 or all(chance < SURE * math.exp(logprob) for chance, logprob in pairs):
            return logprobs.argmax(axis=1), likely
    tokens = choose(logprobs, chances, draw)
    return tokens, logprobs[np.arange(len(tokens)), tokens]


def choose(logprobs: Floats, chances: npt.NDArray[np.float64], draw: Draw) -> Ints:
    """Choose one token per row of log-probabilities (rows, vocabulary), given a random number in [0, 1) for each.

    The number falls somewhere among the tokens laid end to end, the likeliest first, each as long as it is
    likely; among equals the lower number comes first. Sorting the log-probabilities and then finding the token
    costs a third of sorting the tokens.
    """
    if draw.temperature == 0:
        return np.asarray(logprobs.argmax(axis=1), np.int64)
    ordered = np.sort(logprobs, axis=1)[:, ::-1]
    weights = np.exp((ordered - ordered[:, :1]).astype(np.float64) / draw.temperature)
    if draw.top_k > 0:
        weights[:, draw.top_k :] = 0
    totals = np.cumsum(weights, axis=1)
    if draw.top_p < 1:
        weights[totals - weights >= draw.top_p * totals[:, -1:]] = 0
        totals = np.cumsum(weights, axis=1)
    picked = (totals > chances[:, None] * totals[:, -1:]).argmax(axis=1)
    return _find_tokens(logprobs, ordered, picked)


def _find_tokens(logprobs: Floats, ordered: Floats, ranks: Ints) -> Ints:
    """Return which token of every row has this rank, by falling log-probability and then by number: (rows,)."""
    met = ordered[np.arange(len(ranks)), ranks][:, None]
    alike = logprobs == met
    if np.count_nonzero(alike) > len(ranks):  # some tokens are equally likely
        before = (ordered > met).sum(axis=1)
        alike &= np.cumsum(alike, axis=1) == (ranks - before + 1)[:, None]
    return np.asarray(alike.argmax(axis=1), np.int64)


def prompt_logprobs(
    base: Base, adapter: Adapter, prompt: Ints, last: int | None, top: int
) -> tuple[Floats, Top | None]:
    """Return the log-probabilities of the prompt's `last` tokens, NaN for the others and the very first."""
    scored = np.full(len(prompt), np.nan, np.float32)
    start = 1 if last is None else max(1, len(prompt) - last)
    tops = Top(np.zeros((len(prompt), top), np.int64), np.full((len(prompt), top), MASKED, np.float32))
    if start < len(prompt):
        logprobs = list_logprobs(base, adapter, prompt, start)
        scored[start:] = logprobs[np.arange(len(logprobs)), prompt[start:]]
        if top:
            tops.tokens[start:], tops.logprobs[start:] = find_top(logprobs, top)
    return scored, tops if top else None


def find_top(logprobs: Floats, count: int) -> Top:
    order = np.argsort(-logprobs, axis=1, kind="stable")[:, :count]
    return Top(order, np.take_along_axis(logprobs, order, axis=1))
