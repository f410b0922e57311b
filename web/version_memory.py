"""Remember a value for each version of what it was made from: many ask for the same one again and again."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class VersionMemory(Generic[T]):
    """The last `kept` values by their name."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._values: OrderedDict[str, tuple[str, float, T]] = OrderedDict()

    def take(self, name: str, version: str, make: Callable[[], T], *, lasts: float = math.inf) -> T:
        """Return a value of this version that is at most `lasts` seconds old; make it if there is none."""
        with self._lock:
            known = self._values.get(name)
        if known and known[0] == version and time.monotonic() - known[1] <= lasts:
            return known[2]
        made = (version, time.monotonic(), make())
        with self._lock:
            self._values[name] = made
            self._values.move_to_end(name)
            while len(self._values) > self._kept:
                self._values.popitem(last=False)
        return made[2]
