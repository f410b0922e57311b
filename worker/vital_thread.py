"""Start threads without which a worker must not live: if one ends by an error, the whole process ends.

A worker whose leases nobody renews still takes messages; one that is gone is replaced by its supervisor, and what it
held is taken back when the leases run out.
"""

import logging
import os
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

BROKEN = 70  # EX_SOFTWARE of sysexits.h


def make_vital_thread(
    name: str, work: Callable[[], None], end_process: Callable[[int], object] = os._exit
) -> threading.Thread:
    """Return a daemon thread that does `work`. If `work` raises anything, log it and end the process with BROKEN."""

    def run() -> None:
        try:
            work()
        except BaseException:  # noqa: BLE001 - SystemExit and MemoryError, too: whatever it was, the thread is gone
            try:
                log.critical("the thread %r ended by an error, so this worker ends", name, exc_info=True)
            finally:
                end_process(BROKEN)

    return threading.Thread(target=run, name=name, daemon=True)
