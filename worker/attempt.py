"""One execution of a stage under one lease, as a value that flows through the pipeline."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from scheduler.artefacts import Artefacts, attempt_path
from scheduler.state.connection import Away
from scheduler.state.store import Assignment, Cost, Lease, Meter, Opening, Store
from sweeps.cost import Rates, Usage
from sweeps.stage import MICRO, Json
from worker.examples import Examples
from worker.leases import EndRequest, HeldLease, LeaseLost, Leases
from worker.outcome import Outcome, Stopped
from worker.progress import Row, format_line
from worker.rollouts.sandbox import SandboxLimits
from worker.sdk.endpoints import Endpoint
from worker.sdk.futures import PendingAnswer
from worker.sdk.hooks import Signal
from worker.sdk.rate_limiter import RateLimiter, unlimited_rate

T = TypeVar("T")
PAUSE = 0.5  # seconds between two tries to reach Redis


class EventReporter(Protocol):
    """Tells Flower what happens, so that it shows what the store says."""

    def show_progress(self, text: str) -> None:
        """One line about where the attempt is."""

    def report_continued(self, label: str) -> "AbstractContextManager[ReportEnd]":
        """A stage that nobody was nudged for, because this worker went straight on with it."""


ReportEnd = Callable[[Outcome], None]  # told how it ended


@dataclass
class WorkerContext:
    """What all attempts of this worker share."""

    store: Store
    artefacts: Artefacts
    leases: Leases
    examples: Examples
    endpoint: Callable[[str], Endpoint]
    pace: Callable[[str], RateLimiter] = unlimited_rate
    sandbox: SandboxLimits = field(default_factory=SandboxLimits)
    environments: Path | None = None  # where modules of environments are looked for, behind all others
    chance: random.Random = field(default_factory=random.Random)

    @cached_property
    def fleet(self) -> str:
        """The name by which the service knows the sessions of this installation."""
        return self.store.read_fleet_name()


class Spending:
    """What one attempt has used so far: tokens exactly, and dollars at the stage's rates, rounded up as a whole.

    And what it may use: so many micro-dollars are held for it.
    """

    def __init__(self, rates: Rates, reserved: int) -> None:
        self.rates = rates
        self.usage = Usage()
        self._reserved = reserved

    def add(self, usage: Usage) -> None:
        self.usage = self.usage.plus(usage)

    def add_forward(self, tokens: int) -> None:
        """Add a forward pass over so many tokens."""
        self.add(self.rates.passed(tokens))

    def covers(self, more: Usage) -> bool:
        """Is what is held enough for that as well?"""
        return self.rates.price(self.usage.plus(more)) <= self._reserved

    def raise_limit(self, needed: int) -> None:
        """So many micro-dollars are held for what is next."""
        self._reserved = max(self._reserved, self.meter.micro_usd + needed)

    @property
    def meter(self) -> Meter:
        return Meter(self.usage.tokens, self.rates.price(self.usage))


def make_stopped(asked: EndRequest, cost: Cost = "exact") -> Stopped:
    """The end of an attempt that was asked to end."""
    return Stopped(cancelled=asked is EndRequest.CANCEL, cause=str(asked), cost=cost)


@dataclass(frozen=True)
class Attempt:
    """What is to be done, by which right, and what it has used."""

    context: WorkerContext
    held: HeldLease
    work: Assignment
    spending: Spending
    reporter: EventReporter
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

    def wait(self, pending: PendingAnswer[T]) -> T:
        """What the service answers. Raises ServiceError, and what `check` raises."""
        answer = pending.wait(self.check)
        self.held.note_answer()
        return answer

    def note_signal(self, sign: Signal, reason: str) -> None:  # noqa: ARG002 - the reason is for people
        """What the service lets us see while we wait: a pause that it tells of is no stall. On the SDK's thread."""
        self.held.client_status.note_signal(sign)
        if sign in (Signal.RATE_LIMITED, Signal.NO_CAPACITY):
            self.held.note_pause()

    def permit(self, tokens: int) -> None:
        """Wait until the fleet may send one more request with so many tokens. Raises what `check` raises."""
        self.context.pace(str(self.recipe["model"])).take(requests=1, tokens=tokens, check=self.check_own_wait)

    def check_own_wait(self) -> None:
        """`check`, while we wait for what is ours: that is no stall, and no sign that the service is away."""
        self.held.note_own_wait()
        self.check()

    def stop_if_asked(self) -> Stopped | None:
        """The answer to a request to end, if there is one."""
        asked = self.held.end_request
        return make_stopped(asked) if asked else None

    def stop_before_start(self, whole: Usage) -> Stopped | None:
        """The end of an evaluation that may not begin, whose whole use is known before anything is asked for.

        Once it has begun, it is worth waiting for. Raises what `check` and `stop_if_unaffordable` raise.
        """
        self.check()
        return self.stop_if_asked() or self.stop_if_unaffordable(whole)

    def stop_if_unaffordable(self, more: Usage) -> Stopped | None:
        """The end of an attempt that nobody can pay for any further; None where it may use this much more.

        Nothing is ever asked of the service that is not held for it before: where the estimate was too small, more is
        asked of the budget. Raises LeaseLost, and what `check` raises.
        """
        if self.spending.covers(more):
            return None
        needed = self.spending.rates.price(more)
        answer = self._reserve(needed)
        if answer == "lost":
            raise LeaseLost(self.work.stage)
        if answer != "held":
            return Stopped(cancelled=False, cause=f"{answer}: ${needed / MICRO:.4f} for what is next cannot be held")
        self.spending.raise_limit(needed)
        return None

    def _reserve(self, needed: int) -> str:
        """What the store says. While Redis is away it is asked again, until the lease would be over."""
        while True:
            try:
                return self.context.store.reserve_more(self.lease, self.spending.meter, needed)
            except Away:
                self.check()
                time.sleep(PAUSE)

    def report(self, progress: Mapping[str, Json], curve: Sequence[Row] = ()) -> None:
        """Book what was used so far and show where it is. Redis may fail for a moment; the lease decides."""
        self.reporter.show_progress(format_line(progress))
        with suppress(*Away):
            if not self.context.store.report_progress(self.lease, self.spending.meter, progress, curve):
                raise LeaseLost(self.work.stage)

    def log_event(self, text: str) -> None:
        """Leave a line about the attempt in the event log."""
        with suppress(*Away):
            self.context.store.log_event(self.lease, text)

    def write_artefact(self, name: str, content: bytes) -> str:
        """Write an artefact of this attempt; its path carries the fencing number."""
        return self.context.artefacts.write(attempt_path(self.work.stage, self.lease.fence, name), content)
