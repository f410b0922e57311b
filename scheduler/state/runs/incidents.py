"""Count what befell a sweep without ending it: outages of its services, and attempts lost with their worker."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scheduler.state import keys
from scheduler.state.events import read_events
from scheduler.state.states import ENDED_SWEEPS, BreakerState
from scheduler.state.store import Store
from scheduler.state.views import SweepView
from sweeps.formatting import format_count, format_duration

LOST = "the lease ran out"  # the detail that `expire_attempts.lua` gives to such an event
PAGE = 1000  # events in one round trip
EVERY = 100_000  # events: more than are kept
DOWN = (BreakerState.OPEN, BreakerState.STOPPED)


class Incidents(NamedTuple):
    """What befell a sweep while it ran."""

    outages: int = 0
    outage_seconds: float = 0.0
    lost_attempts: int = 0

    def describe(self) -> list[str]:
        """Write one line for each kind of incident."""
        lines = []
        if self.outages:
            lines.append(f"{format_count(self.outages, 'outage')}: {format_duration(self.outage_seconds)} in all")
        if self.lost_attempts:
            lost = "was lost with its worker" if self.lost_attempts == 1 else "were lost with their workers"
            lines.append(f"{format_count(self.lost_attempts, 'attempt')} {lost}")
        return lines

    @property
    def sentence(self) -> str:
        """All of it in a sentence; "" if nothing befell the sweep."""
        lines = self.describe()
        return f"On the way: {'; '.join(lines)}. What was lost was done again." if lines else ""


def read_incidents(store: Store, view: SweepView) -> Incidents:
    """Read what befell a sweep from its first stage to its end, or until now."""
    started = store.client.hget(keys.sweep(view.name), "started")
    if started is None:
        return Incidents()
    begin, now = int(started), store.scripts.read_time()
    end = view.since if view.state in ENDED_SWEEPS else now
    moves = _list_breaker_moves(store)
    spans = [
        (max(begin, down), min(end, up))
        for service in view.services
        for down, up in _list_outages(moves, service, now)
        if up > begin and down < end
    ]
    events = read_events(store, view.name, last=EVERY)
    lost = sum(event.detail.startswith(LOST) for event in events)
    return Incidents(len(spans), sum(up - down for down, up in spans) / 1000, lost)


def _list_outages(moves: Sequence[tuple[int, str, str]], service: str, now: int) -> Iterator[tuple[int, int]]:
    """List when a service was down, from the moves of its breaker; an outage that goes on ends now. Milliseconds."""
    down: int | None = None
    for at, to, detail in moves:
        if not detail.startswith(f"{service}: "):
            continue
        if to in DOWN and down is None:
            down = at
        elif to == BreakerState.CLOSED and down is not None:
            yield down, at
            down = None
    if down is not None:
        yield down, now


def _list_breaker_moves(store: Store) -> list[tuple[int, str, str]]:
    """List when which breaker came to which state, oldest first."""
    moves: list[tuple[int, str, str]] = []
    newest = "+"
    while page := store.client.xrevrange(keys.EVENTS, newest, count=PAGE):
        moves += [(int(row["at"]), row.get("to", ""), row["detail"]) for _, row in page if not row.get("stage")]
        newest = f"({page[-1][0]}"
    return moves[::-1]
