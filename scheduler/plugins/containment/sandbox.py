"""Where a model acts: the episodes of one attempt, played in a process of their own (`sandbox_main.py`).

An environment is somebody's code. It may raise, hang, crash, eat all memory or return nonsense; that costs the episode
in which it did, and no other. The process plays one step at a time and answers before it begins the next, so the first
step without an answer is the one that hangs or has crashed. The process is then ended with all that it started, and in
a new one the other episodes are played again, from their seeds and actions, to where they were.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from scheduler.errors import CodeUnusable
from scheduler.plugins.allowed_code import refuse_unlisted
from scheduler.plugins.containment.sandbox_process import Died, SandboxProcess
from scheduler.settings import Isolation, Settings
from sweeps.environments import Advice, EpisodeShape, Split, Text, Turn
from sweeps.environments.trials import LostEpisode

GIB = 2**30
MEGABYTE = 10**6
LOOK_EVERY = 0.25  # seconds between two looks at the lease while we wait


@dataclass(frozen=True)
class SandboxLimits:
    """Limits for the code of other people."""

    step: float = 30.0  # seconds for one step of one episode
    start: float = 300.0  # seconds in which the environment must be loaded
    memory: int = 2 * GIB  # bytes of address space; 0 is no limit
    answer: int = MEGABYTE  # bytes of one answer
    isolation: Isolation = "auto"


def read_limits(settings: Settings) -> SandboxLimits:
    """Read the limits that this machine's settings give."""
    memory = int(settings.environment_memory * GIB)
    return SandboxLimits(step=settings.step, memory=memory, isolation=settings.sandbox)


@dataclass
class _Record:
    """One episode: what was asked of it, and what is known to have been answered."""

    seed: int
    actions: list[str] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)  # digests: of the prompt, and of each turn
    heard: int = 0  # answers of the process that lives now
    over: bool = False

    def requests(self, number: int, *, behind: int = 0) -> list[bytes]:
        """Everything that was ever asked of it, behind so many that were answered."""
        asked = [f"{number} act {json.dumps(action)}\n" for action in self.actions[max(0, behind - 1) :]]
        return [line.encode() for line in ([] if behind else [f"{number} begin {self.seed}\n"]) + asked]


_NEVER = _Record(0)
_Answers = dict[int, Text | Turn | Advice | LostEpisode]


class Sandbox:
    """The episodes of one attempt. To be used by one thread.

    What `check` raises while we wait is passed on, and so is CodeUnusable: the environment cannot be loaded, or its
    code is not what was planned. Either way the process is gone then, and the sandbox is closed.
    """

    def __init__(
        self,
        environment: str,
        *,
        split: Split,
        code: str | None = None,
        limits: SandboxLimits | None = None,
        folder: Path | None = None,
        check: Callable[[], None] = lambda: None,
        kind: Literal["environment", "check"] = "environment",
    ) -> None:
        """`code` is what the environment's code was known by when it was planned; None is not compared.

        `folder` is where modules are looked for behind all others, and where the process stands. A `kind` of `check` is
        somebody's check of answers: each answer is an episode, and the check's word its reward.
        """
        self.limits = limits or SandboxLimits()
        self._name = f"{kind} {environment}"
        self._order = {
            "kind": kind,
            "name": environment,
            "split": split,
            "code": code,
            "folder": str(folder or Path.cwd()),
            "memory": self.limits.memory,
            "answer": self.limits.answer,
        }
        self._check = check
        self._records: dict[int, _Record] = {}  # of those that go on
        self._broken: dict[int, LostEpisode] = {}
        self._house: SandboxProcess | None = None
        self.starts = 0  # processes that it took
        self.version = 0
        self.code = ""  # the digest of the code that was loaded
        self.shape = EpisodeShape()
        self.stop: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        """Start the process and load the environment; its version, shape and stop texts are known then."""
        refuse_unlisted(str(self._order["name"]), Path(str(self._order["folder"])))
        self._guarded(self._start)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process and all that it started."""
        house, self._house = self._house, None
        if house is not None:
            house.close()

    def begin(self, tasks: Mapping[int, int]) -> dict[int, Text | LostEpisode]:
        """Begin the episode of each number, on the task of a seed: its prompt. No number may have been in use."""
        for number, seed in tasks.items():
            assert number not in self._records, f"{number} is played already"
            assert number not in self._broken, f"{number} was played already"
            self._records[number] = _Record(seed)
        answers = self._ask(tasks).items()
        return {number: answer for number, answer in answers if not isinstance(answer, Turn | Advice)}

    def act(self, actions: Mapping[int, str]) -> dict[int, Turn | LostEpisode]:
        """Act once in each of these episodes, which have begun and are not over. Of one that is over, forget all."""
        playing = [number for number in actions if number not in self._broken]
        for number in playing:
            self._records[number].actions.append(actions[number])
        answers = self._ask(playing).items()
        asked = {number: answer for number, answer in answers if isinstance(answer, Turn | LostEpisode)}
        for number in playing:
            if self._records.get(number, _NEVER).over:
                del self._records[number]
        return {number: self._broken.get(number) or asked[number] for number in actions}

    def advise(self, numbers: Iterable[int]) -> dict[int, Advice | LostEpisode]:
        """Ask each of these episodes, which have begun and are not over, for its right action and for all actions."""
        asked = list(numbers)
        answers: _Answers = {}
        self._guarded(lambda: self._ask_advice([number for number in asked if number in self._records], answers))
        advice = {number: answer for number, answer in answers.items() if isinstance(answer, Advice)}
        return {number: self._broken.get(number) or advice[number] for number in asked}

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop these episodes: nothing more will be asked of them."""
        gone = [number for number in numbers if self._records.pop(number, None) is not None]
        if self._house is not None:
            self._house.tell([f"{number} forget\n".encode() for number in gone])

    def _ask(self, numbers: Iterable[int]) -> _Answers:
        """Get the answer to the last request of each of these."""
        answers: _Answers = {}
        self._guarded(lambda: self._play(list(numbers), answers))
        return answers

    def _guarded(self, play: Callable[[], None]) -> None:
        """Whoever does not wait for the answers must not find them later as answers to something else."""
        try:
            play()
        except BaseException:
            self.close()
            raise

    def _play(self, numbers: Sequence[int], answers: _Answers) -> None:
        """Ask, and ask again in a new process as often as one dies: each time one episode is broken."""
        if self._house is None or not self._house.lives:
            self._start()
            self._ask_everything(answers)
        else:
            records = {number: self._records[number] for number in numbers}
            new = {number: record.requests(number, behind=record.heard) for number, record in records.items()}
            self._exchange([(number, line) for number, lines in new.items() for line in lines], answers)
        while self._house is None:
            self._start()
            self._ask_everything(answers)

    def _ask_advice(self, numbers: Sequence[int], answers: _Answers) -> None:
        """Ask for advice, and again in a new process as often as one dies."""
        self._play([], {})  # brings the episodes back if the process has died
        while missing := [number for number in numbers if number not in answers and number in self._records]:
            self._exchange([(number, f"{number} advise null\n".encode()) for number in missing], answers)
            if self._house is None:
                self._play([], {})

    def _ask_everything(self, answers: _Answers) -> None:
        """Play again what is not over, to where it was and on to what was asked last."""
        requests = []
        for number, record in self._records.items():
            record.heard = 0
            if not record.over:
                requests += [(number, line) for line in record.requests(number)]
        self._exchange(requests, answers)

    def _exchange(self, requests: Sequence[tuple[int, bytes]], answers: _Answers) -> None:
        """Send all and hear all; where the process dies instead, the first that was not answered is why."""
        assert self._house is not None
        heard = 0
        try:
            lines = [line for _, line in requests]
            for line in self._house.ask(lines, answers=len(lines), seconds=self.limits.step):
                number = requests[heard][0]
                self._hear(number, line, answers)
                heard += 1
        except Died as death:
            self.close()
            self._break(requests[heard][0], str(death), answers)

    def _hear(self, number: int, line: bytes, answers: _Answers) -> None:
        """Read one answer: a new one, or the same as before."""
        answered, verb, content = (line + b" ").split(b" ", 2)
        assert int(answered) == number, f"{number} was asked, {line[:80]!r} answered"
        record = self._records.get(number)
        if record is None:  # it broke, and this was on its way already
            return
        if verb == b"full":
            raise Died(f"ran out of the memory that it may have ({self.limits.memory / GIB:g} GiB)")
        if verb == b"advice":
            action, actions = json.loads(content)
            answers[number] = Advice(action, tuple(actions))
            return
        digest = hashlib.sha256(content).digest()
        if verb == b"broken":
            self._break(number, json.loads(content), answers)
        elif record.heard < len(record.answers) and record.answers[record.heard] != digest:
            self._break(number, "is not deterministic: played again, it answered otherwise", answers)
        else:
            if record.heard == len(record.answers):
                record.answers.append(digest)
                answers[number] = answer = _read(verb, content)
                record.over = isinstance(answer, Turn) and answer.done
            record.heard += 1

    def _break(self, number: int, what: str, answers: _Answers) -> None:
        if number in self._broken:
            return
        record = self._records.pop(number)
        step = f"step {record.heard}" if record.heard else "the prompt"
        where = f"in {step} of the episode of seed {record.seed}"
        answers[number] = self._broken[number] = LostEpisode(f"{what}, {where}", what, where)

    def _start(self) -> None:
        """Start the process. Raises CodeUnusable."""
        self.close()
        self.starts += 1
        self._house = SandboxProcess(
            self._order, isolation=self.limits.isolation, check=self._check, look_every=LOOK_EVERY
        )
        try:
            (line,) = self._house.ask([], answers=1, seconds=self.limits.start)
        except Died as death:
            raise CodeUnusable(f"the {self._name} could not be loaded: it {death}") from None
        verb, _, content = line.partition(b" ")
        if verb != b"ready":
            raise CodeUnusable(json.loads(content))
        self.version, shape, stop, self.code = json.loads(content)
        self.shape = EpisodeShape(*(tuple(span) for span in shape))
        self.stop = tuple(stop)


def _read(verb: bytes, content: bytes) -> Text | Turn:
    answer = json.loads(content)
    return Turn(*answer) if verb == b"turn" else answer
