"""Episodes played with a sampler: all that stand at the same transcript ask together, wave after wave, to their end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from scheduler.plugins.tokenizers import tokenizer_of
from sweeps.environments import Split, Turn
from sweeps.errors import DataError
from sweeps.rendering.answer_text import Utterance
from sweeps.stage import Json
from sweeps.training.rollouts import Rollout, derive_sampling_seed
from worker.attempt import Attempt
from worker.outcome import StageError
from worker.rollouts.generate import BookUsage, SampleRequest, sample_all
from worker.rollouts.sandbox import BrokenEpisode, Sandbox
from worker.rollouts.transcript import TranscriptReader
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import Sampler, SamplingSettings

TOLERATED = 0.5  # of the episodes may be lost: where it is more, it is the environment that is broken
FEW = 16  # episodes are looked at before that is said, and at a time: each of them may take all the time it is given
LONGEST_CAUSE = 200  # characters of it in the event log


class RolloutTask(NamedTuple):
    """One task that several play: `chances` tells the requests about it from all others."""

    seed: int
    iteration: int
    group: int
    chances: int


@dataclass
class OpenRollout:
    """One rollout in play."""

    number: int  # by which the sandbox knows it
    task: RolloutTask
    tokens: list[int]
    acted: list[bool]
    logprobs: list[float]
    reward: float = 0.0
    turns: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)
    messages: list[Mapping[str, Any]] | None = None  # in messages; None where it is text
    over: bool = False
    broken: str = ""

    def read(self, tokens: Sequence[int]) -> None:
        """What it is told."""
        self.tokens += tokens
        self.acted += [False] * len(tokens)
        self.logprobs += [0.0] * len(tokens)

    def said(self, written: SampledSequence) -> None:
        self.tokens += written.tokens.tolist()
        self.acted += [True] * len(written.tokens)
        self.logprobs += written.logprobs.tolist()
        self.turns += 1

    def rollout(self) -> Rollout:
        return Rollout(
            tokens=np.array(self.tokens, np.int32),
            acted=np.array(self.acted[1:], np.bool_),
            logprobs=np.array(self.logprobs[1:], np.float32),
            reward=self.reward,
            turns=self.turns,
            facts=self.facts,
        )


class OpenTasks(NamedTuple):
    """Tasks that are open and not yet played: a table for each, with as many seats as it has players."""

    seats: list[list[OpenRollout]]

    def prompts(self) -> list[int]:
        """How many tokens the prompt of each has."""
        return [max((len(seat.tokens) for seat in table), default=0) for table in self.seats]


class EpisodePlayer:
    """Plays the tasks of one environment for one attempt."""

    def __init__(self, this: Attempt, sandbox: Sandbox, *, temperature: float) -> None:
        self._this = this
        self._sandbox = sandbox
        self._temperature = temperature
        tokenizer = tokenizer_of(this.recipe, this.context.artefacts)
        self._transcript = TranscriptReader(tokenizer, str(this.recipe["renderer"]))
        self._numbers = 0
        self._lost: list[str] = []  # the causes, of all that was ever played
        self._told = 0
        self._answered = 0  # steps

    def open(self, tasks: Sequence[RolloutTask], size: int) -> OpenTasks:
        """Begin the episodes: their prompts are known, and nothing has been asked of the service."""
        tables = [[OpenRollout(self._number(), task, [], [], []) for _ in range(size)] for task in tasks]
        for seats in _few(seat for table in tables for seat in table):
            prompts = self._sandbox.begin({seat.number: seat.task.seed for seat in seats})
            for seat in seats:
                match prompts[seat.number]:
                    case BrokenEpisode(cause):
                        self._lose(seat, cause)
                    case prompt:
                        seat.messages = None if isinstance(prompt, str) else list(prompt)
                        seat.read(self._transcript.encode_prompt(prompt))
        return OpenTasks(tables)

    def play(self, tables: OpenTasks, sampler: Sampler, use: BookUsage) -> list[list[Rollout]]:
        """Every episode to its end; those that broke are left out. `use` is told of all that is asked for."""
        seats = [seat for table in tables.seats for seat in table]
        while playing := [seat for seat in seats if not seat.over]:
            self._write(playing, sampler, use)
            self._answer(playing)
        self._sandbox.forget(seat.number for seat in seats)
        self._tell(len(seats))
        return [[seat.rollout() for seat in table if not seat.broken] for table in tables.seats]

    def transcribe(self, rollout: Rollout) -> str:
        """Return everything that was read and written in a rollout, as text."""
        return self._transcript.decode(rollout.tokens.tolist())

    def describe(self, group: Sequence[Rollout]) -> Iterator[dict[str, Json]]:
        """Describe rollouts for people: their text, reward, turns and facts."""
        for rollout in group:
            yield {"text": self.transcribe(rollout), "reward": rollout.reward, "turns": rollout.turns, **rollout.facts}

    def _write(self, playing: Sequence[OpenRollout], sampler: Sampler, use: BookUsage) -> None:
        """One action of each: one request for all that stand at the same transcript of the same task."""
        settings = self._make_settings(messages=playing[0].messages is not None)
        groups = _together(playing)
        requests = (_request(together) for together in groups)
        for together, written in zip(groups, sample_all(self._this, sampler, requests, settings, use), strict=True):
            for seat, one in zip(together, written, strict=True):
                seat.said(one)

    def _make_settings(self, *, messages: bool) -> SamplingSettings:
        most, stop = self._sandbox.shape.action[1], self._transcript.list_stops(self._sandbox.stop, messages=messages)
        return SamplingSettings(most, stop, self._temperature, self._transcript.vocabulary)

    def _answer(self, playing: Sequence[OpenRollout]) -> None:
        """What the environment says to the last action of each."""
        for seats in _few(playing):
            said = {
                seat.number: self._transcript.read_turn(_last_action(seat), messages=seat.messages is not None)
                for seat in seats
            }
            turns = self._sandbox.act({number: one.action for number, one in said.items()})
            for seat in seats:
                match turns[seat.number]:
                    case BrokenEpisode(cause):
                        self._lose(seat, cause)
                    case turn:
                        self._answered += 1
                        self._go_on(seat, turn, said[seat.number])

    def _go_on(self, seat: OpenRollout, answer: Turn, said: Utterance) -> None:
        seat.reward += answer.reward
        seat.facts = answer.facts
        seat.over = answer.done or seat.turns >= self._sandbox.shape.turns[1]
        if seat.over:
            return
        try:
            tokens, so_far = self._transcript.encode_observation(seat.messages or [], said, answer.observation)
        except DataError as error:  # what this one said cannot be gone on from; others say other things
            self._lose(seat, str(error))
            return
        seat.read(tokens)
        if seat.messages is not None:
            seat.messages = list(so_far)

    def _lose(self, seat: OpenRollout, cause: str) -> None:
        """One episode is lost. Raises Unfit where that is what most of them are."""
        seat.over, seat.broken = True, cause
        self._lost.append(cause)
        count, among = len(self._lost), len(self._lost) + self._answered
        if count >= FEW and count > TOLERATED * among:
            name = _named(self._this)["name"]
            raise StageError(f"{name}: {count} episodes were lost, of {among} steps; the first one {self._lost[0]}")

    def _tell(self, among: int) -> None:
        """Name what broke, in the events: once for all episodes that were played together, with the first cause."""
        if told := self._lost[self._told :]:
            self._told = len(self._lost)
            name = str(_named(self._this)["name"])
            self._this.log_event(f"{name}: {len(told)} of {among} episodes are lost; {told[0]}"[:LONGEST_CAUSE])

    @property
    def first_cause(self) -> str:
        """Why the first of all episodes that were lost was lost."""
        return self._lost[0] if self._lost else "none of them says why"

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def _few(seats: Iterable[OpenRollout]) -> Iterator[list[OpenRollout]]:
    rest = iter(seats)
    while some := list(islice(rest, FEW)):
        yield some


def _together(playing: Iterable[OpenRollout]) -> list[list[OpenRollout]]:
    found: dict[tuple[int, int, bytes], list[OpenRollout]] = {}
    for seat in playing:
        key = (seat.task.iteration, seat.task.group, np.array(seat.tokens, np.int32).tobytes())
        found.setdefault(key, []).append(seat)
    return list(found.values())


def _request(together: Sequence[OpenRollout]) -> SampleRequest:
    first = together[0]
    task = first.task
    seed = derive_sampling_seed(task.chances, iteration=task.iteration, group=task.group, transcript=first.tokens)
    return SampleRequest(first.tokens, len(together), seed)


def _last_action(seat: OpenRollout) -> list[int]:
    """The tokens behind the last one that it was told."""
    start = len(seat.acted)
    while start and seat.acted[start - 1]:
        start -= 1
    return seat.tokens[start:]


def open_sandbox(this: Attempt, split: Split) -> Sandbox:
    """Where the episodes of an attempt are played."""
    named = _named(this)
    return Sandbox(
        str(named["name"]),
        split=split,
        code=str(named["code"]),
        limits=this.context.sandbox,
        folder=this.context.environments,
        check=this.check_own_wait,
    )


def _named(this: Attempt) -> Mapping[str, object]:
    named = this.recipe["environment"]
    assert isinstance(named, dict)
    return named
