"""Keep track of what the service tells one attempt's client: active, queued, paused or failing.

Touches nothing outside; the SDK's thread and the attempt's thread write it, the lease thread reads
it.
"""

import threading
import time
from collections.abc import Callable
from enum import StrEnum

from worker.sdk.hooks import Signal


class ClientState(StrEnum):
    """What the service currently does with a client."""

    OPENING = "opening"
    """The client is being created."""
    ACTIVE = "active"
    """The client works."""
    QUEUED = "queued"
    """The client waits for another one to end: the service allows no more at a time."""
    LIMITED = "limited"
    """The client exists and is paused: the account has too many at once."""
    STARVED = "starved"
    """The client exists and is paused: the service is short of capacity."""


LASTING = 5.0  # seconds of errors without an answer before they count; a single error means nothing


class ClientStatus:
    """Written by the SDK's thread and the attempt's; read by the thread that renews leases."""

    def __init__(self, changed: Callable[[], None] = lambda: None, *, opened: bool = False) -> None:
        """`changed` is called on each change, from any thread, and must not block."""
        self._changed = changed
        self._lock = threading.Lock()
        self._opened = opened
        self._state = ClientState.ACTIVE if opened else ClientState.OPENING
        self._since = time.monotonic()
        self._trouble: float | None = None

    @property
    def now(self) -> tuple[ClientState, float]:
        """The state, and for how many seconds it has lasted."""
        with self._lock:
            return self._state, time.monotonic() - self._since

    @property
    def troubled(self) -> bool:
        """Do errors of the service keep the attempt from making progress?"""
        with self._lock:
            return self._trouble is not None and time.monotonic() - self._trouble > LASTING

    def note_answer(self) -> None:
        """Record an answer of the service: the client is active."""
        with self._lock:
            self._opened, self._trouble = True, None
        self._set_state(ClientState.ACTIVE)

    def note_signal(self, signal: Signal) -> None:
        """Record a signal that the SDK heard while waiting."""
        match signal:
            case Signal.ACTIVE:
                self._record_contact(ClientState.ACTIVE if self._opened else ClientState.OPENING)
            case Signal.RATE_LIMITED:
                self._record_contact(ClientState.LIMITED if self._opened else ClientState.QUEUED)
            case Signal.NO_CAPACITY:
                self._record_contact(ClientState.STARVED)
            case Signal.TROUBLE:
                with self._lock:
                    self._trouble = self._trouble or time.monotonic()
                if self.troubled:  # an older pause must not hide an outage
                    self._set_state(ClientState.ACTIVE if self._opened else ClientState.OPENING)

    def _record_contact(self, state: ClientState) -> None:
        """Record a state that the service reported: it is reachable."""
        with self._lock:
            self._trouble = None
        self._set_state(state)

    def _set_state(self, state: ClientState) -> None:
        with self._lock:
            if state is self._state:
                return
            self._state, self._since = state, time.monotonic()
        self._changed()
