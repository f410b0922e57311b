"""`offline:tool_use_demos` and `offline:arithmetic_demos`: what somebody who knows the task, and slips, did in it.

A demonstration is the transcript of an episode as the environment shows it, and only its actions bear loss. One action
in seven is picked blindly among all that the task knows, which is mostly a mistake: whoever imitates perfectly repeats
the mistakes too, and reinforcement can do better. Demonstrations to train on are of the environment's split "train",
those to measure on of "test".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from sweeps.environments import Episode, Split
from sweeps.environments.arithmetic import Arithmetic
from sweeps.environments.task_items import seed_stream
from sweeps.environments.tool_use import ToolUse
from sweeps.records import Row
from sweeps.stats.prng import RandomStream

TRAIN, TEST = 2_048, 512
SLIPS = 1 / 7  # of the actions


class ExpertEpisode(Episode, Protocol):
    """An episode that knows what would be right."""

    def expert(self) -> str:
        """Choose the right action now."""

    def list_actions(self) -> tuple[str, ...]:
        """List every action of such an episode."""


class Demo(NamedTuple):
    """Which episode, what was read and done in it, as a `transcript` record, and what it earned."""

    seed: int
    split: Split
    row: Row
    reward: float


FAMILIES: Mapping[str, Callable[[int, Split], ExpertEpisode]] = {
    "tool_use_demos": ToolUse().episode,
    "arithmetic_demos": Arithmetic().episode,
}


def generate_demos(name: str, split: Split) -> Iterator[Demo]:
    """Generate the demonstrations of `offline:<name>`."""
    begin, dice = FAMILIES[name], seed_stream(f"{name} {split}", 0)
    for seed in range(TRAIN if split == "train" else TEST):
        parts, reward = _play_episode(begin(seed, split), dice)
        yield Demo(seed, split, {"parts": parts}, reward)


def _play_episode(episode: ExpertEpisode, dice: RandomStream) -> tuple[list[Row], float]:
    parts: list[Row] = [{"text": episode.prompt, "loss": False}]
    reward, done = 0.0, False
    while not done:
        known = episode.list_actions()
        action = known[dice.draw_below(len(known))] if dice.chance(SLIPS) else episode.expert()
        turn = episode.step(action)
        parts.append({"text": action, "loss": True})
        parts += [{"text": turn.observation, "loss": False}] if turn.observation else []
        reward, done = reward + turn.reward, turn.done
    return parts, reward
