"""The scheduler as a process: tick for as long as it leads, soon again while there is something to do."""

import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from types import FrameType

from scheduler.engine.breaker import Timing
from scheduler.engine.dispatch import Nudges
from scheduler.engine.tick import TickLimits, tick
from scheduler.notify.sender import NoticeSender
from scheduler.services import SERVICES, lane_of
from scheduler.settings import Settings
from scheduler.state.bug_log import forget_bugs, record_bug
from scheduler.state.connection import Away, RedisError, check_server, connect, find_problems
from scheduler.state.server.embedded_redis import server_url
from scheduler.state.store import Store

LEAD = 10.0  # seconds for which a leader leads without saying so again, or a lease where that is shorter
CLAIM = (5.0, 1 / 3)  # seconds at least, and share of a lease, that a worker has to claim what it was sent
LOOK = 30.0  # seconds between two looks at whether the server can still be trusted with the truth
PAUSE = 0.1  # seconds between two ticks that found nothing to do
TROUBLE = 2.0  # seconds between two tries while Redis is in trouble: the log must not fill the disk as well

log = logging.getLogger("scheduler")


def run(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT. Any number of schedulers may run; one of them leads."""
    stop = _stop_on_signal()
    url = server_url(settings)
    client = connect(url)
    check_server(client, url)
    store = Store(client)
    forget_bugs(store)
    scheduler, post = Scheduler(store, Nudges(url), settings), NoticeSender(store, settings.notify)
    post.start()
    while not stop.is_set():
        stop.wait(scheduler.run_tick())
    post.stop()
    scheduler.leave()


def make_tick_limits(settings: Settings) -> TickLimits:
    """What a tick is told."""
    least, share = CLAIM
    claim = max(least, share * settings.lease)
    return TickLimits(settings.bounds, settings.stall, claim, settings.weights, Timing(settings.silence))


def make_fleet_limits(settings: Settings) -> dict[str, int]:
    """What the leader writes down for the verbs to keep: what is limited, and the number."""
    capped = {lane_of(model): most for model, most in settings.model_slots.items()}
    if settings.day_budget is None:
        return capped
    return capped | {f"day:{service}": round(settings.day_budget * 1_000_000) for service in SERVICES}


class Scheduler:
    """One of any number of schedulers, of which one leads."""

    def __init__(self, store: Store, nudges: Nudges, settings: Settings) -> None:
        self._store = store
        self._nudges = nudges
        self._limits = make_tick_limits(settings)
        self._fleet_limits = make_fleet_limits(settings)
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._lead = round(1000 * min(LEAD, settings.lease))
        self._look_at = self._write_at = 0.0

    def run_tick(self) -> float:
        """One tick if we lead; seconds until the next. A Redis that is in trouble is waited for as long as it takes."""
        try:
            if found := self._find_problems():
                log.error("the Redis cannot keep the truth, so nothing new is started:\n%s", "\n".join(found))
                return TROUBLE
            if not self._store.scripts.run("take_duty", self._name, self._lead):
                return PAUSE
            self._write_limits()
            return PAUSE if tick(self._store, self._nudges, self._limits).idle else 0
        except Away as error:
            log.warning("Redis does not do what is asked (%s); trying again", error)
            return TROUBLE
        except Exception as error:  # noqa: BLE001 - status names it, and nothing is started meanwhile
            record_bug(self._store, error, "scheduler")
            return TROUBLE

    def _find_problems(self) -> list[str]:
        """What somebody may have changed since it was last looked at; while something is, it is looked at again."""
        if time.monotonic() < self._look_at:
            return []
        found = find_problems(self._store.client)
        self._look_at = 0.0 if found else time.monotonic() + LOOK
        return found

    def _write_limits(self) -> None:
        """The leader's settings are the fleet's: written now and then, because another's may have been."""
        if time.monotonic() < self._write_at:
            return
        self._store.scripts.run("set_limits", *(word for limit in self._fleet_limits.items() for word in limit))
        self._write_at = time.monotonic() + LOOK

    def leave(self) -> None:
        """Whoever comes next need not wait until we are thought dead."""
        with suppress(RedisError):
            self._store.scripts.run("take_duty", self._name, 0)
        self._nudges.close()


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
