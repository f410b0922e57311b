"""Limit failed logins by address, in bounded memory."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

TRIES = 10  # failures that an address may have at once
EVERY = 30.0  # seconds after which one failure is forgiven
ADDRESSES = 1000  # that are remembered; the one that failed longest ago is forgotten first


class LoginLimits:
    """Counts failures; a secret cannot be guessed anyway, and this keeps guessing cheap for us."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._free: OrderedDict[str, float] = OrderedDict()  # address -> when all of its failures are forgiven

    def count_wait(self, address: str) -> int:
        """Count the seconds until an address may try again; 0: now."""
        with self._lock:
            left = self._free.get(address, 0.0) - self._clock() - (TRIES - 1) * EVERY
        return max(0, math.ceil(left))

    def note_failure(self, address: str) -> None:
        """Note a failed login."""
        with self._lock:
            now = self._clock()
            self._free[address] = max(self._free.pop(address, 0.0), now) + EVERY
            while len(self._free) > ADDRESSES:
                self._free.popitem(last=False)

    def __len__(self) -> int:
        return len(self._free)
