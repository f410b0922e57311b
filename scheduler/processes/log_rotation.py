"""Rotate the logs of our processes, so that a year of them fits a disk.

A process keeps its log open for appending, so a long log is copied and then emptied; lines written in between are lost.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from scheduler.settings import Settings

LONGEST = 10_000_000  # bytes of a log before it is rotated
PLACES = 3  # old logs of each process
LOOK_EVERY = 60.0  # seconds between two looks


class LogRotation:
    """Looks at the logs of one state folder now and then."""

    def __init__(self, settings: Settings, *, longest: int = LONGEST) -> None:
        self._folder = settings.home / "logs"
        self._keep = settings.keep.logs
        self._longest = longest
        self._look_at = 0.0

    def look_after(self, say: Callable[[str], None]) -> None:  # noqa: ARG002 - as all parts that are looked after
        """Rotate what is too long, and delete old logs that have passed their age."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_EVERY
        rotate_logs(self._folder, self._longest, time.time() - self._keep)


def rotate_logs(folder: Path, longest: int, before: float) -> None:
    """Rotate each log that is longer, and delete old ones that were last written before a time."""
    for log in sorted(folder.glob("*.log")):
        if log.stat().st_size > longest:
            _rotate(log)
    for old in sorted(folder.glob("*.log.[0-9]")):
        if old.stat().st_mtime < before:
            old.unlink()


def _rotate(log: Path) -> None:
    for place in range(PLACES - 1, 0, -1):
        older = log.with_name(f"{log.name}.{place}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{place + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    with log.open("r+b") as file:
        file.truncate(0)
