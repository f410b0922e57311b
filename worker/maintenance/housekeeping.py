"""Clean up at the service: end sessions of dead attempts, reconcile their cost, extend and delete checkpoints.

One thread per worker; one worker of the fleet at a time has the duty. It calls the service through AccountClient and
writes to the store. What fails is postponed and tried again, and attempts never wait for it. Two workers that do it at
the same time do no harm; what is left undone costs storage or leaves money reserved, and loses nothing.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.services import find_service
from scheduler.state import keys
from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from scheduler.state.reconciliation import DiscardedCheckpoint, NeededCheckpoints
from scheduler.state.service_facts import ASKED_AGAIN_AFTER
from sweeps.cost import Rates
from worker.attempt import WorkerContext
from worker.maintenance.bills import BillReader
from worker.maintenance.lost_writes import LostWrites
from worker.maintenance.service_actions import ServiceActions
from worker.maintenance.session_upkeep import SessionCloser
from worker.sdk.rest import DEADLINE, AccountClient
from worker.vital_thread import make_vital_thread

LOOK = 1.0  # seconds between two looks whether the books are closed: nothing starts meanwhile
MOST = 100  # entries of each kind in one round
DUTIES = 3  # rounds for which the duty is held, so that the death of its holder delays little
LACKING = ASKED_AGAIN_AFTER.total_seconds()  # before what needs a call that the service lacks is tried again

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HousekeepingSummary:
    """What a round has done."""

    finished: int = 0  # sessions
    deleted: int = 0  # checkpoints
    extended: int = 0  # stages whose checkpoints live longer
    reconciled: int = 0  # attempts

    def __str__(self) -> str:
        return (
            f"finished {self.finished} sessions, deleted {self.deleted} checkpoints, "
            f"extended those of {self.extended} stages, reconciled {self.reconciled} attempts"
        )


class Housekeeping:
    """Runs a round every `period` seconds. `lag` is after how many seconds the live service's bills are complete."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        period: float,
        lag: float,
        deadline: float = DEADLINE,
        rates: Callable[[str], Rates] = lambda _: Rates(),
    ) -> None:
        """`rates` are the prices of a model."""
        self._context = context
        self._period = period
        self._deadline = deadline
        self._done = threading.Event()
        self._actions = ServiceActions(context, period=period, deadline=deadline, done=self._done)
        self._sessions = SessionCloser(self._actions, lag=lag)
        self._bills = BillReader(self._actions, lag=lag)
        self._thread = make_vital_thread("housekeeping", self._keep)
        self._lost_writes = LostWrites(self._actions, lag=lag, rates=rates)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more; leave behind what is under way."""
        self._done.set()

    def round(self) -> HousekeepingSummary:
        """Do everything that is due, once. Sessions come first: their usage is final only when they are over."""
        this, reconciliation = self._actions.start_round(), self._actions.reconciliation
        finished = self._sessions.close(this, MOST)
        reconciled = self._bills.reconcile(this, MOST)
        self._lost_writes.book_lost_sessions()
        self._bills.learn_forward_kind(this)
        self._bills.record_bills(this)
        extended = self._actions.run_each(this, keys.EXPIRING, reconciliation.read_needed(MOST), self._extend)
        deleted = self._actions.run_each(this, keys.DISCARDED, reconciliation.read_discarded(MOST), self._delete)
        return HousekeepingSummary(finished, deleted, extended, reconciled)

    def _keep(self) -> None:
        duty = DUTIES * self._period + self._deadline
        due = time.monotonic() + self._period
        while not self._done.wait(max(0.0, min(LOOK, due - time.monotonic()))):
            self._guard(self._lost_writes.compare_if_closed)
            if time.monotonic() >= due:
                self._guard(lambda: self._run_if_on_duty(duty))
                due = time.monotonic() + self._period
        self._guard(lambda: self._take_duty(0))  # if there is time left; otherwise the duty expires

    def _take_duty(self, seconds: float) -> bool:
        return self._actions.reconciliation.take_duty(self._context.leases.worker, seconds)

    def _run_if_on_duty(self, duty: float) -> None:
        if not self._take_duty(0 if self._context.leases.draining else duty):
            return
        summary = self.round()
        if summary != HousekeepingSummary():
            log.info("housekeeping: %s", summary)

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Away as error:
            log.warning("housekeeping waits for Redis: %s", error)
        except Exception as error:  # noqa: BLE001 - attempts do not depend on it
            record_bug(self._context.store, error, f"housekeeping of {self._context.leases.worker}", affected=NOBODY)

    def _extend(self, account: AccountClient, needed: NeededCheckpoints) -> int:
        def extend() -> int:
            for path in needed.paths:
                account.extend(path, needed.seconds)
            return 1

        extended = self._actions.capabilities.ask(find_service(needed.model), "ttl", extend, 0)
        wait = needed.seconds / 2 if extended else LACKING
        self._actions.reconciliation.postpone(keys.EXPIRING, needed.name, wait)
        return extended

    def _delete(self, account: AccountClient, checkpoint: DiscardedCheckpoint) -> int:
        reconciliation = self._actions.reconciliation
        if not reconciliation.is_discarded(checkpoint):
            return 0

        def delete() -> int:
            account.delete(checkpoint.path)
            return 1

        deleted = self._actions.capabilities.ask(find_service(checkpoint.model), "delete", delete, 0)
        if deleted:
            reconciliation.forget_discarded(checkpoint)
        else:
            reconciliation.postpone(keys.DISCARDED, checkpoint.name, LACKING)
        return deleted
