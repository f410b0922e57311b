"""Housekeeping at the service: what attempts that ended left there is ended, deleted, kept alive and counted.

A thread in each worker, of which one in the fleet is on duty. Whatever fails is put off and tried again: attempts
never wait for it, and two that do it at the same time do no harm. What is left undone costs storage, or leaves money
booked that was not spent; it never loses anything.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar

from scheduler.engine.retry import Fault
from scheduler.services import SERVICES, service_of
from scheduler.state import keys
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from scheduler.state.reconciliation import DiscardedCheckpoint, NeededCheckpoints, Reconciliation, UnreconciledAttempt
from scheduler.state.service_facts import ASKED_ANEW, PendingBill, read_facts, record_facts
from worker.attempt import WorkerContext
from worker.maintenance import reconcile
from worker.maintenance.probes import find_billed_kind
from worker.sdk.capabilities import ServiceCapabilities
from worker.sdk.failures import ServiceError
from worker.sdk.rest import DEADLINE, AccountClient, SessionUsage
from worker.sdk.session import Endpoint

MOST = 100  # entries of each kind in one round
DUTIES = 3  # rounds for which the duty is held: whoever holds it and dies is missed no longer
BILLS = 3600.0  # seconds between two looks at what the live service bills
REFUSED = 3600.0  # seconds before what the service refused is tried again
UNFINISHED = 3600.0  # seconds after which a session that nobody can find has ended by itself
LACKING = ASKED_ANEW.total_seconds()  # before what needs a call that the service lacks is looked at again

NOT_OURS = "the service does not let us finish sessions of workers that died; they end by themselves"

log = logging.getLogger(__name__)


class HousekeepingEntry(Protocol):
    """Something to do at the service that has the model."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...


E = TypeVar("E", bound=HousekeepingEntry)


@dataclass(frozen=True)
class HousekeepingSummary:
    """What a round has done."""

    reaped: int = 0  # sessions finished
    deleted: int = 0  # checkpoints
    extended: int = 0  # stages whose checkpoints live longer
    resolved: int = 0  # attempts

    def __str__(self) -> str:
        return (
            f"{self.reaped} sessions finished, {self.deleted} checkpoints deleted, "
            f"{self.extended} stages' kept alive, {self.resolved} attempts reckoned"
        )


@dataclass
class Round:
    """The bounds of one round: a service that fails is left alone until the next, and it ends in time."""

    until: float
    away: set[Endpoint] = field(default_factory=set)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until


class Housekeeping:
    """Keeps house every `period` seconds. `lag` is after how many the bills of the live service are complete."""

    def __init__(self, context: WorkerContext, *, period: float, lag: float, deadline: float = DEADLINE) -> None:
        self._context = context
        self._reconciliation = Reconciliation(context.store)
        self._period = period
        self._lag = lag
        self._deadline = deadline
        self._accounts: dict[Endpoint, AccountClient] = {}
        self._offered = ServiceCapabilities(context.store)
        self._asked: set[str] = set()  # sessions that we asked to end
        self._finished: set[str] = set()  # those that did
        self._bills_due: dict[str, float] = {}  # service -> when to look for the bill of an inquiry again
        self._noted: set[str] = set()
        self._bill_at: dict[str, float] = {}  # service -> when to look at its bills again (monotonic)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; what is under way is left behind."""
        self._done.set()

    def _keep(self) -> None:
        duty = DUTIES * self._period + self._deadline
        while not self._done.wait(self._period):
            self._guarded(lambda: self._turn(duty))
        self._guarded(lambda: self._reconciliation.take_duty(self._who, 0))  # if there is time left: it expires

    @property
    def _who(self) -> str:
        return self._context.leases.worker

    def _turn(self, duty: float) -> None:
        if not self._reconciliation.take_duty(self._who, duty):
            return
        kept = self.round()
        if kept != HousekeepingSummary():
            log.info("housekeeping: %s", kept)

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Away as error:
            log.warning("housekeeping waits for Redis: %s", error)
        except Exception as error:  # noqa: BLE001 - whatever it is, attempts do not depend on it
            record_bug(self._context.store, error, f"housekeeping of {self._who}", of=NOBODY)

    def round(self) -> HousekeepingSummary:
        """Everything that is due, once: sessions first, for what they count is final only when they are over."""
        this = Round(time.monotonic() + self._period + self._deadline)
        reaped = self._reap(this)
        resolved = self._reckon(this)
        self._learn_from_bills(this)
        self._bill(this)
        extended = self._each(this, keys.EXPIRING, self._reconciliation.read_needed(MOST), self._extend)
        deleted = self._each(this, keys.DISCARDED, self._reconciliation.read_discarded(MOST), self._delete)
        return HousekeepingSummary(reaped, deleted, extended, resolved)

    def _reap(self, this: Round) -> int:
        attempts = [attempt for attempt in self._reconciliation.read_unreconciled(MOST) if attempt.over is None]
        return self._each(this, keys.UNRECONCILED, attempts, self._see_to_its_end)

    def _see_to_its_end(self, account: AccountClient, attempt: UnreconciledAttempt) -> int:
        """Finish the sessions of an attempt that has ended; once they are over, note what they left."""
        if attempt.in_use:
            self._put_off(attempt)
            return 0
        service, metadata = service_of(attempt.model), reconcile.build_metadata(self._context.fleet, attempt.opener)
        found = self._offered.ask(service, "search", lambda: account.find_sessions(metadata), None)
        lag = 0.0 if service == "offline" else self._lag
        if found is None:  # what it counted is found by the metadata, once nothing more can come
            self._reconciliation.record_session_end(attempt, began=None, lag=lag + UNFINISHED, sessions=(), paths=())
            return 0
        open_yet = reconcile.select_unfinished(found, self._asked) if self._may_finish(attempt.model) else []
        finished = [session for session in open_yet if self._finish(account, service, session)]
        if finished or not reconcile.are_over(found, self._finished):
            self._put_off(attempt)  # what was under way when it was finished may still be ending
            return len(finished)
        sessions = [session.id for session in found]
        nothing: list[str] = []
        paths = self._offered.ask(service, "checkpoints", lambda: _list_checkpoints(account, sessions), nothing)
        self._reconciliation.record_session_end(
            attempt, began=reconcile.find_start(found), lag=lag, sessions=sessions, paths=paths
        )
        return 0

    def _finish(self, account: AccountClient, service: str, session: str) -> bool:
        allowed = self._offered.ask(service, "finish", lambda: account.finish(session), False)
        self._asked.add(session)  # not before: one that the service could not be told of is tried again
        if not allowed:
            self._note(NOT_OURS)
            return False
        self._finished.add(session)
        return True

    def _may_finish(self, model: str) -> bool:
        """Where an inquiry has found that it is of no use, it is not tried."""
        allowed = read_facts(self._context.store, service_of(model)).finish is not False
        if not allowed:
            self._note(NOT_OURS)
        return allowed

    def _put_off(self, attempt: UnreconciledAttempt, seconds: float | None = None) -> None:
        self._reconciliation.postpone(keys.UNRECONCILED, attempt.name, self._period if seconds is None else seconds)

    def _reckon(self, this: Round) -> int:
        """Book what the service counted for attempts whose sessions are over, one look at the bills for all."""
        by_model: dict[str, list[UnreconciledAttempt]] = {}
        for attempt in self._reconciliation.read_unreconciled(MOST):
            if attempt.over is not None:
                by_model.setdefault(attempt.model, []).append(attempt)
        return sum(
            self._try(
                this, keys.UNRECONCILED, model, [attempt.name for attempt in attempts], partial(self._settle, attempts)
            )
            for model, attempts in by_model.items()
        )

    def _settle(self, attempts: Sequence[UnreconciledAttempt], account: AccountClient) -> int:
        now = datetime.now(UTC)
        used = self._used(account, service_of(attempts[0].model), reconcile.plan_windows(attempts, now))
        if used is None:
            return sum(self._leave_open(attempt, now) for attempt in attempts)
        fleet = self._context.fleet
        return sum(
            self._reconciliation.reconcile(attempt, reconcile.sum_usage(attempt, used, fleet)) for attempt in attempts
        )

    def _leave_open(self, attempt: UnreconciledAttempt, now: datetime) -> bool:
        """What an attempt cost cannot be learnt now, and after weeks will not be: what was feared stays booked."""
        if attempt.over is not None and now - attempt.over > reconcile.LONGEST_WINDOW:
            return self._reconciliation.abandon(attempt)
        self._put_off(attempt, REFUSED)
        return False

    def _used(
        self, account: AccountClient, service: str, spans: Iterable[tuple[datetime, datetime]]
    ) -> list[SessionUsage] | None:
        """What the service counted; None where it does not say, or the key may not read it."""

        def used() -> list[SessionUsage]:
            return [each for start, end in spans for each in account.read_usage(start, end)]

        try:
            return self._offered.ask(service, "usage", used, None)
        except ServiceError as error:
            if not error.missing and error.fault is not Fault.ACCOUNT:
                raise
            self._note("this key may not read what the service counted: its unreconciled costs stay booked as reserved")
            return None

    def _bill(self, this: Round) -> None:
        """Note what each service bills for the sweeps of the last days. Nothing waits for it, so it is asked rarely."""
        recent = self._reconciliation.read_recent_sweeps(datetime.now(UTC) - reconcile.LONGEST_WINDOW)
        models = {service_of(model): model for models in recent.values() for model in models}
        for service, model in models.items():
            if time.monotonic() < self._bill_at.get(service, 0.0):
                continue
            self._bill_at[service] = time.monotonic() + (0.0 if service == "offline" else BILLS)
            names = [name for name, models in recent.items() if service in map(service_of, models)]
            self._try(this, "", model, [], partial(self._note_bills, service, names))

    def _note_bills(self, service: str, sweeps: Sequence[str], account: AccountClient) -> int:
        now = datetime.now(UTC)
        used = self._used(account, service, reconcile.split_into_windows(now - reconcile.LONGEST_WINDOW, now))
        bills = {} if used is None else reconcile.sum_bills(used, self._context.fleet)
        for sweep in sweeps if used is not None else ():
            bill = bills.get(sweep, reconcile.Bill())
            self._reconciliation.record_billed(sweep, service, bill.tokens, bill.micro_usd)
        return len(bills)

    def _learn_from_bills(self, this: Round) -> None:
        """Read the bill that an inquiry left to come, once it can be there."""
        for service in SERVICES:
            pending = read_facts(self._context.store, service).pending
            if pending is None or time.monotonic() < self._bills_due.get(service, 0):
                continue
            age = (datetime.now(UTC) - pending.since).total_seconds()
            if service == "offline" or age > self._lag:
                self._bills_due[service] = time.monotonic() + REFUSED
                self._try(this, keys.UNRECONCILED, pending.model, [], partial(self._read_bill, service, pending))

    def _read_bill(self, service: str, pending: PendingBill, account: AccountClient) -> int:
        try:
            kind = find_billed_kind(account, pending)
        except ServiceError as error:
            if not error.missing and error.fault is not Fault.ACCOUNT:
                raise
            self._note("this key may not read the bills: as what `forward` is billed stays unknown")
            record_facts(self._context.store, service, {"pending": ""}, bill=pending)
            return 0
        if kind is not None:
            record_facts(self._context.store, service, {"forward": kind, "pending": ""}, bill=pending)
            log.info("housekeeping: `forward` is billed as %s at %s", kind, service)
        return 0

    def _extend(self, account: AccountClient, needed: NeededCheckpoints) -> int:
        def extend() -> int:
            for path in needed.paths:
                account.extend(path, needed.seconds)
            return 1

        extended = self._offered.ask(service_of(needed.model), "ttl", extend, 0)
        self._reconciliation.postpone(keys.EXPIRING, needed.name, needed.seconds / 2 if extended else LACKING)
        return extended

    def _delete(self, account: AccountClient, checkpoint: DiscardedCheckpoint) -> int:
        if not self._reconciliation.is_discarded(checkpoint):
            return 0

        def delete() -> int:
            account.delete(checkpoint.path)
            return 1

        deleted = self._offered.ask(service_of(checkpoint.model), "delete", delete, 0)
        if deleted:
            self._reconciliation.forget_discarded(checkpoint)
        else:
            self._reconciliation.postpone(keys.DISCARDED, checkpoint.name, LACKING)
        return deleted

    def _each(self, this: Round, key: str, entries: Sequence[E], do: Callable[[AccountClient, E], int]) -> int:
        """Do it for each, and count."""
        return sum(self._try(this, key, entry.model, [entry.name], partial(_swapped, do, entry)) for entry in entries)

    def _try(self, this: Round, key: str, model: str, names: Sequence[str], do: Callable[[AccountClient], int]) -> int:
        """Do one thing at the service. What it fails to do, or refuses, is put off, so that the rest has its turn."""
        if this.over or self._done.is_set():
            return 0
        wait = self._period
        try:
            endpoint = self._context.endpoint(model)
            if endpoint not in this.away:
                return self._at(this, endpoint, do)
        except ServiceError as error:
            if error.missing or error.fault not in (Fault.OUTAGE, Fault.MACHINE):
                wait = REFUSED  # it was answered, and would be answered so in the next round, too
            log.warning("housekeeping for %s: %s", model, error)
        for name in names:
            self._reconciliation.postpone(key, name, wait)
        return 0

    def _at(self, this: Round, endpoint: Endpoint, do: Callable[[AccountClient], int]) -> int:
        account = self._accounts.setdefault(endpoint, AccountClient(endpoint, deadline=self._deadline))
        try:
            return do(account)
        except ServiceError as error:
            if error.fault is Fault.OUTAGE:
                this.away.add(endpoint)
            raise

    def _note(self, text: str) -> None:
        """What does not change from round to round is said once."""
        if text not in self._noted:
            self._noted.add(text)
            log.warning("housekeeping: %s", text)


def _list_checkpoints(account: AccountClient, sessions: Sequence[str]) -> list[str]:
    return [path for session in sessions for path in account.list_checkpoints(session)]


def _swapped(do: Callable[[AccountClient, E], int], entry: E, account: AccountClient) -> int:
    return do(account, entry)
