"""Record bugs of ours so that `sweep status` names them, and keep them from doing harm.

A bug that affects one stage fails that stage. While a bug affects no stage or many stages, nothing new starts, because
everything that starts might fail and be paid for. A restart of the scheduler forgets all bugs: it may bring the fix.
"""

import logging
import re
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from scheduler.state import keys
from scheduler.state.connection import Away, RedisError, Refused, StoreBug
from scheduler.state.missing_rights import record_refusal
from scheduler.state.store import Store
from sweeps.formatting import format_count

T = TypeVar("T")

FRESH = 60.0  # seconds for which a bug that affects no single stage stops new starts
MANY = 10  # failed stages of one bug, after which nothing new starts
NOBODY = "housekeeping"  # what a bug affects if neither stages nor the fleet depend on it

LOG_EVERY = 10.0  # seconds between two log lines about the same bug, unless it failed a stage
OURS = [Path(__file__).parents[2] / package for package in ("sweeps", "scheduler", "worker")]
MESSENGERS = ("connection.py:", "scripts.py:")  # every error of the server comes through these
VARIABLE = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")  # in a message: what differs from one stage to the next

log = logging.getLogger("bugs")
_logged: dict[tuple[str, ...], float] = {}  # verb, kind and place of a bug -> when it was last logged


@dataclass(frozen=True)
class Bug:
    """One bug. Times in milliseconds."""

    verb: str
    message: str
    where: str
    since: int
    last: int
    failed: int  # stages that failed because of it
    fleet: bool  # it affects no single stage

    def stops(self, now: int) -> bool:
        """Does it stop new starts?"""
        return self.failed >= MANY or (self.fleet and self.is_fresh(now))

    def is_fresh(self, now: int) -> bool:
        """Did it occur just now?"""
        return now - self.last < 1000 * FRESH


def record_bug(store: Store, error: Exception, where: str, *, affected: str = "", failed: bool = False) -> None:
    """Record and log a bug. `affected` is a stage or sweep ('' for none); `failed`: that stage failed.

    A right that Redis does not give us is no bug, and is recorded as what it is. Use plain commands, because the verbs
    may be what is broken.
    """
    if isinstance(error, Refused):
        if _is_due(str(error)):
            log.error("at %s: %s", where, error)
        record_refusal(store.client, error)
        return
    verb, message = (
        (error.verb, error.message) if isinstance(error, StoreBug) else (where, f"{type(error).__name__}: {error}")
    )
    place = _find_place(error)
    if _is_due(verb, VARIABLE.sub("…", message), place) or failed:
        at = f"{where} ({place})" if place else where
        log.error("a bug in `%s`, at %s%s: %s", verb, at, affected and f", of {affected}", message)
    with suppress(RedisError):
        now, key = store.scripts.read_time(), keys.bug(verb)
        pipe = store.client.pipeline()
        pipe.zadd(keys.BUGS, {verb: now})
        pipe.hsetnx(key, "since", now)
        pipe.hset(key, mapping={"message": message, "where": where} | ({} if affected else {"fleet": 1}))
        pipe.hincrby(key, "failed", int(failed))
        pipe.execute()


def _is_due(*bug: str) -> bool:
    """May this bug be logged now? One that repeats in every tick would fill the disk in a night, and so would many."""
    now = time.monotonic()
    for other, at in [*_logged.items()]:
        if now - at > LOG_EVERY:
            _logged.pop(other, None)
    if bug in _logged or len(_logged) >= MANY:
        return False
    _logged[bug] = now
    return True


def _find_place(error: Exception) -> str:
    """Return the last file and line of ours that the error came through; "" if it was never raised."""
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.name}:{line}" for path, line in frames if any(map(path.is_relative_to, OURS))]
    return next((place for place in reversed(ours) if not place.startswith(MESSENGERS)), "")


def fail_stage(store: Store, stage: str, error: Exception, where: str, fence: str = "") -> bool:
    """Fail a stage on which a verb raises an error. Return False if even that fails, or if the lease is over.

    Raise Away.
    """
    try:
        done = bool(store.scripts.run("fail_stage", stage, str(error), fence))
    except Away:
        raise
    except Exception as worse:  # noqa: BLE001 - whatever it is, the first error must be recorded too
        record_bug(store, worse, where, affected=stage)
        done = False
    record_bug(store, error, where, affected=stage, failed=done)
    return done


def run_isolated(store: Store, action: Callable[[], T], default: T, *, affected: str = "") -> T:
    """Run an action. Record a bug and return the default instead. Raise Away."""
    try:
        return action()
    except Away:
        raise
    except Exception as error:  # noqa: BLE001 - stored data may be wrong in any way
        record_bug(store, error, "scheduler", affected=affected)
        return default


def describe_bug(bug: Bug) -> str:
    """Describe a bug in one line, for people."""
    since = time.strftime("%H:%M", time.localtime(bug.since / 1000))
    failed = f"; {format_count(bug.failed, 'stage')} failed because of it" if bug.failed else ""
    return f"a bug in `{bug.verb}`, since {since}, at {bug.where}: {bug.message}{failed}"


def read_bugs(store: Store) -> list[Bug]:
    """Read the bugs that occurred since the scheduler started, newest first."""
    verbs = store.client.zrange(keys.BUGS, 0, -1, desc=True, withscores=True)
    pipe = store.client.pipeline(transaction=False)
    for verb, _ in verbs:
        pipe.hgetall(keys.bug(verb))
    return [
        Bug(
            verb,
            row.get("message", ""),
            row.get("where", ""),
            int(row.get("since", last)),
            int(last),
            int(row.get("failed", 0)),
            "fleet" in row,
        )
        for (verb, last), row in zip(verbs, pipe.execute() if verbs else [], strict=True)
    ]


def read_stopping_bugs(store: Store) -> Sequence[Bug]:
    """Read the bugs that stop new starts now."""
    bugs = read_bugs(store)
    now = store.scripts.read_time() if bugs else 0
    return [bug for bug in bugs if bug.stops(now)]


def forget_bugs(store: Store) -> None:
    """Forget all bugs, because the scheduler was restarted."""
    store.client.delete(keys.BUGS, *(keys.bug(bug.verb) for bug in read_bugs(store)))
