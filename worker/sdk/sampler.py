"""A model that is asked to go on writing: the second wing of the one door to Tinker (`worker/sdk/session.py`)."""

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
    """How something is written: until one of `stop` has been written, or so many tokens are there.

    `vocabulary` is how many tokens there are to write with, where that is known.
    """

    most: int
    stop: tuple[str, ...] | tuple[int, ...]
    temperature: float
    vocabulary: int | None = None


@dataclass(frozen=True)
class SampleResult:
    """What several wrote behind one prompt, and what that counted as."""

    written: list[SampledSequence]
    usage: Usage


@dataclass(frozen=True)
class PromptLogprobs:
    """What a model makes of a text: the natural log-probabilities of its tokens behind the first, (n,)."""

    logprobs: Floats
    cached: int  # of its tokens, that were in the cache


def bound_usage(prompt: int, count: int, most: int) -> Usage:
    """What a request counts as at most: the prompt is read once, and is in the cache for the others."""
    return Usage(0, prompt, (count - 1) * prompt, count * most)


class Sampler:
    """The weights of one moment, to be asked as often as one likes."""

    def __init__(self, client: tinker.SamplingClient, requester: Requester) -> None:
        self._client = client
        self._requester = replace(requester, there=handles.make_sampler_check(client))

    def write(
        self, prompt: Sequence[int], count: int, manner: SamplingSettings, *, seed: int
    ) -> PendingAnswer[SampleResult]:
        """What `count` write behind a prompt, each by chances of its own."""
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
        """The log-probabilities of tokens[1:]; it counts as reading all tokens and writing one."""
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
    sampled = sum(len(each.tokens) for each in written)
    return SampleResult(written, Usage(0, prompt - hits, hits + (len(written) - 1) * prompt, sampled))
