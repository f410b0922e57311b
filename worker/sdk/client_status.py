"""What the service tells one attempt's client: the SDK hears it, and keeps it to itself for a quarter of an hour."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum

from worker.sdk.hooks import Signal


class ClientState(StrEnum):
    """How a client stands with the service."""

    OPENING = "opening"
    """It is on its way."""
    ACTIVE = "active"
    """It is there."""
    QUEUED = "queued"
    """It will be there when another one has gone: the service has no room for more at a time."""
    LIMITED = "limited"
    """It is there, and paused: there are too many beside it."""
    STARVED = "starved"
    """The service is short of capacity, and has paused it."""


LASTING = 5.0  # seconds without an answer after which an error of the service counts: a single one means nothing


class ClientStatus:
    """Written by the SDK's thread and the attempt's, read by the one that renews leases."""

    def __init__(self, changed: Callable[[], None] = lambda: None, *, opened: bool = False) -> None:
        """`changed` is called with each change, from any thread, and must not block."""
        self._changed = changed
        self._lock = threading.Lock()
        self._opened = opened
        self._sign = ClientState.ACTIVE if opened else ClientState.OPENING
        self._since = time.monotonic()
        self._trouble: float | None = None

    @property
    def now(self) -> tuple[ClientState, float]:
        """The sign, and for how many seconds it has stood."""
        with self._lock:
            return self._sign, time.monotonic() - self._since

    @property
    def troubled(self) -> bool:
        """Is it an error of the service that keeps the attempt from getting on?"""
        with self._lock:
            return self._trouble is not None and time.monotonic() - self._trouble > LASTING

    def note_answer(self) -> None:
        """The service did something: the client is there."""
        with self._lock:
            self._opened, self._trouble = True, None
        self._see(ClientState.ACTIVE)

    def note_signal(self, sign: Signal) -> None:
        """What the SDK hears while something is waited for."""
        match sign:
            case Signal.ACTIVE:
                self._hear(ClientState.ACTIVE if self._opened else ClientState.OPENING)
            case Signal.RATE_LIMITED:
                self._hear(ClientState.LIMITED if self._opened else ClientState.QUEUED)
            case Signal.NO_CAPACITY:
                self._hear(ClientState.STARVED)
            case Signal.TROUBLE:
                with self._lock:
                    self._trouble = self._trouble or time.monotonic()
                if self.troubled:  # a pause that it told of before is no news, and must not hide that it is away
                    self._see(ClientState.ACTIVE if self._opened else ClientState.OPENING)

    def _hear(self, sign: ClientState) -> None:
        """The service is there, whatever it says."""
        with self._lock:
            self._trouble = None
        self._see(sign)

    def _see(self, sign: ClientState) -> None:
        with self._lock:
            if sign is self._sign:
                return
            self._sign, self._since = sign, time.monotonic()
        self._changed()
