"""One execution of a stage under one lease, as a value that flows through the pipeline."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, TypeVar

from scheduler.artefacts import Artefacts, attempt_path
from scheduler.connection import RedisError
from scheduler.store import Assignment, Cost, Lease, Meter, Opening, Store
from sweeps.stage import Json
from worker.examples import Examples
from worker.hooks import Sign
from worker.leases import Asked, HeldLease, LeaseLost, Leases
from worker.outcome import Outcome, Stopped
from worker.pace import Pace, unpaced
from worker.progress import Row, line
from worker.service import Endpoint, Pending

T = TypeVar("T")


class Narrator(Protocol):
    """Tells Flower what happens, so that it shows what the store says."""

    def progress(self, text: str) -> None:
        """One line about where the attempt is."""

    def adopted(self, label: str) -> "AbstractContextManager[Telling]":
        """A stage that nobody was nudged for, because this worker went straight on with it."""


Telling = Callable[[Outcome], None]  # told how it ended


@dataclass
class Hands:
    """What all attempts of this worker share."""

    store: Store
    artefacts: Artefacts
    leases: Leases
    examples: Examples
    endpoint: Callable[[str], Endpoint]
    pace: Callable[[str], Pace] = unpaced
    chance: random.Random = field(default_factory=random.Random)

    @cached_property
    def fleet(self) -> str:
        """The name by which the service knows the sessions of this installation."""
        return self.store.fleet()


class Spending:
    """What one attempt has used so far: tokens exactly, and dollars at the stage's rate, rounded up as a whole."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.tokens = 0

    def add(self, tokens: int) -> None:
        self.tokens += tokens

    @property
    def meter(self) -> Meter:
        return Meter(self.tokens, price(self.tokens, self.rate))


def stopped(asked: Asked, cost: Cost = "exact") -> Stopped:
    """The end of an attempt that was asked to end."""
    return Stopped(cancelled=asked is Asked.CANCEL, cause=str(asked), cost=cost)


def price(tokens: int, rate: int) -> int:
    """Micro-dollars, rounded up; `rate` is micro-dollars for a million tokens."""
    return -(-tokens * rate // 1_000_000)


@dataclass(frozen=True)
class Attempt:
    """What is to be done, by which right, and what it has used."""

    hands: Hands
    held: HeldLease
    work: Assignment
    spending: Spending
    narrator: Narrator
    opening: Opening

    @property
    def recipe(self) -> Mapping[str, Json]:
        return self.work.recipe

    @property
    def lease(self) -> Lease:
        return self.held.lease

    def check(self) -> None:
        """Raise LeaseLost, TimeIsUp or Stalled when nothing more may be started."""
        self.held.check()

    def wait(self, pending: Pending[T]) -> T:
        """What the service answers. Raises ServiceError, and what `check` raises."""
        answer = pending.wait(self.check)
        self.held.answered()
        return answer

    def seen(self, sign: Sign, reason: str) -> None:  # noqa: ARG002 - the reason is for people
        """What the service lets us see while we wait: a pause that it tells of is no stall."""
        if sign in (Sign.RATE_LIMITED, Sign.NO_CAPACITY):
            self.held.told_to_wait()

    def permit(self, tokens: int) -> None:
        """Wait until the fleet may send one more request with so many tokens. Raises what `check` raises."""
        self.hands.pace(str(self.recipe["model"])).take(requests=1, tokens=tokens, check=self._still)

    def _still(self) -> None:
        """Our own limit is no stall either."""
        self.held.told_to_wait()
        self.check()

    def asked_to_stop(self) -> Stopped | None:
        """The answer to a request to end, if there is one."""
        asked = self.held.asked
        return stopped(asked) if asked else None

    def report(self, progress: Mapping[str, Json], curve: Sequence[Row] = ()) -> None:
        """Book what was used so far and show where it is. Redis may fail for a moment; the lease decides."""
        self.narrator.progress(line(progress))
        with suppress(RedisError):
            if not self.hands.store.report_progress(self.lease, self.spending.meter, progress, curve):
                raise LeaseLost(self.work.stage)

    def keep(self, name: str, content: bytes) -> str:
        """Write an artefact of this attempt; its path carries the fencing number."""
        return self.hands.artefacts.write(attempt_path(self.work.stage, self.lease.fence, name), content)
