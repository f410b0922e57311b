"""Measure the disks of this machine now and then, for the reports of the worker.

On a thread of its own: a network disk that does not answer holds whoever asks, and reports must not wait for it.
"""

import threading
from collections.abc import Collection, MutableMapping
from pathlib import Path

from scheduler.processes.disk_usage import measure_disks

LOOK_EVERY = 30.0  # seconds


class DiskWatch:
    """Keeps `disk` (the folder whose disk is the fullest) and `disk_used` (its share) in what a worker reports."""

    def __init__(self, about: MutableMapping[str, str | int], folders: Collection[Path]) -> None:
        self._about = about
        self._folders = folders
        self._done = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._keep, name="disks", daemon=True).start()

    def stop(self) -> None:
        self._done.set()

    def look(self) -> None:
        """Measure now."""
        if shares := measure_disks(self._folders):
            fullest = max(shares, key=lambda folder: shares[folder])
            self._about.update(disk=fullest, disk_used=f"{shares[fullest]:.4f}")

    def _keep(self) -> None:
        while True:
            self.look()
            if self._done.wait(LOOK_EVERY):
                return
