"""Bugs of ours that show while nobody watches: written down, so that status names them, and kept from doing harm.

A bug that belongs to one stage fails that stage. One that belongs to no stage, or to many, lets nothing new be started:
it would cost what is started, again and again. A restart of the scheduler forgets them all, for it may bring the mend.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from scheduler.state import keys
from scheduler.state.connection import Away, RedisError, StoreBug
from scheduler.state.store import Store
from sweeps.formatting import format_count

T = TypeVar("T")

FRESH = 60.0  # seconds for which a bug that belongs to no stage lets nothing be started
MANY = 10  # stages that one bug has failed, behind which nothing more is started
NOBODY = "housekeeping"  # whom it belongs to, if neither stages nor the fleet depend on it

LOG_EVERY = 10.0  # seconds between two lines of the log about the same verb, unless a stage has failed for it

log = logging.getLogger("bugs")
_logged: dict[str, float] = {}  # verb -> when it was last told of


@dataclass(frozen=True)
class Bug:
    """What is known of one; times in milliseconds."""

    verb: str
    said: str
    where: str
    since: int
    last: int
    failed: int  # stages
    fleet: bool  # it belongs to none

    def stops(self, now: int) -> bool:
        """Is nothing to be started for it?"""
        return self.failed >= MANY or (self.fleet and self.is_fresh(now))

    def is_fresh(self, now: int) -> bool:
        """Did it show just now?"""
        return now - self.last < 1000 * FRESH


def record_bug(store: Store, error: Exception, where: str, *, of: str = "", failed: bool = False) -> None:
    """Write it down, and log it. `of` is the stage or sweep that it belongs to, '' for none; `failed` by it.

    Without a verb: the scripts themselves may be what is broken.
    """
    verb, said = (
        (error.verb, error.said) if isinstance(error, StoreBug) else (where, f"{type(error).__name__}: {error}")
    )
    if failed or time.monotonic() - _logged.get(verb, -math.inf) > LOG_EVERY:  # or a night of it would fill the disk
        _logged[verb] = time.monotonic()
        log.error("a bug in `%s`, at %s%s: %s", verb, where, of and f", of {of}", said)
    with suppress(RedisError):
        now, key = store.scripts.read_time(), keys.bug(verb)
        pipe = store.client.pipeline()
        pipe.zadd(keys.BUGS, {verb: now})
        pipe.hsetnx(key, "since", now)
        pipe.hset(key, mapping={"said": said, "where": where} | ({} if of else {"fleet": 1}))
        pipe.hincrby(key, "failed", int(failed))
        pipe.execute()


def fail_stage(store: Store, stage: str, error: Exception, where: str, fence: str = "") -> bool:
    """Fail a stage with which a verb cannot do. False where even that fails, or the lease of this fence is over.

    Raises Away.
    """
    try:
        done = bool(store.scripts.run("fail_stage", stage, str(error), fence))
    except Away:
        raise
    except Exception as worse:  # noqa: BLE001 - whatever it is, the first one is to be told too
        record_bug(store, worse, where, of=stage)
        done = False
    record_bug(store, error, where, of=stage, failed=done)
    return done


def run_isolated(store: Store, action: Callable[[], T], default: T, *, of: str = "") -> T:
    """Do it; a bug is written down, and everything else goes on. Raises Away."""
    try:
        return action()
    except Away:
        raise
    except Exception as error:  # noqa: BLE001 - what is stored may be wrong in any way
        record_bug(store, error, "scheduler", of=of)
        return default


def describe_bug(bug: Bug) -> str:
    """For people."""
    since = time.strftime("%H:%M", time.localtime(bug.since / 1000))
    failed = f"; {format_count(bug.failed, 'stage')} failed for it" if bug.failed else ""
    return f"a bug in `{bug.verb}`, since {since}, at {bug.where}: {bug.said}{failed}"


def read_bugs(store: Store) -> list[Bug]:
    """Those that were seen since the scheduler started, the newest first."""
    verbs = store.client.zrange(keys.BUGS, 0, -1, desc=True, withscores=True)
    pipe = store.client.pipeline(transaction=False)
    for verb, _ in verbs:
        pipe.hgetall(keys.bug(verb))
    return [
        Bug(
            verb,
            row.get("said", ""),
            row.get("where", ""),
            int(row.get("since", last)),
            int(last),
            int(row.get("failed", 0)),
            "fleet" in row,
        )
        for (verb, last), row in zip(verbs, pipe.execute() if verbs else [], strict=True)
    ]


def read_stopping_bugs(store: Store) -> Sequence[Bug]:
    """Those for which nothing is to be started now."""
    found = read_bugs(store)
    now = store.scripts.read_time() if found else 0
    return [bug for bug in found if bug.stops(now)]


def forget_bugs(store: Store) -> None:
    """The scheduler has been started anew."""
    store.client.delete(keys.BUGS, *(keys.bug(bug.verb) for bug in read_bugs(store)))
