"""Run housekeeping's actions at a service: with a deadline, once per entry, and postponed if they fail.

Calls the service through AccountClient and postpones entries in the store; nothing else.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from scheduler.engine.retry import Fault
from scheduler.state import keys
from scheduler.state.reconciliation import Reconciliation, UnreconciledAttempt
from worker.attempt import WorkerContext
from worker.sdk.capabilities import ServiceCapabilities
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.rest import AccountClient

REFUSED = 3600.0  # seconds before what the service refused is tried again
NOTED_AGAIN = 3600.0  # seconds before the same warning is logged again
REFUSALS = (Fault.ACCOUNT, Fault.STAGE, Fault.MALFORMED, Fault.GONE)  # not a page of a proxy, which passes

log = logging.getLogger(__name__)


class HousekeepingEntry(Protocol):
    """Something to do at the service that has the model."""

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...


E = TypeVar("E", bound=HousekeepingEntry)
Action = Callable[[AccountClient], int]
"""Does something at the service and returns how many things it did. Raises ServiceError."""


@dataclass
class Round:
    """The limits of one round: when it ends, and which services failed and are left alone until the next one."""

    until: float
    away: set[Endpoint] = field(default_factory=set)

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until


class ServiceActions:
    """Runs actions at the services, and postpones the entries that could not be done."""

    def __init__(self, context: WorkerContext, *, period: float, deadline: float, done: threading.Event) -> None:
        """`done` ends everything: no action starts once it is set."""
        self.context = context
        self.reconciliation = Reconciliation(context.store)
        self.capabilities = ServiceCapabilities(context.store)
        self._period = period
        self._deadline = deadline
        self._done = done
        self._accounts: dict[Endpoint, AccountClient] = {}
        self._noted: dict[str, float] = {}

    def start_round(self) -> Round:
        """Begin a round that ends within a period and a deadline."""
        return Round(time.monotonic() + self._period + self._deadline)

    def run_each(self, this: Round, key: str, entries: Sequence[E], do: Callable[[AccountClient, E], int]) -> int:
        """Run an action for each entry; return the sum of what they did."""
        return sum(self.run(this, key, entry.model, [entry.name], partial(_act, do, entry)) for entry in entries)

    def run(self, this: Round, key: str, model: str, names: Sequence[str], do: Action) -> int:
        """Run one action. If it fails, postpone the entries `names` of `key`, so that the others get their turn."""
        if this.over or self._done.is_set():
            return 0
        wait = self._period
        try:
            endpoint = self.context.endpoint(model)
            if endpoint not in this.away:
                return self._run_at(this, endpoint, do)
        except ServiceError as error:
            if error.missing or error.fault in REFUSALS:
                wait = REFUSED  # the service answered, and would answer the same in the next round
            self.note(f"for {model}: {error}")
        for name in names:
            self.reconciliation.postpone(key, name, wait)
        return 0

    def postpone(self, attempt: UnreconciledAttempt, seconds: float | None = None) -> None:
        """Look at an unreconciled attempt again after this many seconds, or in the next round."""
        self.reconciliation.postpone(keys.UNRECONCILED, attempt.name, self._period if seconds is None else seconds)

    def note(self, text: str) -> None:
        """Log a warning once an hour: it may be the same in every round."""
        now = time.monotonic()
        self._noted = {noted: at for noted, at in self._noted.items() if now - at < NOTED_AGAIN}
        if text not in self._noted:
            self._noted[text] = now
            log.warning("housekeeping: %s", text)

    def open_account(self, endpoint: Endpoint) -> AccountClient:
        return self._accounts.setdefault(endpoint, AccountClient(endpoint, deadline=self._deadline))

    def _run_at(self, this: Round, endpoint: Endpoint, do: Action) -> int:
        account = self.open_account(endpoint)
        try:
            return do(account)
        except ServiceError as error:
            if error.fault is Fault.OUTAGE:
                this.away.add(endpoint)
            raise


def _act(do: Callable[[AccountClient, E], int], entry: E, account: AccountClient) -> int:
    return do(account, entry)
