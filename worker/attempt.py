"""Hold everything one attempt at a stage needs: its context, lease, work, spending and reporter.

Reads and writes the store and the artefact store through the context; it never calls the service
itself.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from scheduler.artefacts import Artefacts, locate_attempt_file
from scheduler.plugins.allowed_code import is_trusted_folder
from scheduler.plugins.containment.sandbox import SandboxLimits
from scheduler.state.connection import Away
from scheduler.state.store import Assignment, Cost, Lease, Meter, Opening, Store
from sweeps.cost import Rates, Usage
from sweeps.identity import fingerprint
from sweeps.stage import MICRO, Json
from worker.examples import Examples
from worker.held_lease import EndRequest, HeldLease, LeaseLost
from worker.leases import Leases
from worker.loss_tally import LossTally
from worker.outcome import Outcome, StageError, Stopped
from worker.progress import Row, format_line
from worker.sdk.endpoints import Endpoint
from worker.sdk.futures import PendingAnswer
from worker.sdk.hooks import Signal
from worker.sdk.rate_limiter import RateLimiter, make_unlimited_limiter

T = TypeVar("T")
PAUSE = 0.5  # seconds between two attempts to reach Redis


class EventReporter(Protocol):
    """Reports progress to Flower, so that it shows what the store says."""

    def show_progress(self, text: str) -> None:
        """Show one line about where the attempt is."""

    def report_continued(self, label: str) -> "AbstractContextManager[ReportEnd]":
        """Report a stage that came without a message, because this worker continued on its live client."""


ReportEnd = Callable[[Outcome], None]  # receives the outcome


@dataclass
class WorkerContext:
    """What all attempts of this worker share."""

    store: Store
    artefacts: Artefacts
    leases: Leases
    examples: Examples
    endpoint: Callable[[str], Endpoint]
    rate_limiter: Callable[[str], RateLimiter] = make_unlimited_limiter
    sandbox: SandboxLimits = field(default_factory=SandboxLimits)
    environments: Path | None = None  # an additional folder of environment modules, searched last
    chance: random.Random = field(default_factory=random.Random)

    @cached_property
    def fleet(self) -> str:
        """The name with which this installation tags its sessions at the service."""
        return self.store.read_fleet_name()


class Spending:
    """What one attempt has used and may use: exact tokens, and dollars at the stage's rates, rounded up in total."""

    def __init__(self, rates: Rates, reserved: int) -> None:
        self.rates = rates
        self.usage = Usage()
        self._reserved = reserved

    def add(self, usage: Usage) -> None:
        self.usage = self.usage.plus(usage)

    def add_forward(self, tokens: int) -> None:
        """Add a forward pass over this many tokens."""
        self.add(self.rates.passed(tokens))

    def covers(self, more: Usage) -> bool:
        """Does the reservation cover this usage as well?"""
        return self.rates.price(self.usage.plus(more)) <= self._reserved

    def raise_limit(self, needed: int) -> None:
        """Allow `needed` more micro-dollars: they are reserved now."""
        self._reserved = max(self._reserved, self.meter.micro_usd + needed)

    @property
    def meter(self) -> Meter:
        return Meter(self.usage.tokens, self.rates.price(self.usage))


def make_stopped(asked: EndRequest, cost: Cost = "exact") -> Stopped:
    """Return the outcome of an attempt that was asked to end."""
    return Stopped(cancelled=asked is EndRequest.CANCEL, cause=str(asked), cost=cost)


@dataclass(frozen=True)
class Attempt:
    """One execution of a stage under one lease."""

    context: WorkerContext
    held: HeldLease
    work: Assignment
    spending: Spending
    reporter: EventReporter
    opening: Opening
    losses: LossTally = field(default_factory=LossTally)

    @property
    def recipe(self) -> Mapping[str, Json]:
        return self.work.recipe

    @property
    def lease(self) -> Lease:
        return self.held.lease

    @property
    def code_folder(self) -> Path | None:
        """The folder of the user's code: the one where it was planned if this machine has it, else the worker's own.

        Other code than was planned is refused, wherever it is. A folder in which others may write is not used: its name
        comes from Redis.
        """
        planned = self.work.execution.get("code_folder")
        folder = Path(str(planned)) if planned else None
        return folder if folder and is_trusted_folder(folder) else self.context.environments

    def check(self) -> None:
        """Raise LeaseLost, TimeIsUp, TurnedAway or Stalled if nothing more may be started."""
        self.held.check()

    def refuse_changed_recipe(self) -> None:
        """Raise StageError for a recipe that was changed in Redis: a stage's id is the fingerprint of its own."""
        made = f"{self.work.kind}-{fingerprint(self.recipe)}"
        if made != self.work.stage:
            raise StageError(
                f"its recipe was changed in Redis: expected {self.work.stage}, got {made}; submit it again"
            )

    def wait(self, pending: PendingAnswer[T]) -> T:
        """Return the service's answer. Raises ServiceError, and what `check` raises."""
        answer = pending.wait(self.check)
        self.held.note_answer()
        return answer

    def note_signal(self, signal: Signal, reason: str) -> None:  # noqa: ARG002 - the protocol has a reason
        """Record a signal of the service; a pause that it announces is not a stall. Runs on the SDK's thread."""
        self.held.client_status.note_signal(signal)
        if signal in (Signal.RATE_LIMITED, Signal.NO_CAPACITY):
            self.held.note_pause()

    def permit(self, tokens: int) -> None:
        """Wait until the fleet may send one more request with this many tokens. Raises what `check` raises."""
        self.context.rate_limiter(str(self.recipe["model"])).take(requests=1, tokens=tokens, check=self.check_own_wait)

    def check_own_wait(self) -> None:
        """Do `check` while we wait for our own limit, which is neither a stall nor an outage."""
        self.held.note_own_wait()
        self.check()

    def stop_if_asked(self) -> Stopped | None:
        """Return the outcome if the attempt was asked to end."""
        asked = self.held.end_request
        return make_stopped(asked) if asked else None

    def stop_before_start(self, whole: Usage) -> Stopped | None:
        """Return the outcome if an evaluation may not begin; `whole` is all that it will use.

        Once begun it is finished, because it is short. Raises what `check` and `stop_if_unaffordable` raise.
        """
        self.check()
        return self.stop_if_asked() or self.stop_if_unaffordable(whole)

    def stop_if_unaffordable(self, more: Usage) -> Stopped | None:
        """Return the outcome if nothing can pay for this usage; None if it is reserved.

        Nothing is requested before it is reserved. If the estimate was too small, this reserves more from the
        budget. Raises LeaseLost, and what `check` raises.
        """
        if self.spending.covers(more):
            return None
        needed = self.spending.rates.price(more)
        answer = self._reserve(needed)
        if answer == "lost":
            raise LeaseLost(self.work.stage)
        if answer != "held":
            return Stopped(cancelled=False, cause=f"{answer}: cannot reserve ${needed / MICRO:.4f} for the next step")
        self.spending.raise_limit(needed)
        return None

    def _reserve(self, needed: int) -> str:
        """Ask the store to reserve more; while Redis is away, ask again until the lease is nearly over."""
        while True:
            try:
                return self.context.store.reserve_more(self.lease, self.spending.meter, needed)
            except Away:
                self.check()
                time.sleep(PAUSE)

    def report(self, progress: Mapping[str, Json], curve: Sequence[Row] = ()) -> None:
        """Book the usage so far and show the progress. Redis may fail for a moment; the lease decides."""
        self.reporter.show_progress(format_line(progress))
        if lost := self.losses.document():
            progress = {**progress, "lost": lost}
        with suppress(*Away):
            if not self.context.store.report_progress(self.lease, self.spending.meter, progress, curve):
                raise LeaseLost(self.work.stage)

    def log_event(self, text: str) -> None:
        """Write a line about the attempt to the event log."""
        with suppress(*Away):
            self.context.store.log_event(self.lease, text)

    def write_artefact(self, name: str, content: bytes) -> str:
        """Write an artefact of this attempt; its path contains the fencing number and its digest."""
        path = locate_attempt_file(self.context.fleet, self.work.stage, self.lease.fence, name, content)
        return self.context.artefacts.write(path, content)


def load_attempt(
    context: WorkerContext, held: HeldLease, reporter: EventReporter, opening: Opening | None = None
) -> Attempt:
    """Read what the attempt has to do; while Redis is away, ask again until the lease is nearly over.

    Raises LeaseLost if another Redis has taken over in the meantime and does not know of the claim.
    """
    while True:
        try:
            work = context.store.read_assignment(held.lease.stage)
            break
        except Away:
            if held.over:
                raise
            time.sleep(PAUSE)
    if work.fence != held.lease.fence:
        raise LeaseLost(held.lease.stage)
    opening = opening or Opening(f"{work.stage}|{work.attempt}", Usage())
    return Attempt(context, held, work, Spending(work.rates, work.reserved), reporter, opening)
