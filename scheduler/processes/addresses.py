"""Who looks after a state folder, and where the processes are that are up for it."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from scheduler.errors import SchedulerError

PROBE_SECONDS = 0.5  # for which somebody who just asks may be in the way


class AlreadyUp(SchedulerError):
    """Another `sweep up` looks after this state folder."""


@dataclass(frozen=True)
class Addresses:
    """Where the processes of this machine are to be found."""

    offline_url: str
    flower_url: str
    flower_user: str
    flower_password: str
    supervisor: int  # process id
    server: str  # which holds the truth, in a line: `running` of scheduler/state/server/embedded_redis.py

    @property
    def flower(self) -> str:
        """Flower's address with what it asks for, in a line."""
        return f"Flower: {self.flower_url}  user {self.flower_user}  password {self.flower_password}"


def read_addresses(home: Path) -> Addresses | None:
    """The addresses of the processes that are up for this state folder, or None."""
    with suppress(OSError, ValueError, TypeError):
        return Addresses(**json.loads(_addresses_file(home).read_text(encoding="utf-8")))
    return None


def publish(home: Path, addresses: Addresses) -> None:
    """Let them be found; only by the owner of the folder, for a password is among them."""
    path = _addresses_file(home)
    draft = path.with_suffix(".part")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(addresses), file)
    draft.replace(path)


def withdraw(home: Path) -> None:
    """Nothing is up for this state folder any longer."""
    _addresses_file(home).unlink(missing_ok=True)


def is_up(home: Path) -> bool:
    """Does a supervisor look after this state folder?"""
    with _open_lock(home) as lock:
        return not _try_lock(lock, fcntl.LOCK_SH)  # those who only ask are not in each other's way


@contextmanager
def hold_supervisor_lock(home: Path) -> Iterator[None]:
    """The right to be the supervisor; raises AlreadyUp.

    Somebody who just asks (`is_up`) may be in the way for a moment.
    """
    give_up = time.monotonic() + PROBE_SECONDS
    with _open_lock(home) as lock:
        while not _try_lock(lock, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise AlreadyUp(f"another `sweep up` looks after {home}; it does the work")
            time.sleep(0.02)
        yield


def _addresses_file(home: Path) -> Path:
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
