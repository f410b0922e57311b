"""Episodes played with a sampler: all that stand at the same transcript ask together, wave after wave, to their end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from scheduler.plugins.tokenizers import tokenizer_of
from sweeps.environments import Messages, Split, Text, Turn
from sweeps.errors import DataError
from sweeps.rendering.answer_text import ASKED, Utterance, find_opening, parse_answer
from sweeps.rendering.renderers import PLAIN
from sweeps.rendering.tokenizer import Tokenizer, get_size
from sweeps.rendering.turns import build_generation_prompt, continue_chat, list_stops
from sweeps.stage import Json
from sweeps.training.rollouts import Rollout, derive_sampling_seed
from worker.attempt import Attempt
from worker.outcome import StageError
from worker.rollouts.generate import Request, Use, write_all
from worker.rollouts.sandbox import Arena, Broken
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import Sampler, SamplingSettings

TOLERATED = 0.5  # of the episodes may be lost: where it is more, it is the environment that is broken
FEW = 16  # episodes are looked at before that is said, and at a time: each of them may take all the time it is given
OPENING = 16  # tokens at the end of a prompt, among which is the mark of a thought that it begins
ENDED = "(end)"  # stands for an end token that has no text
LONGEST_CAUSE = 200  # characters of it in the event log


class Task(NamedTuple):
    """One task that several play: `chances` tells the requests about it from all others."""

    seed: int
    iteration: int
    group: int
    chances: int


class Reading:
    """How what is read becomes tokens, and what is said becomes text, by the renderer of the recipe."""

    def __init__(self, tokenizer: Tokenizer, renderer: str) -> None:
        self._tokenizer = tokenizer
        self._renderer = renderer
        self._ends = list_stops(tokenizer, renderer)
        self.vocabulary = get_size(tokenizer)

    @cached_property
    def _opened(self) -> str:
        """The thought that a prompt of messages begins, if it does."""
        return find_opening(self.shown(self.prompt([ASKED])[-OPENING:]))

    def stops(self, texts: tuple[str, ...], *, spoken: bool) -> tuple[str, ...] | tuple[int, ...]:
        """What ends an action: the environment's texts, and in messages the end of a turn. All texts, or all tokens."""
        found = (*texts, *self._ends) if spoken else texts
        tokens = tuple(stop for stop in found if isinstance(stop, int))
        if len(tokens) == len(found):
            return tokens
        return tuple(stop if isinstance(stop, str) else self.shown([stop]) for stop in found)

    def prompt(self, text: Text) -> list[int]:
        return build_generation_prompt(text, self._tokenizer, self._renderer)

    def answer(self, so_far: Messages, turn: Utterance, text: Text) -> tuple[list[int], Messages]:
        """What is put behind a turn, and the chat with it. Raises DataError where the renderer would not go on."""
        if isinstance(text, str):
            return self._tokenizer.encode(text), [*so_far, {"role": "assistant", "content": turn.whole}]
        tokens, message = continue_chat(so_far, turn, text, self._tokenizer, self._renderer)
        return tokens, [*so_far, message, *text]

    def turn(self, tokens: Sequence[int], *, spoken: bool) -> Utterance:
        """What was said, without the mark by which the model ended its turn; in text all of it is the answer."""
        text, end = self._without_end(tokens, spoken=spoken)
        if not spoken or self._renderer == PLAIN:
            return Utterance(text, text, end=end)
        return parse_answer(text, self._tokenizer, opened=self._opened, end=end)

    def _without_end(self, tokens: Sequence[int], *, spoken: bool) -> tuple[str, str]:
        text = self.shown(tokens)
        for end in self._ends if spoken else ():
            if tokens and tokens[-1] == end:
                return self.shown(tokens[:-1]), self.shown(tokens[-1:]) or ENDED
            if isinstance(end, str) and text.endswith(end):
                return text.removesuffix(end), end
        if tokens and tokens[-1] == self._tokenizer.eos:
            return self.shown(tokens[:-1]), self.shown(tokens[-1:]) or ENDED
        return text, "" if spoken else ENDED

    def shown(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(tokens)


@dataclass
class Seat:
    """One rollout in play."""

    number: int  # by which the arena knows it
    task: Task
    tokens: list[int]
    acted: list[bool]
    logprobs: list[float]
    reward: float = 0.0
    turns: int = 0
    facts: Mapping[str, float] = field(default_factory=dict)
    said_so_far: list[Mapping[str, Any]] | None = None  # in messages; None where it is text
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


class Tables(NamedTuple):
    """Tasks that are open and not yet played: a table for each, with as many seats as it has players."""

    seats: list[list[Seat]]

    def prompts(self) -> list[int]:
        """How many tokens the prompt of each has."""
        return [max((len(seat.tokens) for seat in table), default=0) for table in self.seats]


class Players:
    """Plays the tasks of one environment for one attempt."""

    def __init__(self, this: Attempt, arena: Arena, *, temperature: float) -> None:
        self._this = this
        self._arena = arena
        self._temperature = temperature
        self._reading = Reading(tokenizer_of(this.recipe, this.context.artefacts), str(this.recipe["renderer"]))
        self._numbers = 0
        self._lost: list[str] = []  # the causes, of all that was ever played
        self._told = 0
        self._answered = 0  # steps

    def open(self, tasks: Sequence[Task], size: int) -> Tables:
        """Begin the episodes: their prompts are known, and nothing has been asked of the service."""
        tables = [[Seat(self._number(), task, [], [], []) for _ in range(size)] for task in tasks]
        for seats in _few(seat for table in tables for seat in table):
            prompts = self._arena.begin({seat.number: seat.task.seed for seat in seats})
            for seat in seats:
                match prompts[seat.number]:
                    case Broken(cause):
                        self._lose(seat, cause)
                    case prompt:
                        seat.said_so_far = None if isinstance(prompt, str) else list(prompt)
                        seat.read(self._reading.prompt(prompt))
        return Tables(tables)

    def play(self, tables: Tables, sampler: Sampler, use: Use) -> list[list[Rollout]]:
        """Every episode to its end; those that broke are left out. `use` is told of all that is asked for."""
        seats = [seat for table in tables.seats for seat in table]
        while playing := [seat for seat in seats if not seat.over]:
            self._write(playing, sampler, use)
            self._answer(playing)
        self._arena.forget(seat.number for seat in seats)
        self._tell(len(seats))
        return [[seat.rollout() for seat in table if not seat.broken] for table in tables.seats]

    def told(self, group: Sequence[Rollout]) -> Iterator[dict[str, Json]]:
        """Rollouts for people: what was read and said, and what it was worth."""
        for rollout in group:
            text = self._reading.shown(rollout.tokens.tolist())
            yield {"text": text, "reward": rollout.reward, "turns": rollout.turns, **rollout.facts}

    def _write(self, playing: Sequence[Seat], sampler: Sampler, use: Use) -> None:
        """One action of each: one request for all that stand at the same transcript of the same task."""
        manner = self._manner(spoken=playing[0].said_so_far is not None)
        groups = _together(playing)
        requests = (_request(together) for together in groups)
        for together, written in zip(groups, write_all(self._this, sampler, requests, manner, use), strict=True):
            for seat, one in zip(together, written, strict=True):
                seat.said(one)

    def _manner(self, *, spoken: bool) -> SamplingSettings:
        most, stop = self._arena.shape.action[1], self._reading.stops(self._arena.stop, spoken=spoken)
        return SamplingSettings(most, stop, self._temperature, self._reading.vocabulary)

    def _answer(self, playing: Sequence[Seat]) -> None:
        """What the environment says to the last action of each."""
        for seats in _few(playing):
            said = {
                seat.number: self._reading.turn(_last_action(seat), spoken=seat.said_so_far is not None)
                for seat in seats
            }
            turns = self._arena.act({number: one.action for number, one in said.items()})
            for seat in seats:
                match turns[seat.number]:
                    case Broken(cause):
                        self._lose(seat, cause)
                    case turn:
                        self._answered += 1
                        self._go_on(seat, turn, said[seat.number])

    def _go_on(self, seat: Seat, answer: Turn, said: Utterance) -> None:
        seat.reward += answer.reward
        seat.facts = answer.facts
        seat.over = answer.done or seat.turns >= self._arena.shape.turns[1]
        if seat.over:
            return
        try:
            tokens, so_far = self._reading.answer(seat.said_so_far or [], said, answer.observation)
        except DataError as error:  # what this one said cannot be gone on from; others say other things
            self._lose(seat, str(error))
            return
        seat.read(tokens)
        if seat.said_so_far is not None:
            seat.said_so_far = list(so_far)

    def _lose(self, seat: Seat, cause: str) -> None:
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


def _few(seats: Iterable[Seat]) -> Iterator[list[Seat]]:
    rest = iter(seats)
    while some := list(islice(rest, FEW)):
        yield some


def _together(playing: Iterable[Seat]) -> list[list[Seat]]:
    found: dict[tuple[int, int, bytes], list[Seat]] = {}
    for seat in playing:
        key = (seat.task.iteration, seat.task.group, np.array(seat.tokens, np.int32).tobytes())
        found.setdefault(key, []).append(seat)
    return list(found.values())


def _request(together: Sequence[Seat]) -> Request:
    first = together[0]
    task = first.task
    seed = derive_sampling_seed(task.chances, iteration=task.iteration, group=task.group, transcript=first.tokens)
    return Request(first.tokens, len(together), seed)


def _last_action(seat: Seat) -> list[int]:
    """The tokens behind the last one that it was told."""
    start = len(seat.acted)
    while start and seat.acted[start - 1]:
        start -= 1
    return seat.tokens[start:]


def arena_of(this: Attempt, split: Split) -> Arena:
    """Where the episodes of an attempt are played."""
    named = _named(this)
    return Arena(
        str(named["name"]),
        split=split,
        code=str(named["code"]),
        limits=this.context.arena,
        folder=this.context.environments,
        check=this.check_own_wait,
    )


def _named(this: Attempt) -> Mapping[str, object]:
    named = this.recipe["environment"]
    assert isinstance(named, dict)
    return named
