"""Played episodes as values: tokens, log-probabilities and rewards, and the weights that follow from them.

A rollout is one transcript as tokens: a prompt, then actions of the model and observations of the environment in turn.
The model reads `tokens[:-1]` and predicts `tokens[1:]`, as in an `Example`; only its own tokens have a loss.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.environments import ROLE_REWARD
from sweeps.stage import Json

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rollout:
    """One finished episode."""

    tokens: npt.NDArray[np.int32]  # (n + 1,)
    acted: npt.NDArray[np.bool_]  # (n,): whether the model sampled the target tokens[i + 1]
    logprobs: Floats  # (n,): of the sampled targets, natural logarithms; 0 for the others
    reward: float
    turns: int
    facts: Mapping[str, float] = field(default_factory=dict)
    cut: int = 0  # turns that ended at the most tokens, not at a stop
    unfinished: bool = False  # its turns ran out before the environment was done
    regime: str = ""  # of which kind the episode was, if the environment says it
    spoken: tuple[tuple[str, int], ...] = ()  # for each action, its role and its tokens; empty without roles

    def __len__(self) -> int:
        """Count the tokens that a training on the rollout reads and pays for."""
        return len(self.acted)

    def document(self) -> dict[str, Json]:
        """Convert to JSON; a float32 is written so that it is read back bit for bit."""
        return {
            "tokens": self.tokens.tolist(),
            "acted": "".join("01"[int(flag)] for flag in self.acted),
            "logprobs": [float(value) for value in self.logprobs],
            "reward": self.reward,
            "turns": self.turns,
            "facts": dict(self.facts),
            "cut": self.cut,
            "unfinished": self.unfinished,
            **({"regime": self.regime} if self.regime else {}),
            **({"spoken": [list(action) for action in self.spoken]} if self.spoken else {}),
        }

    @classmethod
    def read(cls, document: Mapping[str, Json]) -> "Rollout":
        """Read what `document` wrote."""
        tokens, logprobs, facts = document["tokens"], document["logprobs"], document["facts"]
        spoken: Any = document.get("spoken", [])
        assert isinstance(tokens, list)
        assert isinstance(logprobs, list)
        assert isinstance(facts, dict)
        return cls(
            tokens=np.array(tokens, np.int32),
            acted=np.array([flag == "1" for flag in str(document["acted"])], np.bool_),
            logprobs=np.array(logprobs, np.float32),
            reward=float(str(document["reward"])),
            turns=int(str(document["turns"])),
            facts={name: float(str(value)) for name, value in facts.items()},
            cut=int(str(document.get("cut", 0))),
            unfinished=document.get("unfinished") is True,
            regime=str(document.get("regime", "")),
            spoken=tuple((str(role), int(count)) for role, count in spoken),
        )

    @property
    def rewards(self) -> dict[str, float]:
        """What each role has earned: what the environment says of it, or else the reward; of no role, the reward."""
        roles = dict.fromkeys(role for role, _ in self.spoken) or {"": None}
        return {role: float(self.facts.get(f"{ROLE_REWARD}{role}", self.reward)) for role in roles}

    @property
    def speakers(self) -> list[str]:
        """The role of each token that the model sampled, in their order."""
        roles = [role for role, count in self.spoken for _ in range(count)]
        return roles or [""] * int(self.acted.sum())


Group = Sequence[Rollout]
"""Rollouts of one task."""


def select_informative(groups: Sequence[Group]) -> list[Group]:
    """Select the groups whose rollouts differ in the reward of a role: equal rewards give no gradient."""
    return [group for group in groups if any(compare_roles(group))]


def compare_roles(group: Group) -> list[dict[str, float]]:
    """Compute for each rollout the advantage of each role that acts in it and earns what others do not.

    The reward of a role less its mean over the rollouts of the group in which it acts; see `compute_advantages`.
    """
    earned = [rollout.rewards for rollout in group]
    advantages: list[dict[str, float]] = [{} for _ in group]
    for role in dict.fromkeys(role for rewards in earned for role in rewards):
        acting = [place for place, rewards in enumerate(earned) if role in rewards]
        values = [earned[place][role] for place in acting]
        if len({*values}) > 1:
            for place, value in zip(acting, subtract_mean(values), strict=True):
                advantages[place][role] = value
    return advantages


def compute_advantages(group: Group) -> list[float]:
    """Compute the reward of each rollout less the mean of its group; not divided by the standard deviation.

    The mean of the group as a baseline: Shao et al. 2024 (arXiv 2402.03300, GRPO). Without the division, which gives
    tasks with similar rollouts more weight: Liu et al. 2025 (arXiv 2503.20783, Dr. GRPO).
    """
    return subtract_mean([rollout.reward for rollout in group])


def subtract_mean(values: Sequence[float]) -> list[float]:
    mean = sum(values) / len(values)
    return [value - mean for value in values]


def weigh_tokens(
    groups: Sequence[Group], moved: Sequence[Floats] | None = None, *, kl_penalty: float = 0.0
) -> list[Floats]:
    """Compute the weight of each token of each rollout: (n,) each, 0 for tokens that the model did not sample.

    It is the advantage of who says it, divided by the number of sampled tokens, so that the loss is a mean over them.
    `moved` is log(policy/start) of each token in nats: the penalty subtracts what it moved beyond the mean, as
    tinker-cookbook does.
    """
    rollouts = [rollout for group in groups for rollout in group]
    flat = [value for group in groups for value in compare_roles(group)]
    own = sum(int(rollout.acted.sum()) for rollout in rollouts)
    weights = [spread_advantages(rollout, advantages) for rollout, advantages in zip(rollouts, flat, strict=True)]
    if moved is not None and kl_penalty:
        mean = sum(float(far[rollout.acted].sum()) for rollout, far in zip(rollouts, moved, strict=True)) / own
        for values, rollout, far in zip(weights, rollouts, moved, strict=True):
            values[rollout.acted] -= kl_penalty * (far[rollout.acted] - mean)
    return [(values / own).astype(np.float32) for values in weights]


def spread_advantages(rollout: Rollout, advantages: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Give each sampled token the advantage of the role that said it; (n,), 0 elsewhere."""
    values = np.zeros(len(rollout))
    values[rollout.acted] = [advantages.get(role, 0.0) for role in rollout.speakers]
    return values


def split_groups(groups: Sequence[Group], count: int) -> list[Sequence[Group]]:
    """Split the groups into `count` parts, as even as possible; no part is empty."""
    count = max(1, min(count, len(groups)))
    edges = [len(groups) * part // count for part in range(count + 1)]
    return [groups[start:end] for start, end in pairwise(edges)]


def derive_task_seed(seed: int, iteration: int, group: int) -> int:
    """Derive the seed of the task of a group in an iteration: below 2^63."""
    return _number(f"task {seed} {iteration} {group}") >> 1


def derive_sampling_seed(seed: int, *, iteration: int, group: int, transcript: Sequence[int]) -> int:
    """Derive the seed of a request to continue a transcript: below 2^31, different if anything differs."""
    digest = hashlib.sha256(np.array(transcript, np.int32).tobytes()).hexdigest()
    return _number(f"chance {seed} {iteration} {group} {digest}") >> 33


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
