"""Clean up once a day, in a process of its own: one worker of the fleet starts it."""

import logging
import threading

from scheduler.state.bug_log import NOBODY, record_bug
from scheduler.state.connection import Away
from scheduler.state.keeping.cleaning import PATIENCE, give_up_duty, take_duty_if_due
from scheduler.state.store import Store
from worker.maintenance.apart import run_apart

LOOK_EVERY = 600.0  # seconds between two looks whether a cleaning is due

log = logging.getLogger(__name__)


class DailyCleaning:
    """Looks now and then whether a cleaning is due, and starts `sweep gc`: it reads all stages and lists all files."""

    def __init__(self, store: Store, worker: str, *, period: float = LOOK_EVERY) -> None:
        self._store = store
        self._worker = worker
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
            try:
                self._clean_if_due()
            except Away as error:
                log.warning("the cleaning waits for Redis: %s", error)
            except Exception as error:  # noqa: BLE001 - attempts do not depend on it
                record_bug(self._store, error, f"the cleaning of {self._worker}", affected=NOBODY)

    def _clean_if_due(self) -> None:
        if not take_duty_if_due(self._store, self._worker):
            return
        printed = run_apart("scheduler.cli", ["-f", "json", "gc"], patience=PATIENCE)
        log.info("cleaned up: %s", " ".join((printed or "").split()) or "not whole; the next one continues")
        give_up_duty(self._store, self._worker)
