"""Which calls a service does not have: found out by asking, remembered for the whole fleet, asked anew after hours."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from scheduler.state.service_facts import Lack, read_facts, record_lack
from scheduler.state.store import Store
from worker.sdk.failures import ServiceError

T = TypeVar("T")

LOOK_AGAIN = 60.0  # seconds for which what the store knows is taken for granted

log = logging.getLogger(__name__)


class ServiceCapabilities:
    """Asks what a service may lack, and goes by what it has answered before."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[float, frozenset[str]]] = {}  # service -> until when, and what it lacks
        self._there: set[tuple[str, str]] = set()  # service and call that answered, and are known to

    def has(self, service: str, call: str) -> bool:
        """As far as anybody knows; what was lacking hours ago is asked for again."""
        until, lacking = self._known.get(service, (0.0, frozenset()))
        if time.monotonic() > until:
            lacking = read_facts(self._store, service).lacking(datetime.now(UTC))
            self._known[service] = time.monotonic() + LOOK_AGAIN, lacking
        return call not in lacking

    def ask(self, service: str, call: str, question: Callable[[], T], otherwise: T) -> T:
        """What a call answers; `otherwise` where the service has none. Raises what the question raises else."""
        if not self.has(service, call):
            return otherwise
        try:
            answer = question()
        except ServiceError as error:
            if not error.lacking:
                raise
            self._note(service, call, error.status)
            return otherwise
        self._forget(service, call)
        return answer

    def _forget(self, service: str, call: str) -> None:
        """It has come, if it was lacking: once in a process is enough to look."""
        if (service, call) in self._there:
            return
        self._there.add((service, call))
        record_lack(self._store, service, call, None)

    def _note(self, service: str, call: str, status: int | None) -> None:
        self._there.discard((service, call))
        record_lack(self._store, service, call, status)
        self._known.pop(service, None)
        log.warning("housekeeping: %s", Lack(call, status, datetime.now(UTC)).said(service))
