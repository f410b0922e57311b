"""Sample continuations from a model, and read log-probabilities of given tokens.

Calls the SDK's SamplingClient; callers see ServiceError only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import tinker

from sweeps.cost import Usage
from worker.sdk import handles
from worker.sdk.futures import PendingAnswer, Requester
from worker.sdk.responses import Floats, SampledSequence, read_hits, read_prompt, read_written


@dataclass(frozen=True)
class SamplingSettings:
    """How to sample: up to `most` tokens, until one of `stop` appears.

    `vocabulary` is the number of tokens in the model's vocabulary, if known.
    """

    most: int
    stop: tuple[str, ...] | tuple[int, ...]
    temperature: float
    vocabulary: int | None = None


@dataclass(frozen=True)
class SampleResult:
    """The sequences sampled for one prompt, and the usage that they count as."""

    written: list[SampledSequence]
    usage: Usage


@dataclass(frozen=True)
class PromptLogprobs:
    """The natural log-probabilities of a text's tokens after the first, (n,)."""

    logprobs: Floats
    cached: int  # tokens of the text that were in the cache


def bound_usage(prompt: int, count: int, most: int) -> Usage:
    """Return the most that a request can count as: the prompt is read once, and cached for the other sequences."""
    return Usage(0, prompt, (count - 1) * prompt, count * most)


class Sampler:
    """The weights at one moment, to sample from any number of times."""

    def __init__(self, client: tinker.SamplingClient, requester: Requester) -> None:
        self._client = client
        self._requester = replace(requester, there=handles.make_sampler_check(client))

    def write(
        self, prompt: Sequence[int], count: int, manner: SamplingSettings, *, seed: int
    ) -> PendingAnswer[SampleResult]:
        """Sample `count` continuations of a prompt, each with a random stream of its own."""
        parameters = tinker.SamplingParams(
            max_tokens=manner.most, stop=manner.stop, temperature=manner.temperature, seed=seed
        )
        tokens = tinker.ModelInput.from_ints(list(prompt))
        return self._requester.submit(
            "sample",
            lambda: self._client.sample(tokens, count, parameters).future(),
            lambda answer: _read_answer(answer, len(prompt), count, manner),
            tokens=bound_usage(len(prompt), count, manner.most).tokens,
        )

    def read(self, tokens: Sequence[int]) -> PendingAnswer[PromptLogprobs]:
        """Return the log-probabilities of tokens[1:]; this counts as reading all tokens and writing one."""
        parameters = tinker.SamplingParams(max_tokens=1, temperature=1.0, seed=0)
        prompt = tinker.ModelInput.from_ints(list(tokens))
        return self._requester.submit(
            "sample",
            lambda: self._client.sample(prompt, 1, parameters, include_prompt_logprobs=True).future(),
            lambda answer: PromptLogprobs(
                read_prompt("sample", answer, len(tokens)), read_hits("sample", answer, len(tokens))
            ),
            tokens=len(tokens) + 1,
        )


def _read_answer(answer: Any, prompt: int, count: int, manner: SamplingSettings) -> SampleResult:
    written = read_written("sample", answer, count, manner.most, manner.vocabulary)
    hits = read_hits("sample", answer, prompt)
    sampled = sum(len(sequence.tokens) for sequence in written)
    return SampleResult(written, Usage(0, prompt - hits, hits + (len(written) - 1) * prompt, sampled))
