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
TROUBLE = 2.0  # seconds between two tries while Redis is in trouble: the log must not fill the disk as well

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
        stop.wait(_guarded(store, nudges, name, settings))
    with suppress(redis.RedisError):
        store.scripts.run("lead", name, 0)  # whoever comes next need not wait until we are thought dead
    nudges.close()


def _guarded(store: Store, nudges: Nudges, name: str, settings: Settings) -> float:
    """One tick if we lead; seconds until the next. A Redis that is away, or full, is waited for as long as it takes."""
    try:
        leads = store.scripts.run("lead", name, round(LEAD * 1000))
        return PAUSE if not leads or tick(store, nudges, slots=settings.slots, stall=settings.stall).idle else 0
    except redis.RedisError as error:
        log.warning("Redis does not do what is asked (%s); trying again", error)
        return TROUBLE


def _stopping() -> threading.Event:
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    return stop
