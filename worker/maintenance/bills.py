"""Read the service's bills, and reconcile attempts of unknown cost.

It also records what sweeps are billed, and learns how `forward` is billed. It reads usage at the
service and writes costs and facts to the store.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from scheduler.engine.retry import Fault
from scheduler.services import SERVICES, find_service
from scheduler.state import keys
from scheduler.state.reconciliation import UnreconciledAttempt
from scheduler.state.service_facts import PendingBill, read_facts, record_facts
from worker.maintenance import reconcile
from worker.maintenance.bill_main import read_bills
from worker.maintenance.probes import find_billed_kind
from worker.maintenance.service_actions import REFUSED, Round, ServiceActions
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient, SessionUsage

T = TypeVar("T")

BILLS = 3600.0  # seconds between two looks at what a service bills
SOONEST = 60.0  # seconds between two looks because a sweep has ended: each look starts a process

log = logging.getLogger(__name__)


class BillReader:
    """Reads bills for housekeeping. `lag` is after how many seconds the live service's bills are complete."""

    def __init__(self, actions: ServiceActions, *, lag: float) -> None:
        self._actions = actions
        self._lag = lag
        self._pending_due: dict[str, float] = {}  # service -> when to look for a probe's bill again (monotonic)
        self._bills_read: defaultdict[str, float] = defaultdict(partial(float, time.monotonic()))  # service -> when
        self._asked_for: dict[str, set[tuple[str, int | None]]] = {}  # service -> ended sweeps that it was read for

    def reconcile(self, this: Round, most: int) -> int:
        """Book what the service counted for ended attempts, with one read for all attempts of a model."""
        by_model: dict[str, list[UnreconciledAttempt]] = {}
        for attempt in self._actions.reconciliation.read_unreconciled(most):
            if attempt.over is not None:
                by_model.setdefault(attempt.model, []).append(attempt)
        return sum(
            self._actions.run(
                this, keys.UNRECONCILED, model, [attempt.name for attempt in attempts], partial(self._settle, attempts)
            )
            for model, attempts in by_model.items()
        )

    def _settle(self, attempts: Sequence[UnreconciledAttempt], account: AccountClient) -> int:
        now = datetime.now(UTC)
        windows = reconcile.plan_windows(attempts, now)
        usage = self._ask_for_usage(find_service(attempts[0].model), lambda: read_all_usage(account, windows))
        if usage is None:
            return sum(self._leave_open(attempt, now) for attempt in attempts)
        book, fleet = self._actions.reconciliation.reconcile, self._actions.context.fleet
        return sum(book(attempt, reconcile.sum_usage(attempt, usage, fleet)) for attempt in attempts)

    def _leave_open(self, attempt: UnreconciledAttempt, now: datetime) -> bool:
        """Look again later; after two weeks give up, and the reserved amount stays booked."""
        if attempt.over is not None and now - attempt.over > reconcile.LONGEST_WINDOW:
            return self._actions.reconciliation.abandon(attempt)
        self._actions.postpone(attempt, REFUSED)
        return False

    def _ask_for_usage(self, service: str, read: Callable[[], T]) -> T | None:
        """Read what the service counted; None if it does not say, or the key may not read it."""
        try:
            return self._actions.capabilities.ask(service, "usage", read, None)
        except ServiceError as error:
            if not _is_forbidden(error):
                raise
            self._actions.note("this API key may not read usage; unreconciled costs stay booked as reserved")
            return None

    def record_bills(self, this: Round) -> None:
        """Record what each service bills for the sweeps of the last days: every hour, and soon after one has ended.

        Nothing waits for it. A sweep that has ended asks for one read, also if that fails; then the next one counts it.
        """
        recent = self._actions.reconciliation.read_recent_sweeps(datetime.now(UTC) - reconcile.LONGEST_WINDOW)
        models = {find_service(model): model for sweep in recent.values() for model in sweep.models}
        for service, model in models.items():
            sweeps = [name for name, sweep in recent.items() if service in map(find_service, sweep.models)]
            uncounted = {(name, recent[name].ended) for name in sweeps if recent[name].is_uncounted(service)}
            has_ended = not uncounted <= self._asked_for.get(service, set())
            if time.monotonic() - self._bills_read[service] < (SOONEST if has_ended else BILLS):
                continue
            self._asked_for[service], self._bills_read[service] = uncounted, time.monotonic()
            self._actions.run(this, "", model, [], partial(self._record_bills_of, service, sweeps))

    def _record_bills_of(self, service: str, sweeps: Sequence[str], account: AccountClient) -> int:
        since, fleet = datetime.now(UTC) - reconcile.LONGEST_WINDOW, self._actions.context.fleet
        bills = self._ask_for_usage(service, lambda: read_bills(account.endpoint, fleet, since))
        if bills is None:
            return 0
        for sweep in sweeps:
            bill = bills.get(sweep, reconcile.Bill())
            self._actions.reconciliation.record_billed(sweep, service, bill.tokens, bill.micro_usd)
        return len(bills)

    def learn_forward_kind(self, this: Round) -> None:
        """Read the bill of an earlier probe, once it can be complete, to learn how `forward` is billed."""
        for service in SERVICES:
            pending = read_facts(self._actions.context.store, service).pending
            if pending is None or time.monotonic() < self._pending_due.get(service, 0):
                continue
            age = (datetime.now(UTC) - pending.since).total_seconds()
            if service == "offline" or age > self._lag:
                self._pending_due[service] = time.monotonic() + REFUSED
                self._actions.run(this, keys.UNRECONCILED, pending.model, [], partial(self._learn, service, pending))

    def _learn(self, service: str, pending: PendingBill, account: AccountClient) -> int:
        store = self._actions.context.store
        try:
            kind = find_billed_kind(account, pending)
        except ServiceError as error:
            if not _is_forbidden(error):
                raise
            self._actions.note("this API key may not read usage; how `forward` is billed stays unknown")
            record_facts(store, service, {"pending": ""}, bill=pending)
            return 0
        if kind is not None:
            record_facts(store, service, {"forward": kind, "pending": ""}, bill=pending)
            log.info("housekeeping: %s bills `forward` as %s", service, kind)
        return 0


def read_all_usage(account: AccountClient, windows: Iterable[tuple[datetime, datetime]]) -> list[SessionUsage]:
    """Read the tokens of every session in these windows of time. Raises ServiceError."""
    return [usage for start, end in windows for usage in account.read_usage(start, end)]


def _is_forbidden(error: ServiceError) -> bool:
    return error.missing or error.fault is Fault.ACCOUNT
