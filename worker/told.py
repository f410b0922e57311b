"""What the service tells one attempt's client: the SDK hears it, and keeps it to itself for a quarter of an hour."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum


class Sign(StrEnum):
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


class Told:
    """Written by the SDK's thread and the attempt's, read by the one that renews leases."""

    def __init__(self, changed: Callable[[], None] = lambda: None, *, opened: bool = False) -> None:
        """`changed` is called with each change, from any thread, and must not block."""
        self._changed = changed
        self._lock = threading.Lock()
        self._opened = opened
        self._sign = Sign.ACTIVE if opened else Sign.OPENING
        self._since = time.monotonic()
        self._trouble: float | None = None

    @property
    def now(self) -> tuple[Sign, float]:
        """The sign, and for how many seconds it has stood."""
        with self._lock:
            return self._sign, time.monotonic() - self._since

    @property
    def troubled(self) -> bool:
        """Is it an error of the service that keeps the attempt from getting on?"""
        with self._lock:
            return self._trouble is not None and time.monotonic() - self._trouble > LASTING

    def answered(self) -> None:
        """The service did something: the client is there."""
        with self._lock:
            self._opened, self._trouble = True, None
        self._see(Sign.ACTIVE)

    def goes_on(self) -> None:
        """It is paused no more."""
        self._see(Sign.ACTIVE if self._opened else Sign.OPENING)

    def too_many(self) -> None:
        """There are too many clients at a time."""
        self._see(Sign.LIMITED if self._opened else Sign.QUEUED)

    def no_capacity(self) -> None:
        """The service has paused it for want of capacity."""
        self._see(Sign.STARVED)

    def failed(self) -> None:
        """A request met an error of the service, and is tried again by the SDK."""
        with self._lock:
            self._trouble = self._trouble or time.monotonic()

    def _see(self, sign: Sign) -> None:
        with self._lock:
            if sign is self._sign:
                return
            self._sign, self._since = sign, time.monotonic()
        self._changed()
