"""Judge what the service says about attempts of unknown cost.

Pure functions; they touch nothing.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from scheduler.state.reconciliation import UnreconciledAttempt
from sweeps.cost import Usage
from sweeps.stage import MICRO
from worker.sdk.rest import SessionRecord, SessionUsage

LONGEST_WINDOW = timedelta(days=14)  # of one read of the bills
UNSEEN = timedelta(days=1)  # how far to look back from the end of an attempt that left no session
AHEAD = timedelta(minutes=5)  # usage counted this close to the next full hour may belong to it

FINAL = ("client_finished", "failed")  # no more requests are possible in such a session


def build_metadata(fleet: str, opener: str) -> dict[str, str]:
    """Return the metadata with which an attempt (stage|number) opened its session: see worker/pipeline.py."""
    stage, _, attempt = opener.rpartition("|")
    return {"fleet": fleet, "stage": stage, "attempt": attempt}


def select_unfinished(sessions: Iterable[SessionRecord], asked: Container[str]) -> list[str]:
    """List an ended attempt's sessions that can still be used and were not asked to end.

    A session that the service believes dead for want of heartbeats may return with a worker that was frozen.
    """
    return [session.id for session in sessions if session.status not in FINAL and session.id not in asked]


def are_over(sessions: Iterable[SessionRecord], finished: Container[str]) -> bool:
    """Are all these sessions over? `finished` are those that the service let us finish."""
    return all(session.status != "active" or session.id in finished for session in sessions)


def find_start(sessions: Iterable[SessionRecord]) -> datetime | None:
    """Return when the first session was opened."""
    return min((session.began for session in sessions), default=None)


def sum_usage(attempt: UnreconciledAttempt, used: Iterable[SessionUsage], fleet: str) -> Usage:
    """Add up what the service counted in the sessions of an attempt, found by id or by metadata."""
    metadata = build_metadata(fleet, attempt.opener).items()
    mine = (
        session.usage
        for session in used
        if session.session in attempt.sessions or metadata <= _list_items(session.metadata)
    )
    return reduce(Usage.plus, mine, Usage())


@dataclass(frozen=True)
class Bill:
    """What a service bills for a sweep in total."""

    tokens: int = 0
    usd: float | None = None  # None if it names no amounts

    def plus(self, used: SessionUsage) -> "Bill":
        known = [amount for amount in (self.usd, used.usd) if amount is not None]
        return Bill(self.tokens + used.usage.tokens, sum(known) if known else None)

    @property
    def micro_usd(self) -> int | None:
        return None if self.usd is None else round(self.usd * MICRO)


def sum_bills(used: Iterable[SessionUsage], fleet: str) -> dict[str, Bill]:
    """Add up the bills of each sweep, from sessions that this installation opened."""
    by_sweep: dict[str, Bill] = {}
    for session in used:
        if session.metadata.get("fleet") == fleet and (sweep := session.metadata.get("sweep")):
            by_sweep[sweep] = by_sweep.get(sweep, Bill()).plus(session)
    return by_sweep


def _list_items(metadata: Mapping[str, str]) -> set[tuple[str, str]]:
    return set(metadata.items())


def plan_windows(attempts: Iterable[UnreconciledAttempt], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Split the time in which ended attempts can have used anything into windows of full hours."""
    return split_into_windows(min(attempt.began or (attempt.over or now) - UNSEEN for attempt in attempts), now)


def split_into_windows(start: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Split the time from `start` to now into windows of full hours, none longer than the service allows."""
    ends = _floor_to_hour(now + AHEAD) + timedelta(hours=1)
    start = _floor_to_hour(start)
    while start < ends:
        yield start, min(start + LONGEST_WINDOW, ends)
        start += LONGEST_WINDOW


def _floor_to_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
