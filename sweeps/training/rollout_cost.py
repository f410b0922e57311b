"""Bound the tokens of episodes before anything is sampled.

A group is one task, played by `size` rollouts. Rollouts with the same transcript share one request, whose prompt is
read once and cached for the rest. So the tokens read depend on how far the rollouts differ, and the tokens sampled
depend on the answers. The real usage is between the least and the most.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sweeps.cost import Usage
from sweeps.environments import EpisodeShape

LEAST_KEPT = 0.3  # of the groups: if fewer differ in reward, the training learns nothing
NONE = Usage()


@dataclass(frozen=True, slots=True)
class EpisodeCosts:
    """How one iteration, or one evaluation, plays an environment."""

    shape: EpisodeShape
    size: int  # rollouts of one task
    trained: bool  # whether they are trained on
    referred: bool = False  # whether the starting model reads them once more

    def least(self, prompt: int) -> Usage:
        """Bound one task from below: the shortest episodes, which only differ at their end."""
        turns, action, observation = (low for low, _ in self.shape)
        read = [prompt + turn * (action + observation) for turn in range(turns)]
        # The tokens of the turn before may be in the cache.
        asked = Usage(0, prompt, sum(read) * self.size - prompt, self.size * turns * action)
        kept = math.floor(LEAST_KEPT * self.size * self._read(prompt, 0))
        return asked.plus(self.count_usage(kept, math.floor(LEAST_KEPT * self.size)))

    def most(self, prompt: int) -> Usage:
        """Bound one task from above: the longest episodes, which all differ from the second turn on."""
        turns, action, observation = (high for _, high in self.shape)
        later = sum(prompt + turn * (action + observation) for turn in range(1, turns))
        asked = Usage(0, prompt + self.size * later, prompt * (self.size - 1), self.size * turns * action)
        return asked.plus(self.count_usage(self.size * self._read(prompt, 1), self.size))

    def _read(self, prompt: int, end: int) -> int:
        """Count the tokens of one transcript that a training reads: all but the last."""
        turns, action, observation = (bounds[end] for bounds in self.shape)
        return prompt + turns * action + (turns - 1) * observation - 1

    def count_usage(self, tokens: int, rollouts: int) -> Usage:
        """Compute what training on the transcripts uses."""
        usage = Usage(training=tokens) if self.trained else NONE
        return usage.plus(Usage(prefill=tokens + rollouts, sample=rollouts)) if self.referred else usage


def bound_usage(play: EpisodeCosts, prompts: Sequence[int]) -> tuple[Usage, Usage]:
    """Bound the usage of tasks by the lengths of their prompts."""
    return _bound_usage(play, tuple(prompts))


@lru_cache(maxsize=1024)
def _bound_usage(play: EpisodeCosts, prompts: tuple[int, ...]) -> tuple[Usage, Usage]:
    """Compute the bounds once: a plan needs them for thousands of stages."""
    low, high = NONE, NONE
    for prompt in prompts:
        low, high = low.plus(play.least(prompt)), high.plus(play.most(prompt))
    return low, high


def scale(usage: Usage, factor: float, *, up: bool) -> Usage:
    """Multiply a usage, and round each kind up or down."""
    whole = math.ceil if up else math.floor
    return Usage(*(whole(tokens * factor) for tokens in usage))
