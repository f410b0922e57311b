"""Play episodes with a sampler, wave after wave to their end: rollouts with the same transcript share one request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self, cast

import numpy as np

from scheduler.plugins.containment.sandbox import Sandbox
from sweeps.environments import EpisodeShape, Split, Turn, list_numbers, read_regime, read_role
from sweeps.environments.trials import LostEpisode
from sweeps.errors import DataError
from sweeps.rendering.answer_text import Utterance
from sweeps.rendering.renderers import Renderer
from sweeps.stage import Json
from sweeps.training.rollouts import Rollout, derive_sampling_seed
from worker.attempt import Attempt
from worker.outcome import StageError
from worker.rollouts.generate import BookUsage, SampleRequest, sample_all
from worker.rollouts.transcript import TranscriptReader
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import Sampler, SamplingSettings

TOLERATED = 0.5  # the share of episodes that may be lost; if more are, the environment itself is broken
FEW = 16  # episodes in one request to the sandbox, and lost ones before the share counts: each may use all its time
CUT_FROM = 8  # tokens of the longest action: shorter ones are often meant to fill it
LONGEST_CAUSE = 200  # characters of a cause in the event log


class RolloutTask(NamedTuple):
    """One task that several rollouts play; `chances` is the part of the sampling seed that all its requests share."""

    seed: int
    iteration: int
    group: int
    chances: int


@dataclass
class OpenRollout:
    """One rollout in play."""

    number: int  # its name in the sandbox
    task: RolloutTask
    tokens: list[int]
    acted: list[bool]
    logprobs: list[float]
    reward: float = 0.0
    turns: int = 0
    cut: int = 0  # turns
    unfinished: bool = False
    facts: Mapping[str, float] = field(default_factory=dict)
    regime: str = ""
    spoken: list[tuple[str, int]] = field(default_factory=list)  # for each action, its role and its tokens
    messages: list[Mapping[str, Any]] | None = None  # the chat so far; None for plain text
    over: bool = False
    broken: str = ""

    def add_observation(self, tokens: Sequence[int]) -> None:
        """Append what the environment says, which bears no loss."""
        self.tokens += tokens
        self.acted += [False] * len(tokens)
        self.logprobs += [0.0] * len(tokens)

    def add_action(self, written: SampledSequence, *, cut: bool) -> None:
        """Append what the model wrote."""
        self.tokens += written.tokens.tolist()
        self.acted += [True] * len(written.tokens)
        self.logprobs += written.logprobs.tolist()
        self.turns += 1
        self.cut += cut
        self.spoken.append(("", len(written.tokens)))  # the environment says the role when it answers

    def to_rollout(self) -> Rollout:
        """Return the finished rollout."""
        return Rollout(
            tokens=np.array(self.tokens, np.int32),
            acted=np.array(self.acted[1:], np.bool_),
            logprobs=np.array(self.logprobs[1:], np.float32),
            reward=self.reward,
            turns=self.turns,
            facts=self.facts,
            regime=self.regime,
            spoken=tuple(self.spoken) if any(role for role, _ in self.spoken) else (),
            cut=self.cut,
            unfinished=self.unfinished,
        )


class OpenTasks(NamedTuple):
    """Tasks that have begun and are not yet played: for each, its open rollouts."""

    rollouts: list[list[OpenRollout]]

    def count_prompts(self) -> list[int]:
        """Count the tokens of each task's prompt."""
        return [max((len(seat.tokens) for seat in table), default=0) for table in self.rollouts]


class EpisodePlayer:
    """Plays the tasks of a recipe's environment for one attempt, in a sandbox that it opens and closes."""

    def __init__(self, this: Attempt, split: Split, renderer: Renderer, *, temperature: float) -> None:
        environment = cast(Mapping[str, object], this.recipe["environment"])
        self._this = this
        self._name = str(environment["name"])
        self._temperature = temperature
        self._transcript = TranscriptReader(renderer)
        self._sandbox = Sandbox(
            self._name,
            split=split,
            code=str(environment["code"]),
            limits=this.context.sandbox,
            folder=this.code_folder,
            check=this.check_own_wait,
        )
        self._numbers = 0
        self._lost: list[str] = []  # the causes of all lost episodes
        self._logged = 0  # lost episodes that the event log knows
        self._answered = 0  # steps

    def __enter__(self) -> Self:
        self._sandbox.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sandbox.close()

    @property
    def shape(self) -> EpisodeShape:
        """Return how long the episodes of the environment are."""
        return self._sandbox.shape

    def open(self, tasks: Sequence[RolloutTask], size: int) -> OpenTasks:
        """Begin the episodes: their prompts are known, and the service has not been asked anything."""
        tables = [[OpenRollout(self._take_number(), task, [], [], []) for _ in range(size)] for task in tasks]
        for seats in _chunk(seat for table in tables for seat in table):
            prompts = self._sandbox.begin({seat.number: seat.task.seed for seat in seats})
            for seat in seats:
                match prompts[seat.number]:
                    case LostEpisode() as broken:
                        self._lose(seat, broken)
                    case prompt:
                        seat.messages = None if isinstance(prompt, str) else list(prompt)
                        seat.add_observation(self._transcript.encode_prompt(prompt))
        return OpenTasks(tables)

    def play(self, tables: OpenTasks, sampler: Sampler, use: BookUsage) -> list[list[Rollout]]:
        """Play every episode to its end and leave out those that broke. `use` books every request."""
        seats = [seat for table in tables.rollouts for seat in table]
        while playing := [seat for seat in seats if not seat.over]:
            self._write(playing, sampler, use)
            self._answer(playing)
        self._sandbox.forget(seat.number for seat in seats)
        self._log_lost(len(seats))
        return [[seat.to_rollout() for seat in table if not seat.broken] for table in tables.rollouts]

    def transcribe(self, rollout: Rollout) -> str:
        """Return everything that was read and written in a rollout, as text."""
        return self._transcript.decode(rollout.tokens.tolist())

    def describe(self, group: Sequence[Rollout]) -> Iterator[dict[str, Json]]:
        """Describe rollouts for people: their text, reward, turns and facts."""
        for rollout in group:
            yield {"text": self.transcribe(rollout), "reward": rollout.reward, "turns": rollout.turns, **rollout.facts}

    def _write(self, playing: Sequence[OpenRollout], sampler: Sampler, use: BookUsage) -> None:
        """Sample one action of each; rollouts of one task with the same transcript share a request."""
        settings = self._make_settings(messages=playing[0].messages is not None)
        least, most = self._sandbox.shape.action
        can_be_cut = least < most and most >= CUT_FROM
        groups = _group_rollouts(playing)
        requests = (_make_request(together) for together in groups)
        for together, written in zip(groups, sample_all(self._this, sampler, requests, settings, use), strict=True):
            for seat, utterance in zip(together, written, strict=True):
                seat.add_action(utterance, cut=utterance.cut and can_be_cut)

    def _make_settings(self, *, messages: bool) -> SamplingSettings:
        most, stop = self._sandbox.shape.action[1], self._transcript.list_stops(self._sandbox.stop, messages=messages)
        return SamplingSettings(most, stop, self._temperature, self._transcript.vocabulary)

    def _answer(self, playing: Sequence[OpenRollout]) -> None:
        """Have the environment answer the last action of each."""
        for seats in _chunk(playing):
            utterances = {
                seat.number: self._transcript.read_turn(_last_action(seat), messages=seat.messages is not None)
                for seat in seats
            }
            turns = self._sandbox.act({number: utterance.action for number, utterance in utterances.items()})
            for seat in seats:
                match turns[seat.number]:
                    case LostEpisode() as broken:
                        self._lose(seat, broken)
                    case turn:
                        self._answered += 1
                        self._continue(seat, turn, utterances[seat.number])

    def _continue(self, seat: OpenRollout, answer: Turn, utterance: Utterance) -> None:
        seat.reward += answer.reward
        seat.facts, seat.regime = list_numbers(answer.facts), read_regime(answer.facts)
        seat.spoken[-1] = (read_role(answer.facts), seat.spoken[-1][1])
        least, most = self._sandbox.shape.turns
        seat.over = answer.done or seat.turns >= most
        seat.unfinished = seat.over and not answer.done and least < most
        if seat.over:
            return
        try:
            tokens, so_far = self._transcript.encode_observation(seat.messages or [], utterance, answer.observation)
        except DataError as error:  # the renderer cannot continue from what this rollout said
            self._lose(seat, LostEpisode(str(error), str(error)))
            return
        seat.add_observation(tokens)
        if seat.messages is not None:
            seat.messages = list(so_far)

    def _lose(self, seat: OpenRollout, broken: LostEpisode) -> None:
        """Count a lost episode. Raises StageError if most episodes are lost."""
        seat.over, seat.broken = True, broken.cause
        self._lost.append(broken.cause)
        self._this.losses.note("environment", self._name, broken.what, broken.where)
        self._this.losses.set_among("environment", self._name, self._numbers)
        count, among = len(self._lost), len(self._lost) + self._answered
        if count >= FEW and count > TOLERATED * among:
            raise StageError(
                f"{self._name}: {count} episodes were lost in {among} steps; the first one {self._lost[0]}"
            )

    def _log_lost(self, among: int) -> None:
        """Log the episodes that were lost together, with their first cause."""
        if lost := self._lost[self._logged :]:
            self._logged = len(self._lost)
            self._this.losses.set_among("environment", self._name, self._numbers)
            self._this.log_event(f"{self._name}: {len(lost)} of {among} episodes are lost; {lost[0]}"[:LONGEST_CAUSE])

    @property
    def first_cause(self) -> str:
        """Why the first lost episode was lost."""
        return self._lost[0] if self._lost else "no cause is known"

    def _take_number(self) -> int:
        self._numbers += 1
        return self._numbers


def _chunk(seats: Iterable[OpenRollout]) -> Iterator[list[OpenRollout]]:
    rest = iter(seats)
    while some := list(islice(rest, FEW)):
        yield some


def _group_rollouts(playing: Iterable[OpenRollout]) -> list[list[OpenRollout]]:
    groups: dict[tuple[int, int, bytes], list[OpenRollout]] = {}
    for seat in playing:
        key = (seat.task.iteration, seat.task.group, np.array(seat.tokens, np.int32).tobytes())
        groups.setdefault(key, []).append(seat)
    return list(groups.values())


def _make_request(together: Sequence[OpenRollout]) -> SampleRequest:
    first = together[0]
    task = first.task
    seed = derive_sampling_seed(task.chances, iteration=task.iteration, group=task.group, transcript=first.tokens)
    return SampleRequest(first.tokens, len(together), seed)


def _last_action(seat: OpenRollout) -> list[int]:
    """Return the tokens after the last observation."""
    start = len(seat.acted)
    while start and seat.acted[start - 1]:
        start -= 1
    return seat.tokens[start:]
