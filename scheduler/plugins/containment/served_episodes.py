"""The episodes that the sandbox process plays, and the order by which its parent says what to play."""

import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from scheduler.plugins.containment.validate_returns import (
    InvalidReturn,
    encode_json,
    name_type,
    read_action,
    read_actions,
    read_facts,
    read_flag,
    read_number,
    read_score,
    read_text,
)
from sweeps.environments import Environment, Episode, EpisodeShape, Split, Turn
from sweeps.metrics.verdicts import NOT_APPLICABLE


class Order(NamedTuple):
    """The first line."""

    kind: Literal["environment", "check", "tokenizer"]
    name: str
    split: Split
    code: str | None  # what its code was known by when it was planned; None is not compared
    folder: str  # behind all others, where modules are looked for
    memory: int  # bytes; 0 is no limit
    answer: int  # bytes


class Checking(NamedTuple):
    """A check of answers, played as an environment is: each answer is an episode, and its reward what it is worth."""

    check: Callable[[str, list[str], list[str]], Any]
    version: int = 1
    shape: EpisodeShape = EpisodeShape()
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - all answers are checked alike
        return Checked(self.check)


class Checked(NamedTuple):
    """One answer."""

    check: Callable[[str, list[str], list[str]], Any]
    prompt: str = "?"

    def step(self, action: str) -> Turn:
        text, answers, *given = json.loads(action)
        score = read_score(self.check(text, answers, given[0] if given else []))
        return Turn(done=True, facts={NOT_APPLICABLE: 1.0}) if score is None else Turn(reward=score, done=True)


class ServedEpisodes:
    """The episodes that are being played."""

    def __init__(self, environment: Environment, order: Order) -> None:
        self._environment = environment
        self._order = order
        self._episodes: dict[int, Episode] = {}

    def begin(self, number: int, seed: int) -> str:
        episode = self._environment.episode(seed, self._order.split)
        prompt = read_text(episode.prompt, "prompt", self._order.answer)
        if not prompt:
            raise InvalidReturn("an empty prompt")
        self._episodes[number] = episode
        return "prompt " + encode_json(prompt)

    def act(self, number: int, action: str) -> str:
        turn = self._episodes[number].step(action)
        if not isinstance(turn, Turn):
            raise InvalidReturn(f"{name_type(turn)}; expected a Turn")
        done = read_flag(turn.done)
        observation = read_text(turn.observation, "observation", self._order.answer)
        facts = read_facts(turn.facts)
        if done:
            del self._episodes[number]
        return "turn " + encode_json([observation, read_number(turn.reward, "reward"), done, facts])

    def advise(self, number: int, _: None) -> str:
        """Return what the episode knows of its right action; it need not know any."""
        episode: Any = self._episodes[number]
        expert, known = getattr(episode, "expert", None), getattr(episode, "list_actions", None)
        action = None if expert is None else read_action(expert(), "the action of its expert()", self._order.answer)
        actions = [] if known is None else read_actions(known(), self._order.answer)
        return "advice " + encode_json([action, actions])

    def forget(self, number: int) -> None:
        self._episodes.pop(number, None)

    def has(self, number: int) -> bool:
        return number in self._episodes
