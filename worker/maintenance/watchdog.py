"""End a worker that is free and receives none of the waiting messages.

Its supervisor then starts a new one. A broken connection to the broker can leave a consumer that
neither consumes nor fails, and only the worker itself can notice. It reads the queue's length and
ends its own process.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.state.connection import RedisError
from worker.leases import Leases
from worker.vital_thread import make_vital_thread

LOOKS = 10  # checks within the time after which the worker exits

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """What was seen at one moment."""

    waiting: bool  # is there a message in the queue?
    free: bool  # could a thread take it?
    heard: int  # messages received so far


class SilenceTimer:
    """Measures for how long messages waited, a thread was free, and none arrived."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._heard = -1

    def observe(self, look: Observation, now: float) -> float:
        """Return the seconds of silence, including this observation."""
        if not (look.waiting and look.free) or look.heard != self._heard:
            self._since = None
        elif self._since is None:
            self._since = now
        self._heard = look.heard
        return 0.0 if self._since is None else now - self._since


class Watchdog:
    """Checks regularly; `waiting` counts the messages in the queue. `exit` does not return."""

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
        self._thread = make_vital_thread("watchdog", self._watch)

    def start(self) -> None:
        self._thread.start()

    def _watch(self) -> None:
        timer = SilenceTimer()
        while (silence := self._look(timer)) < self._patience:
            time.sleep(self._patience / LOOKS)
        log.error("no message for %.0f s despite a backlog and a free thread; exiting", silence)
        self._leave()

    def _look(self, timer: SilenceTimer) -> float:
        try:
            waiting = self._waiting() > 0
        except RedisError:  # then no worker can receive messages
            waiting = False
        return timer.observe(Observation(waiting, self._leases.free > 0, self._leases.heard), time.monotonic())

    def _leave(self) -> None:
        """Leave as on SIGTERM, whose handler might not run any more."""
        self._leases.leave()
        give_up = time.monotonic() + self._grace
        while self._leases.busy and time.monotonic() < give_up:
            time.sleep(0.05)
        self._leases.stop()
        self._exit(1)
