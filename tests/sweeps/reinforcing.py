"""Reinforcement in its barest form, in process: samples of one task are compared with their mean, and Adam follows."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweeps.environments import Environment, Episode, Split
from tinker_offline import tokenizer
from tinker_offline.base import load_base
from tinker_offline.learner import AdamParams, Learner
from tinker_offline.ngram import SIZES, Adapter, Base, Floats, Positions, add_gradient, context_rows, new_adapter
from tinker_offline.sampling import Draw, sample

CACHE = Path(__file__).parents[2] / ".sweep" / "test-cache"
RANK = 16


class Recipe(NamedTuple):
    model: str
    iterations: int
    groups: int
    group_size: int
    learning_rate: float


@dataclass
class Rollout:
    """A transcript as it grows: its tokens, which of them are of actions, and what it earned."""

    episode: Episode
    tokens: list[int]
    acted: list[bool]
    reward: float = 0.0
    done: bool = False
    facts: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, episode: Episode) -> "Rollout":
        tokens = [tokenizer.BEGIN, *tokenizer.encode(str(episode.prompt))]
        return cls(episode, tokens, [False] * len(tokens))

    def act(self, action: list[int]) -> None:
        turn = self.episode.step(tokenizer.decode(action))
        read = tokenizer.encode(str(turn.observation))
        self.tokens += [*action, *read]
        self.acted += [True] * len(action) + [False] * len(read)
        self.reward, self.done, self.facts = self.reward + turn.reward, turn.done, dict(turn.facts)


@lru_cache
def base_of(model: str) -> Base:
    return load_base(SIZES[model], CACHE)


def untrained(model: str) -> Adapter:
    return new_adapter(SIZES[model], RANK, 0)


def measured(environment: Environment, model: str, adapter: Adapter, episodes: int = 200) -> list[Rollout]:
    """One rollout of each of the first test tasks."""
    groups = _rolled(
        _Player(environment, model, adapter), [(seed, 1) for seed in range(episodes)], "test", count(10**9)
    )
    return [group[0] for group in groups]


def reinforced(environment: Environment, recipe: Recipe, seed: int) -> Adapter:
    learner = Learner(new_adapter(SIZES[recipe.model], RANK, seed))
    draws, tasks = count(seed * 10**6), count(seed * 10**6)
    for _ in range(recipe.iterations):
        wanted = [(next(tasks), recipe.group_size) for _ in range(recipe.groups)]
        player = _Player(environment, recipe.model, learner.adapter)
        _learn(learner, recipe, _rolled(player, wanted, "train", draws))
    return learner.adapter


class _Player(NamedTuple):
    environment: Environment
    model: str
    adapter: Adapter


def _rolled(
    player: _Player, wanted: Iterable[tuple[int, int]], split: Split, draws: Iterator[int]
) -> list[list[Rollout]]:
    """For each task and how often: its rollouts."""
    environment, model, adapter = player
    stops = tuple(tuple(tokenizer.encode(text)) for text in environment.stop)
    groups = [[Rollout.of(environment.episode(seed, split)) for _ in range(times)] for seed, times in wanted]
    for _ in range(environment.shape.turns[1]):
        for group in groups:
            for alike in _alike(group):
                draw = Draw(environment.shape.action[1], next(draws), stop_texts=stops)
                found = sample(base_of(model), adapter, np.array(alike[0].tokens), len(alike), draw)
                for rollout, sampled in zip(alike, found, strict=True):
                    rollout.act(sampled.tokens.tolist())
    return groups


def _alike(group: list[Rollout]) -> list[list[Rollout]]:
    """Those that go on, with equal transcripts together: they can be sampled at once."""
    alike: dict[tuple[int, ...], list[Rollout]] = {}
    for rollout in group:
        if not rollout.done:
            alike.setdefault(tuple(rollout.tokens), []).append(rollout)
    return list(alike.values())


def _learn(learner: Learner, recipe: Recipe, groups: list[list[Rollout]]) -> None:
    """One step up the gradient of the mean, over action tokens, of advantage times log-probability."""
    compared = [
        (rollout, rollout.reward - float(np.mean([one.reward for one in group])))
        for group in groups
        if len({one.reward for one in group}) > 1
        for rollout in group
    ]
    if not compared:
        return
    acted = [np.array(rollout.acted[1:]) for rollout, _ in compared]
    slopes = np.concatenate([-advantage * mask for (_, advantage), mask in zip(compared, acted, strict=True)])
    slopes /= sum(mask.sum() for mask in acted)
    read = np.concatenate([rollout.tokens[:-1] for rollout, _ in compared])
    rows = context_rows(read, [len(mask) for mask in acted], SIZES[recipe.model])
    targets = np.concatenate([rollout.tokens[1:] for rollout, _ in compared])
    here = np.flatnonzero(slopes)
    steep: Floats = slopes[here].astype(np.float32)
    positions = Positions(rows[here], targets[here])
    add_gradient(learner.pending(), base_of(recipe.model), learner.adapter, positions, lambda chunk, _: steep[chunk])
    learner.step(AdamParams(recipe.learning_rate, eps=1e-8))
