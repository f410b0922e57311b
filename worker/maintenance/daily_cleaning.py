"""Clean up once a day, on a thread of its own: one worker of the fleet does it."""

import logging
import threading

from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from scheduler.state.keeping.cleaning import Cleaning
from scheduler.state.keeping.retention import Retention
from worker.attempt import WorkerContext

LOOK_EVERY = 600.0  # seconds between two looks whether a cleaning is due

log = logging.getLogger(__name__)


class DailyCleaning:
    """Looks now and then whether a cleaning is due, and does it."""

    def __init__(self, context: WorkerContext, url: str, keep: Retention, *, period: float = LOOK_EVERY) -> None:
        """`url` is the place of the artefact store."""
        self._context = context
        self._cleaning = Cleaning(context.store, url, keep)
        self._period = period
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cleaning", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start no more cleanings. One under way may be cut off: the next one continues it."""
        self._done.set()

    def _run(self) -> None:
        while not self._done.wait(self._period):
            worker = self._context.leases.worker
            try:
                cleaned = self._cleaning.run_if_due(worker)
                if cleaned is not None:
                    log.info("cleaned up: %s", cleaned)
            except Away as error:
                log.warning("the cleaning waits for Redis: %s", error)
            except Exception as error:  # noqa: BLE001 - attempts do not depend on it
                record_bug(self._context.store, error, f"the cleaning of {worker}", affected=NOBODY)
