"""A worker that is free, and receives nothing of what waits, ends itself: its supervisor starts a better one.

A broken connection to the broker can leave a consumer that neither consumes nor complains. From outside such a worker
looks idle; only it can know that it should not be.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.state.connection import RedisError
from worker.leases import Leases

LOOKS = 10  # in the time after which a worker counts as deaf

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """What was seen at one moment."""

    waiting: bool  # is there a nudge in the queue?
    free: bool  # is there a thread that could take it?
    heard: int  # nudges received so far


class SilenceTimer:
    """For how long nudges have waited, a thread was free, and none of them came."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._heard = -1

    def after(self, look: Observation, now: float) -> float:
        """Seconds, as of this look."""
        if not (look.waiting and look.free) or look.heard != self._heard:
            self._since = None
        elif self._since is None:
            self._since = now
        self._heard = look.heard
        return 0.0 if self._since is None else now - self._since


class Watchdog:
    """Looks now and then; `waiting` counts the nudges in the queue. `exit` does not return."""

    def __init__(
        self,
        leases: Leases,
        waiting: Callable[[], int],
        *,
        patience: float,
        grace: float,
        exit: Callable[[int], object] = os._exit,  # noqa: A002 - what it does
    ) -> None:
        self._leases = leases
        self._waiting = waiting
        self._patience = patience
        self._grace = grace
        self._exit = exit
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _watch(self) -> None:
        deafness = SilenceTimer()
        while (deaf := self._look(deafness)) < self._patience:
            time.sleep(self._patience / LOOKS)
        log.error("nudges wait, a thread is free, and none has come for %.0f s: this worker ends", deaf)
        self._leave()

    def _look(self, deafness: SilenceTimer) -> float:
        try:
            waiting = self._waiting() > 0
        except RedisError:  # then nobody can hear anything
            waiting = False
        return deafness.after(Observation(waiting, self._leases.free > 0, self._leases.heard), time.monotonic())

    def _leave(self) -> None:
        """As on SIGTERM, which the thread that should handle it may not notice any more."""
        self._leases.leave()
        give_up = time.monotonic() + self._grace
        while self._leases.busy and time.monotonic() < give_up:
            time.sleep(0.05)
        self._leases.stop()
        self._exit(1)
