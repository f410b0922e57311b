"""Play episodes of an environment by the expert, by chance, or with given actions, and keep what happened."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sweeps.environments import Advice, EpisodeShape, Text, Turn, list_numbers
from sweeps.environments.task_items import seed_stream

SOLVED = "solved"  # the fact by which an environment says whether a task is done
GUESSES = "0123456789abcdefghijklmnopqrstuvwxyz "  # characters of an action by chance, where no action is known
LENGTH = 4  # characters of such an action at most


@dataclass(frozen=True)
class LostEpisode:
    """An episode that cannot go on, and why. It stays so."""

    cause: str
    what: str = field(default="", compare=False)  # the same without the place
    where: str = field(default="", compare=False)  # the place


class TrialStage(Protocol):
    """Plays the tasks of one split; a number names an episode."""

    @property
    def shape(self) -> EpisodeShape: ...
    @property
    def stop(self) -> tuple[str, ...]: ...
    def begin(self, tasks: Mapping[int, int]) -> Mapping[int, Text | LostEpisode]: ...
    def act(self, actions: Mapping[int, str]) -> Mapping[int, Turn | LostEpisode]: ...
    def advise(self, numbers: Iterable[int]) -> Mapping[int, Advice | LostEpisode]: ...


@dataclass
class TrialEpisode:
    """One episode as it was played."""

    seed: int
    prompt: Text = ""
    actions: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)  # one for each action, unless the last one was lost
    lost: str = ""  # why it could not go on

    @property
    def done(self) -> bool:
        return bool(self.turns) and self.turns[-1].done

    @property
    def reward(self) -> float:
        return sum(turn.reward for turn in self.turns)

    @property
    def facts(self) -> Mapping[str, float]:
        return list_numbers(self.turns[-1].facts) if self.turns else {}

    @property
    def solved(self) -> bool | None:
        """Whether the environment says that the task is done; None if it does not say."""
        return bool(self.facts[SOLVED]) if SOLVED in self.facts else None

    @property
    def record(self) -> tuple[object, ...]:
        """Everything that the environment answered, to be compared."""
        turns = ((_freeze(turn.observation), *turn[1:3], tuple(sorted(turn.facts.items()))) for turn in self.turns)
        return _freeze(self.prompt), *turns, self.lost


def _freeze(text: Text) -> str:
    """Write text or messages as one text."""
    return text if isinstance(text, str) else json.dumps([dict(message) for message in text], sort_keys=True)


Policy = Callable[[TrialEpisode, Advice], str | None]
"""Chooses the next action from what happened and what the episode advises; None gives up."""


def follow_expert(episode: TrialEpisode, advice: Advice) -> str | None:
    """Do what the expert says."""
    del episode
    return advice.action


def act_randomly(episode: TrialEpisode, advice: Advice) -> str:
    """Choose among the known actions, or write a few characters; the same each time for the same episode."""
    dice = seed_stream(f"play {episode.seed} {len(episode.actions)}", 0)
    if advice.actions:
        return advice.actions[dice.draw_below(len(advice.actions))]
    return "".join(GUESSES[dice.draw_below(len(GUESSES))] for _ in range(1 + dice.draw_below(LENGTH)))


def repeat_actions(actions: Sequence[str]) -> Policy:
    """Make a policy of given actions, which gives up after them."""
    return lambda episode, _: actions[len(episode.actions)] if len(episode.actions) < len(actions) else None


class Trials:
    """Plays episodes on one stage, each to its end, to its most turns, or until its policy gives up."""

    def __init__(self, stage: TrialStage) -> None:
        self.stage = stage
        self._numbers = 0

    def begin(self, seeds: Iterable[int]) -> list[TrialEpisode]:
        """Begin the episode of each seed."""
        return list(self._begin(seeds).values())

    def play(self, policies: Mapping[int, Policy], *, advised: bool = True) -> list[TrialEpisode]:
        """Play the episode of each seed by its policy, in turns; without `advised`, no episode is asked for advice."""
        episodes = self._begin(policies)
        while going := [number for number, episode in episodes.items() if self._goes_on(episode)]:
            if not self._step(going, episodes, policies, advised=advised):
                break
        return list(episodes.values())

    def _begin(self, seeds: Iterable[int]) -> dict[int, TrialEpisode]:
        episodes = {number: TrialEpisode(seed) for number, seed in enumerate(seeds, self._numbers + 1)}
        self._numbers += len(episodes)
        prompts = self.stage.begin({number: episode.seed for number, episode in episodes.items()})
        for number, episode in episodes.items():
            match prompts[number]:
                case LostEpisode(cause):
                    episode.lost = cause
                case prompt:
                    episode.prompt = prompt
        return episodes

    def _goes_on(self, episode: TrialEpisode) -> bool:
        return not episode.lost and not episode.done and len(episode.turns) < self.stage.shape.turns[1]

    def _step(
        self,
        going: Sequence[int],
        episodes: Mapping[int, TrialEpisode],
        policies: Mapping[int, Policy],
        *,
        advised: bool,
    ) -> bool:
        """Act once in each episode whose policy has an action; return whether any had."""
        actions = {}
        advices = self.stage.advise(going) if advised else dict.fromkeys(going, Advice())
        for number, advice in advices.items():
            episode = episodes[number]
            if isinstance(advice, LostEpisode):
                episode.lost = advice.cause
            elif (action := policies[episode.seed](episode, advice)) is not None:
                actions[number] = action
        for number, turn in (self.stage.act(actions) if actions else {}).items():
            episodes[number].actions.append(actions[number])
            if isinstance(turn, LostEpisode):
                episodes[number].lost = turn.cause
            else:
                episodes[number].turns.append(turn)
        return bool(actions)
