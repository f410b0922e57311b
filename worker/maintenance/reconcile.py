"""What the service says of attempts in attempt, judged: which sessions to finish, which are over, what was used."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce

from scheduler.state.reconciliation import UnreconciledAttempt
from sweeps.cost import Usage
from sweeps.stage import MICRO
from worker.sdk.rest import SessionRecord, SessionUsage

LONGEST_WINDOW = timedelta(days=14)  # of a look at the bills
UNSEEN = timedelta(days=1)  # looked back before the end of an attempt that left no session
AHEAD = timedelta(minutes=5)  # this close to the next full hour, what is counted now may fall into it

FINAL = ("client_finished", "failed")  # nothing more can be asked for in such a session, whoever holds on to it


def build_metadata(fleet: str, opener: str) -> dict[str, str]:
    """What a session was opened with by an attempt (stage|number): see worker/pipeline.py."""
    stage, _, attempt = opener.rpartition("|")
    return {"fleet": fleet, "stage": stage, "attempt": attempt}


def select_unfinished(found: Iterable[SessionRecord], asked: Container[str]) -> list[str]:
    """The sessions of an attempt that has ended which may still be worked in, and have not been asked to end yet.

    One that the service only thinks dead, for want of heartbeats, may come to life with a worker that was frozen.
    """
    return [session.id for session in found if session.status not in FINAL and session.id not in asked]


def are_over(found: Iterable[SessionRecord], finished: Container[str]) -> bool:
    """Is nothing more to come of them? `finished` are those that the service let us finish."""
    return all(session.status != "active" or session.id in finished for session in found)


def find_start(found: Iterable[SessionRecord]) -> datetime | None:
    """When the first session was opened."""
    return min((session.began for session in found), default=None)


def sum_usage(attempt: UnreconciledAttempt, used: Iterable[SessionUsage], fleet: str) -> Usage:
    """All that the service counted in the sessions of a attempt, known by name or by what they were opened with."""
    metadata = build_metadata(fleet, attempt.opener).items()
    mine = (each.usage for each in used if each.session in attempt.sessions or metadata <= _items(each.metadata))
    return reduce(Usage.plus, mine, Usage())


@dataclass(frozen=True)
class Bill:
    """What a service says of a sweep, in all."""

    tokens: int = 0
    usd: float | None = None  # None where it names no amount for anything

    def plus(self, used: SessionUsage) -> "Bill":
        known = [amount for amount in (self.usd, used.usd) if amount is not None]
        return Bill(self.tokens + used.usage.tokens, sum(known) if known else None)

    @property
    def micro_usd(self) -> int | None:
        return None if self.usd is None else round(self.usd * MICRO)


def sum_bills(used: Iterable[SessionUsage], fleet: str) -> dict[str, Bill]:
    """By sweep, of the sessions that this installation opened for it."""
    found: dict[str, Bill] = {}
    for each in used:
        if each.metadata.get("fleet") == fleet and (sweep := each.metadata.get("sweep")):
            found[sweep] = found.get(sweep, Bill()).plus(each)
    return found


def _items(metadata: Mapping[str, str]) -> set[tuple[str, str]]:
    return set(metadata.items())


def plan_windows(attempts: Iterable[UnreconciledAttempt], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Spans of full hours, none too long, that hold all that attempts which are over can have used."""
    return split_into_windows(min(attempt.began or (attempt.over or now) - UNSEEN for attempt in attempts), now)


def split_into_windows(start: datetime, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Full hours from then to now, none too many at a time."""
    ends = _floor_to_hour(now + AHEAD) + timedelta(hours=1)
    start = _floor_to_hour(start)
    while start < ends:
        yield start, min(start + LONGEST_WINDOW, ends)
        start += LONGEST_WINDOW


def _floor_to_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
