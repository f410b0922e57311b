"""What it takes to learn by acting, before anything is sampled: tokens at least and at most.

A group is one task, played by `size` rollouts. Those that stand at the same transcript ask together, in one request,
of which the prompt is read once and is in the cache for the rest; so how many tokens are read depends on how far the
rollouts part, and how many are sampled on what the model says. Between the least and the most lies what it will be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sweeps.cost import Usage
from sweeps.environments import EpisodeShape

LEAST_KEPT = 0.3  # of the groups: that fewer differ in reward, over a whole training, would be a training of nothing
NONE = Usage()


@dataclass(frozen=True, slots=True)
class EpisodeCosts:
    """How an environment is played in one iteration, or in one evaluation."""

    shape: EpisodeShape
    size: int  # rollouts of one task
    trained: bool  # is a gradient made of them?
    referred: bool = False  # are they read once more by the model that the training started from?

    def least(self, prompt: int) -> Usage:
        """Of one task whose prompt has so many tokens: the shortest episodes, all of them alike but in their end."""
        turns, action, observation = (low for low, _ in self.shape)
        read = [prompt + turn * (action + observation) for turn in range(turns)]
        # What was read in the turn before may be in the cache for this one.
        asked = Usage(0, prompt, sum(read) * self.size - prompt, self.size * turns * action)
        kept = math.floor(LEAST_KEPT * self.size * self._read(prompt, 0))
        return asked.plus(self.used(kept, math.floor(LEAST_KEPT * self.size)))

    def most(self, prompt: int) -> Usage:
        """The longest episodes, all of them different from the second turn on."""
        turns, action, observation = (high for _, high in self.shape)
        later = sum(prompt + turn * (action + observation) for turn in range(1, turns))
        asked = Usage(0, prompt + self.size * later, prompt * (self.size - 1), self.size * turns * action)
        return asked.plus(self.used(self.size * self._read(prompt, 1), self.size))

    def _read(self, prompt: int, end: int) -> int:
        """Tokens that the model reads of one transcript when it is trained on it: all but the last."""
        turns, action, observation = (bounds[end] for bounds in self.shape)
        return prompt + turns * action + (turns - 1) * observation - 1

    def used(self, tokens: int, rollouts: int) -> Usage:
        """What is done with so many tokens of so many transcripts."""
        usage = Usage(training=tokens) if self.trained else NONE
        return usage.plus(Usage(prefill=tokens + rollouts, sample=rollouts)) if self.referred else usage


def bound_usage(play: EpisodeCosts, prompts: Sequence[int]) -> tuple[Usage, Usage]:
    """At least and at most, of tasks whose prompts have so many tokens."""
    return _over(play, tuple(prompts))


@lru_cache(maxsize=1024)
def _over(play: EpisodeCosts, prompts: tuple[int, ...]) -> tuple[Usage, Usage]:
    """A plan asks for the same at thousands of stages."""
    low, high = NONE, NONE
    for prompt in prompts:
        low, high = low.plus(play.least(prompt)), high.plus(play.most(prompt))
    return low, high


def scale(usage: Usage, factor: float, *, up: bool) -> Usage:
    """The usage so many times over, each kind rounded up or down."""
    whole = math.ceil if up else math.floor
    return Usage(*(whole(tokens * factor) for tokens in usage))
