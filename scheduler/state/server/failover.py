"""Notice that another server has the books, and say whether they are complete.

A failover, a restore or a restart can bring a server that lacks the last writes. Each process remembers the server
that it saw last (`ServerWatch`); the server's data name the server whose books were accepted (`lua/check_books.lua`).
If they differ, the books are closed until a worker has compared them with the service's sessions
(worker/maintenance/lost_writes.py).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from scheduler.state import keys
from scheduler.state.store import Store

UNTOLD = "untold:"  # before a service that could not tell: since|micro-dollars
SHOWN = timedelta(days=14)  # for which a service that could not tell is shown: as long as it would tell usage


Untold = tuple[int, int | None]
"""Since when, and at most how much; None: no budget bounds it."""


class ServerWatch:
    """What one process remembers of the server that it saw last."""

    def __init__(self) -> None:
        self._run = ""

    def look(self, store: Store) -> bool:
        """Compare it with the server that answers now. Return whether the books are closed."""
        self._run, closed = store.scripts.run("check_books", self._run)
        return bool(closed)


@dataclass(frozen=True)
class Books:
    """Whether the books have all that was spent. Times in milliseconds, money in micro-dollars; 0 for none."""

    run: str = ""  # of the server that answers
    asked: str = ""  # which closing it is
    closed: int = 0  # since when nothing starts
    since: int = 0  # until when they are known to be complete
    cause: str = ""
    attempts: int = 0  # of unknown cost, because writes were lost
    doubtful: int = 0  # what these cost at most; it is booked as unreconciled
    doubted: int = 0  # since when
    untold: Mapping[str, tuple[int, int | None]] = field(
        default_factory=dict
    )  # service -> since, at most (None: unknown)

    def document(self) -> dict[str, Any]:
        return {
            "closed_at": self.closed / 1000 if self.closed else None,
            "complete_until": self.since / 1000 if self.since else None,
            "cause": self.cause,
            "uncertain_since": self.doubted / 1000 if self.attempts else None,
            "uncertain_attempts": self.attempts,
            "uncertain_usd": self.doubtful / 1e6,
            "untold": [
                {"service": service, "since": since / 1000, "uncertain_usd": None if most is None else most / 1e6}
                for service, (since, most) in self.untold.items()
            ],
        }


def read_books(store: Store) -> Books:
    """Read the state of the books, also before any process has noticed that another server took over."""
    row, run = store.client.hgetall(keys.BOOKS), str(store.client.info("server").get("run_id", ""))
    closed = int(row.get("closed", 0))
    if not closed and row.get("run", run) != run:
        closed, row["cause"] = store.scripts.read_time(), "another server took over"
        row["since"] = row.get("at", "0")
    now = store.read_now()
    untold = {name.removeprefix(UNTOLD): _read_untold(text) for name, text in row.items() if name.startswith(UNTOLD)}
    return Books(
        run=run,
        asked=row.get("asked", ""),
        closed=closed,
        since=int(row.get("since", 0)),
        cause=row.get("cause", ""),
        attempts=int(row.get("attempts", 0)),
        doubtful=int(row.get("doubtful", 0)),
        doubted=int(row.get("doubted_since", 0)),
        untold={
            service: (since, most)
            for service, (since, most) in untold.items()
            if now - datetime.fromtimestamp(since / 1000, UTC) < SHOWN
        },
    )


def close_books(store: Store, cause: str, complete_until: datetime | None = None) -> None:
    """Close the books, because writes are known to be lost: after a restore of an older state."""
    until = "" if complete_until is None else round(complete_until.timestamp() * 1000)
    store.scripts.run("close_books", until, cause)


@dataclass(frozen=True)
class LostSession:
    """A session at a service that belongs to nothing that the books know."""

    name: str
    service: str
    began: datetime


def read_lost_sessions(store: Store) -> list[LostSession]:
    """Read the sessions whose cost is to be booked now."""
    now = store.scripts.read_time()
    rows = {name: json.loads(text) for name, text in store.client.hgetall(keys.LOST_SESSIONS).items()}
    return [
        LostSession(name, row["service"], datetime.fromtimestamp(row["began"] / 1000, UTC))
        for name, row in rows.items()
        if "tokens" not in row and row["due"] <= now
    ]


def _read_untold(text: str) -> Untold:
    since, _, most = text.partition("|")
    return int(since), int(most) if most else None
