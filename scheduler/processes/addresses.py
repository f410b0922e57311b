"""Hold the lock of a state folder's supervisor, and read and write the addresses of its processes."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from scheduler.errors import SchedulerError

LISTEN_SECONDS = 0.2  # for a port of this machine to answer; where nobody listens, it refuses at once
PROBE_SECONDS = 0.5  # that `is_up` of another process may hold the lock


class AlreadyUp(SchedulerError):
    """Another `sweep up` uses this state folder."""


@dataclass(frozen=True)
class Addresses:
    """The addresses of the processes of this machine."""

    offline_url: str
    flower_url: str  # empty: Flower is off
    flower_user: str
    flower_password: str
    supervisor: int  # process id
    server: str  # the Redis server, described in one line
    page_url: str = ""  # empty: no page is served

    @property
    def flower(self) -> str:
        """Flower's address, user and password, in one line; or that it is off."""
        if not self.flower_url:
            return "worker dashboard (Flower): off (SWEEP_FLOWER_PORT)"
        return f"worker dashboard (Flower): {self.flower_url}  user {self.flower_user}  password {self.flower_password}"


def read_addresses(home: Path) -> Addresses | None:
    """Read the addresses of the processes of a state folder; None if there are none."""
    with suppress(OSError, ValueError, TypeError):
        return Addresses(**json.loads(_locate_addresses(home).read_text(encoding="utf-8")))
    return None


def publish(home: Path, addresses: Addresses) -> None:
    """Write the addresses. Only the owner may read them: there is a password among them."""
    path = _locate_addresses(home)
    draft = path.with_suffix(".part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(addresses), file)
    draft.replace(path)


def withdraw(home: Path) -> None:
    """Remove the addresses of processes that have ended."""
    _locate_addresses(home).unlink(missing_ok=True)


def is_up(home: Path) -> bool:
    """Does a supervisor run for this state folder?"""
    with _open_lock(home) as lock:
        return not _try_lock(lock, fcntl.LOCK_SH)  # several processes may ask at once


def is_listening(url: str) -> bool:
    """Does a process listen at the port of an address of this machine?"""
    parts = urlsplit(url)
    with suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 0), LISTEN_SECONDS):
        return True
    return False


def read_uptime(home: Path) -> float | None:
    """Read for how many seconds the processes of a state folder are up: 0 while they start; None if none is."""
    if not is_up(home):
        return None
    with suppress(OSError):
        return max(0.0, time.time() - _locate_addresses(home).stat().st_mtime)
    return 0.0


@contextmanager
def hold_supervisor_lock(home: Path) -> Iterator[None]:
    """Hold the lock of the supervisor. Raises AlreadyUp.

    Another process may hold it for a moment in `is_up`.
    """
    give_up = time.monotonic() + PROBE_SECONDS
    with _open_lock(home) as lock:
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise AlreadyUp(f"another `sweep up` already runs for {home} and does the work")
            time.sleep(0.02)
        yield


def _locate_addresses(home: Path) -> Path:
    return home / "up.json"


def _open_lock(home: Path) -> IO[str]:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    return (home / "up.lock").open("a")


def _try_lock(lock: IO[str], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
