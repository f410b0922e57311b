"""The scheduler as a process: tick for as long as it leads, soon again while there is something to do."""

import logging
import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType

import redis

from scheduler.connection import check, connect
from scheduler.dispatch import Nudges
from scheduler.embedded import server_url
from scheduler.settings import Settings
from scheduler.store import Store
from scheduler.tick import tick

LEAD = 10.0  # seconds for which a leader leads without saying so again
PAUSE = 0.1  # seconds between two ticks that found nothing to do

log = logging.getLogger("scheduler")


def run(settings: Settings) -> None:
    """Tick until SIGTERM or SIGINT. Any number of schedulers may run; one of them leads."""
    stop = _stopping()
    url = server_url(settings)
    client = connect(url)
    check(client, url)
    store, nudges = Store(client), Nudges(url)
    name = f"{socket.gethostname()}-{os.getpid()}"
    while not stop.is_set():
        idle = _guarded(store, nudges, name, settings.slots)
        stop.wait(PAUSE if idle else 0)
    with suppress(redis.RedisError):
        store.scripts.run("lead", name, 0)  # whoever comes next need not wait until we are thought dead
    nudges.close()


def _guarded(store: Store, nudges: Nudges, name: str, slots: int) -> bool:
    """One tick if we lead. True if nothing was done; a Redis that is away is waited for, for as long as it takes."""
    try:
        if not store.scripts.run("lead", name, round(LEAD * 1000)):
            return True
        return tick(store, nudges, slots=slots).idle
    except redis.RedisError as error:
        log.warning("Redis does not answer (%s); trying again", error)
        return True


def _stopping() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
