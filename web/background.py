"""Compute what takes long beside the requests: a page shows what is known, and is told when there is more.

Whatever is computed again and again gets a share of one processor at most, so a sweep that changes every second does
not keep the process busy.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from scheduler.state.connection import RedisError

T = TypeVar("T")
SHARE = 0.1  # of a processor, for computing one value again and again
KEPT = 16  # values of one kind
RETRY = 5.0  # seconds after a failure

log = logging.getLogger("web.background")


class Look(NamedTuple, Generic[T]):
    """What is known of a value now."""

    value: T | None  # None: not computed yet, or it failed
    version: str  # of what it was computed from; empty if it never was
    failed: str = ""  # why there is no newer value

    def read_version(self, version: str) -> T | None:
        """Return the value, if it was computed from this version and no other."""
        return self.value if self.version == version else None


@dataclass
class _Entry(Generic[T]):
    known: Look[T] = field(default_factory=lambda: Look(None, ""))
    running: "Future[None] | None" = None
    asked: str = ""
    again: float = 0.0  # when it may be computed again


class Background(Generic[T]):
    """One kind of value by name. `compute` gets the name."""

    def __init__(
        self, pool: ThreadPoolExecutor, compute: Callable[[str], T], *, kept: int = KEPT, share: float = SHARE
    ) -> None:
        self._pool, self._compute, self._kept, self._share = pool, compute, kept, share
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()

    def look(self, name: str, version: str, *, patience: float = 0.0) -> Look[T]:
        """Return what is known; if that is older than `version`, compute it, and wait for it this many seconds."""
        entry, running = self._start(name, version)
        if running is not None and patience:
            wait([running], patience)
        return entry.known

    async def find(self, name: str, version: str, patience: float, *, is_last: bool = False) -> Look[T]:
        """Do the same without holding a thread.

        If no other version comes (`is_last`), it is computed although another one was computed a moment ago.
        """
        ends = time.monotonic() + patience
        while True:
            entry, running = self._start(name, version, at_once=is_last)
            left = ends - time.monotonic()
            if running is None or left <= 0:
                return entry.known
            await asyncio.wait([asyncio.wrap_future(running)], timeout=left)
            if not is_last or entry.known.failed:
                return entry.known

    def _start(self, name: str, version: str, *, at_once: bool = False) -> "tuple[_Entry[T], Future[None] | None]":
        """Begin to compute a value unless it is known; return what is being computed."""
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            self._entries.move_to_end(name)
            self._forget_oldest()
            if entry.known.version == version:
                return entry, None
            if entry.running is None and (at_once or time.monotonic() >= entry.again):
                entry.asked = version
                entry.running = self._pool.submit(self._run, name, entry)
            return entry, entry.running

    def _forget_oldest(self) -> None:
        """Forget what nobody has asked for longest, but nothing that is computed now or was just before."""
        now = time.monotonic()
        for name, entry in list(self._entries.items())[: max(0, len(self._entries) - self._kept)]:
            if entry.running is None and now >= entry.again:
                del self._entries[name]

    def _run(self, name: str, entry: _Entry[T]) -> None:
        began, version = time.monotonic(), entry.asked
        try:
            known = Look(self._compute(name), version)
        except RedisError as error:
            known = entry.known._replace(failed=f"Redis does not answer: {error}")
        except Exception as error:
            log.exception("cannot compute what the page shows of %s", name)
            known = entry.known._replace(failed=f"{type(error).__name__}: the log of the page has it")
        with self._lock:
            entry.known, entry.running = known, None
            pause = RETRY if known.failed else 0.0
            entry.again = time.monotonic() + max(pause, (time.monotonic() - began) / self._share)
