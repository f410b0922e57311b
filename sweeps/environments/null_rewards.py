"""Twins with rewards that mean nothing: whatever is learned from them was learned from chance.

A twin's prompts, observations and facts are those of the real environment. Only the reward is drawn, once an episode
is over, with dice that follow from its seed and its actions. Not from the seed alone: then all samples of a task would
have the same reward, which a method that compares them would throw away. And not turn by turn: then long episodes
would earn more, and a model would still learn to keep one going.
"""

from sweeps.environments import Environment, Episode, Split, Text, Turn
from sweeps.environments.task_items import seed_stream


class NullRewards:
    """The twin of an environment; an episode is worth one of `rewards`, each as likely as the others."""

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
        reward = self._rewards[seed_stream(self._name, 0).below(len(self._rewards))] if turn.done else 0.0
        return turn._replace(reward=reward)
