"""Generating text: several sequences at once, each with a random stream of its own.

Log-probabilities are the model's own, before temperature, top-k and top-p, so that they agree with those of training.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tinker_offline import tokenizer
from tinker_offline.ngram import Adapter, Base, Floats, Ints, context_rows, log_softmax, logits, window_rows
from tinker_offline.wire import Sampled, Top

MASKED = -99999.0  # what clients expect where a top-k list has no entry


class Draw(NamedTuple):
    """How to choose the next token, and when to stop. A temperature of 0 takes the likeliest."""

    max_tokens: int
    seed: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    stop_tokens: frozenset[int] = frozenset()
    stop_texts: tuple[tuple[int, ...], ...] = ()
    top: int = 0  # of every position, the log-probabilities of this many likeliest tokens

    def stops(self, tokens: Sequence[int]) -> bool:
        """Whether a sequence ends here. What stopped it is part of it; the end token always stops."""
        if tokens[-1] == tokenizer.END or tokens[-1] in self.stop_tokens:
            return True
        return any(tuple(tokens[-len(text) :]) == text for text in self.stop_texts)


def sample(base: Base, adapter: Adapter, prompt: Ints, count: int, draw: Draw) -> list[Sampled]:
    """`count` continuations. The same seed gives the same ones, and the first of many is the first of few."""
    chances = [np.random.default_rng([draw.seed, index]) for index in range(count)]
    window = np.full((count, base.size.orders), tokenizer.SIZE, np.int64)
    known = prompt[-base.size.orders :]
    window[:, : len(known)] = known[::-1]
    tokens: list[list[int]] = [[] for _ in range(count)]
    scores: list[list[Floats]] = [[] for _ in range(count)]
    running = np.arange(count)
    for _ in range(draw.max_tokens):
        rows = window_rows(list(window[running].T), base.size)
        logprobs = log_softmax(logits(base, adapter, rows)[0])
        chosen = choose(logprobs, np.array([chances[index].random() for index in running]), draw)
        for index, token, row in zip(running, chosen, logprobs, strict=True):
            tokens[index].append(int(token))
            scores[index].append(row)
        window[running] = np.column_stack([chosen, window[running, :-1]])
        running = np.array([index for index in running if not draw.stops(tokens[index])], np.intp)
        if not running.size:
            break
    return [_sampled(*one, draw) for one in zip(tokens, scores, strict=True)]


def _sampled(tokens: list[int], scores: list[Floats], draw: Draw) -> Sampled:
    ids, logprobs = np.array(tokens), np.stack(scores)
    chosen = logprobs[np.arange(len(ids)), ids]
    return Sampled(ids, chosen, draw.stops(tokens), top_of(logprobs, draw.top) if draw.top else None)


def choose(logprobs: Floats, chances: npt.NDArray[np.float64], draw: Draw) -> Ints:
    """One token for every row of log-probabilities (rows, vocabulary), given a chance in [0, 1) for each."""
    if draw.temperature == 0:
        return np.asarray(logprobs.argmax(axis=1), np.int64)
    order = np.argsort(-logprobs, axis=1, kind="stable")
    ordered = np.take_along_axis(logprobs, order, axis=1).astype(np.float64) / draw.temperature
    weights = np.exp(ordered - ordered[:, :1])
    if draw.top_k > 0:
        weights[:, draw.top_k :] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    before = np.cumsum(weights, axis=1) - weights
    weights[before >= draw.top_p] = 0
    totals = np.cumsum(weights, axis=1)
    picked = (totals <= chances[:, None] * totals[:, -1:]).sum(axis=1)
    return np.take_along_axis(order, picked[:, None], axis=1)[:, 0]


def prompt_logprobs(
    base: Base, adapter: Adapter, prompt: Ints, last: int | None, top: int
) -> tuple[Floats, Top | None]:
    """The log-probability of each token of the prompt, NaN for the first and for those before the `last` so many."""
    found = np.full(len(prompt), np.nan, np.float32)
    start = 1 if last is None else max(1, len(prompt) - last)
    tops = Top(np.zeros((len(prompt), top), np.int64), np.full((len(prompt), top), MASKED, np.float32))
    if start < len(prompt):
        logprobs = log_softmax(
            logits(base, adapter, context_rows(prompt[:-1], [len(prompt) - 1], base.size)[start - 1 :])[0]
        )
        found[start:] = logprobs[np.arange(len(logprobs)), prompt[start:]]
        if top:
            tops.tokens[start:], tops.logprobs[start:] = top_of(logprobs, top)
    return found, tops if top else None


def top_of(logprobs: Floats, count: int) -> Top:
    order = np.argsort(-logprobs, axis=1, kind="stable")[:, :count]
    return Top(order, np.take_along_axis(logprobs, order, axis=1))
