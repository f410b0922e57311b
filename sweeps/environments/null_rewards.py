"""Environments with random rewards: a control, because nothing can be learned from them.

Prompts, observations and facts are those of the real environment. Only the reward is drawn, at the end of an episode,
by its seed and its actions. Not by the seed alone: then all samples of a task would have the same reward, which group
comparison discards. And not turn by turn: then long episodes would earn more, and a model would learn to make them
longer.
"""

from sweeps.environments import Environment, Episode, Split, Text, Turn
from sweeps.environments.task_items import seed_stream


class NullRewards:
    """An environment with random rewards: each episode earns one of `rewards`, all equally likely."""

    def __init__(self, real: Environment, rewards: tuple[float, ...]) -> None:
        self.version, self.shape, self.stop = real.version, real.shape, real.stop
        self._real, self._rewards = real, rewards

    def episode(self, seed: int, split: Split) -> Episode:
        return _Paid(self._real.episode(seed, split), f"null {split} {seed}", self._rewards)


class _Paid:
    def __init__(self, real: Episode, name: str, rewards: tuple[float, ...]) -> None:
        self._real, self._name, self._rewards = real, name, rewards

    @property
    def prompt(self) -> Text:
        return self._real.prompt

    def step(self, action: str) -> Turn:
        self._name += f" {action!r}"
        turn = self._real.step(action)
        reward = self._rewards[seed_stream(self._name, 0).draw_below(len(self._rewards))] if turn.done else 0.0
        return turn._replace(reward=reward)
