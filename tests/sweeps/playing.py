"""Playing episodes without a model: by rules, or at random."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sweeps.environments import Environment, Episode, Split, Turn
from sweeps.stats.prng import RandomStream

PRINTABLE = [chr(code) for code in range(32, 127)]
Policy = Callable[[Episode], str]


class Played(NamedTuple):
    prompt: str
    actions: tuple[str, ...]
    turns: tuple[Turn, ...]

    @property
    def reward(self) -> float:
        return sum(turn.reward for turn in self.turns)

    @property
    def solved(self) -> float:
        return float(self.turns[-1].facts["solved"])


def play(environment: Environment, seed: int, split: Split, policy: Policy) -> Played:
    episode = environment.episode(seed, split)
    prompt, actions, turns = str(episode.prompt), list[str](), list[Turn]()
    while not turns or not turns[-1].done:
        actions.append(policy(episode))
        turns.append(episode.step(actions[-1]))
    return Played(prompt, tuple(actions), tuple(turns))


def play_all(environment: Environment, policy: Policy, split: Split = "test", count: int = 400) -> list[Played]:
    return [play(environment, seed, split, policy) for seed in range(count)]


def mean_reward(played: Sequence[Played]) -> float:
    return sum(episode.reward for episode in played) / len(played)


def expert(episode: Episode) -> str:
    action: str = episode.expert()  # type: ignore[attr-defined]  # those that come with it know what is right
    return action


def at_random(key: int, texts: Sequence[str] = PRINTABLE) -> Policy:
    dice = RandomStream(key)
    return lambda _: texts[dice.draw_below(len(texts))]


def repeated(played: Played) -> Policy:
    """The same actions again."""
    actions = iter(played.actions)
    return lambda _: next(actions)


def fingerprint(played: Sequence[Played]) -> str:
    """Of all that was read, done, earned and told."""
    episodes = [
        [episode.prompt, episode.actions, [[*turn[:3], {**turn.facts}] for turn in episode.turns]] for episode in played
    ]
    rounded = json.dumps(episodes, sort_keys=True, default=float)
    return hashlib.sha256(rounded.encode()).hexdigest()[:16]
