"""Find out which calls a service lacks, and remember it for the whole fleet for some hours.

Reads and writes the facts about the service in the store, and asks the questions that it is given.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from scheduler.state.service_facts import Lack, read_facts, record_lack
from scheduler.state.store import Store
from worker.sdk.failures import ServiceError

T = TypeVar("T")

LOOK_AGAIN = 60.0  # seconds between two reads of what the store knows

log = logging.getLogger(__name__)


class ServiceCapabilities:
    """Asks a service only for calls that it is not known to lack."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[float, frozenset[str]]] = {}  # service -> valid until, calls it lacks
        self._there: set[tuple[str, str]] = set()  # (service, call) pairs recorded as answering

    def has(self, service: str, call: str) -> bool:
        """Is this call available, as far as the store knows? A lack that is hours old is tested again."""
        until, lacking = self._known.get(service, (0.0, frozenset()))
        if time.monotonic() > until:
            lacking = read_facts(self._store, service).list_lacking(datetime.now(UTC))
            self._known[service] = time.monotonic() + LOOK_AGAIN, lacking
        return call not in lacking

    def ask(self, service: str, call: str, question: Callable[[], T], otherwise: T) -> T:
        """Return the answer of a call, or `otherwise` if the service lacks it. Raises what the question raises."""
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
        """Record that the call answers; once per process is enough."""
        if (service, call) in self._there:
            return
        self._there.add((service, call))
        record_lack(self._store, service, call, None)

    def _note(self, service: str, call: str, status: int | None) -> None:
        self._there.discard((service, call))
        record_lack(self._store, service, call, status)
        self._known.pop(service, None)
        log.warning("housekeeping: %s", Lack(call, status, datetime.now(UTC)).describe(service))
