"""Explain why a sweep waits, the most important reason first. Pure: reads only the values it is given."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scheduler.engine.fleet import PoolView, ServiceView
from scheduler.services import find_pool
from scheduler.state.bug_log import Bug, describe_bug
from scheduler.state.server.failover import Books
from scheduler.state.states import BreakerState, StageState
from scheduler.state.views import SweepView
from sweeps.formatting import format_count, format_duration, format_usd

DAY_BUDGET = (
    "day budget: all sweeps together have spent or hold what they may in a day (SWEEP_DAY_BUDGET); "
    "`sweep costs` shows it; it continues at 00:00 UTC"
)
NO_PRICE = (
    "no price: a sweep with a budget runs no model without a price; add the price in a file that SWEEP_PRICES names, "
    "and submit the sweep under another name"
)
STARTING = 60.0  # seconds for which a worker that does not answer yet is starting
CAUSES = 3  # of retries, in one sentence
USER_BUDGET = (
    "user {period} budget: the sweeps of {user} have spent or hold what they may in a {period}; "
    "`sweep costs` shows it; an admin raises it (`sweep token budget {user} USD/{period}`), "
    "or it continues at {turn} UTC"
)
GATES = {
    "day budget": DAY_BUDGET,
    "user day budget": USER_BUDGET.format(period="day", user="{user}", turn="00:00"),
    "user month budget": USER_BUDGET.format(period="month", user="{user}", turn="the first of the month, 00:00"),
    "no price": NO_PRICE,
}


class Reason(NamedTuple):
    """Why a sweep waits: the gate for programs, and a sentence for people; both empty if nothing waits."""

    gate: str
    text: str


def describe_books(books: Books) -> str:
    """Say what is wrong with the books; empty if nothing is."""
    if books.closed:
        why = f"{books.cause}; nothing new starts until they are compared with the sessions at the service"
        return f"the books are closed since {format_clock(books.closed)}: {why}"
    return "; ".join(_list_doubts(books))


def _list_doubts(books: Books) -> Iterator[str]:
    if books.attempts:
        what = f"{format_count(books.attempts, 'attempt')} of unknown cost, which is booked as unreconciled"
        since = format_clock(books.doubted)
        yield f"the books are uncertain by at most {format_usd(books.doubtful)} since {since}: {what}"
    for service, (began, most_usd) in books.untold.items():
        most = "an unknown amount" if most_usd is None else f"at most {format_usd(most_usd)}"
        why = f"{service} lists neither sessions nor usage; compare its bill"
        yield f"the books are uncertain by {most} since {format_clock(began)}: {why}"


@dataclass(frozen=True)
class FleetStatus:
    """All that can keep a ready stage from starting."""

    workers: int
    threads: int  # free ones
    services: Mapping[str, ServiceView]
    up_seconds: float | None = None  # since a supervisor of this machine began to start workers; None: none runs
    bugs: Sequence[Bug] = ()
    refusal: str = ""  # what Redis does not allow us, and the line that allows it
    now: int = 0  # milliseconds
    books: Books = field(default_factory=Books)


def explain_waiting(view: SweepView, fleet: FleetStatus) -> Reason:
    """Return the first reason that a person should know."""
    if view.state == "cancelled":
        return Reason("cancelled" if view.why else "", view.why)
    waits = view.state in ("opening", "paused", "active")
    return next(_list_reasons(view, fleet), Reason("", "")) if waits else Reason("", "")


def _list_reasons(view: SweepView, fleet: FleetStatus) -> Iterator[Reason]:
    yield from _state_reasons(view)
    yield from _explain_window(view)
    yield from _explain_bugs(fleet)
    if view.ended == view.total:
        if view.rounds_wait:
            yield Reason("rounds", f"its next round is not decided: {view.rounds_wait}")
        return
    if fleet.books.closed:
        yield Reason("books", describe_books(fleet.books))
    if not fleet.workers:
        yield Reason("worker", _explain_no_worker(fleet))
    for service in _list_services(view, fleet):
        yield from explain_breaker(service)
    yield from _explain_budget(view)
    for service in _list_services(view, fleet):
        yield from _explain_pauses(view, service)
    yield from _explain_slots(view, fleet)


def _explain_no_worker(fleet: FleetStatus) -> str:
    if fleet.up_seconds is None:
        return "no worker is running yet: a `sweep run` starts them within seconds; else start some with `sweep up`"
    if fleet.up_seconds < STARTING:
        return "workers are starting"
    return "no worker answers: workers restart by themselves; kill one that hangs for minutes"


def _state_reasons(view: SweepView) -> Iterator[Reason]:
    if view.state == "opening":
        yield Reason("opening", "submitting was interrupted: submit the same file again")
    if view.state == "paused":
        since = format_clock(view.since)
        yield Reason("paused", f"paused since {since}; `sweep resume {view.name}` continues it")


def _explain_window(view: SweepView) -> Iterator[Reason]:
    if view.outside:
        again = f", continues at {format_clock(view.turn)}" if view.turn else ""
        text = f"outside its window ({view.hours}){again}" if view.hours else "the next tick reads its window"
        yield Reason("window", text)


def _explain_bugs(fleet: FleetStatus) -> Iterator[Reason]:
    if fleet.refusal:
        yield Reason("permission", fleet.refusal)
    for bug in fleet.bugs:
        if bug.stops(fleet.now):
            text = f"{describe_bug(bug)}; nothing new starts until it is fixed and `sweep up` restarted"
            yield Reason("bug", text)
    for bug in fleet.bugs:
        if bug.is_fresh(fleet.now):
            yield Reason("bug", describe_bug(bug))


def _list_services(view: SweepView, fleet: FleetStatus) -> list[ServiceView]:
    return [fleet.services[name] for name in view.services if name in fleet.services]


def explain_breaker(service: ServiceView) -> Iterator[Reason]:
    """Say why a service is not used, if it is not."""
    since = format_duration((service.now - service.since) / 1000)
    canary = format_duration(max(0, service.next_canary - service.now) / 1000)
    match service.state:
        case BreakerState.STOPPED:
            stopped = f"{service.name} stopped at {format_clock(service.since)}: {service.cause}"
            yield Reason("service stopped", f"{stopped}; `sweep resume` tries it again")
        case BreakerState.OPEN:
            text = f"{service.name}: breaker open for {since}, next canary in {canary}: {service.cause}"
            yield Reason("breaker", text)
        case BreakerState.SUSPECT:
            yield Reason("breaker", f"{service.name}: checking whether it is down: {service.cause}")


def _explain_budget(view: SweepView) -> Iterator[Reason]:
    if view.gate == "budget" and view.limit is not None:
        held = view.spent + view.reserved + view.unreconciled
        reserved = f", {format_usd(held - view.spent)} reserved" if held > view.spent else ""
        used = f"{format_usd(view.spent)} of {format_usd(view.limit)} spent{reserved}"
        advice = f"the next stage does not fit; `sweep budget {view.name} USD` raises the budget"
        yield Reason("budget", f"budget: {used}; {advice}")
    if view.gate in GATES:
        yield Reason(view.gate, GATES[view.gate].replace("{user}", view.user))


def _explain_pauses(view: SweepView, service: ServiceView) -> Iterator[Reason]:
    for pool in _list_pools(view, service):
        seen = pool.snapshot
        pauses = (
            ("starved", "capacity", "no capacity", seen.starved),
            ("limited", "clients", "too many", seen.limited),
        )
        for state, gate, cause, count in pauses:
            if count:
                since = format_clock(pool.since[state])
                text = f"{service.name} pauses {count} of {seen.taken} clients since {since} ({cause})"
                yield Reason(gate, text)


def _explain_slots(view: SweepView, fleet: FleetStatus) -> Iterator[Reason]:
    ready = view.counts.get(StageState.READY, 0) - view.delayed
    if ready <= 0:
        if view.again:
            yield Reason("retry", describe_retries(view))
        return
    stages = format_count(ready, "ready stage")
    if view.slots and view.inflight >= view.slots:
        yield Reason("sweep slots", f"{stages}: none of the {view.slots} slots that its file allows is free")
    for service in _list_services(view, fleet):
        for pool in _list_pools(view, service):
            seen = pool.snapshot
            if seen.queued or seen.taken >= pool.capacity.limit:
                queued = f", {seen.queued} queued at the service" if seen.queued else ""
                used = f"{seen.taken - seen.queued} of {pool.capacity.limit}"
                grows = "; a higher limit is being tried" if pool.capacity.searching else ""
                yield Reason("slots", f"{stages}: {service.name} has {used} allowed clients open{queued}{grows}")
    if fleet.threads:
        yield Reason(
            "tick", "1 ready stage starts in a moment" if ready == 1 else f"{ready:,} ready stages start in a moment"
        )
    else:
        yield Reason("threads", f"{stages}: no free worker thread")


def describe_retries(view: SweepView) -> str:
    """Say how many stages wait before their next try, until when, and why; empty if none does."""
    if not view.again:
        return ""
    tries = "1 stage tries" if view.delayed == 1 else f"{view.delayed:,} stages try"
    reasons = [f"{count:,} because: {cause}" for cause, count in view.retries[:CAUSES]]
    if more := sum(count for _, count in view.retries[CAUSES:]):
        reasons.append(f"{more:,} for other reasons")
    why = f": {'; '.join(reasons)}" if reasons else " after a failure"
    return f"{tries} again, the next at {format_clock(view.again, seconds=True)}{why}"


def _list_pools(view: SweepView, service: ServiceView) -> Iterator[PoolView]:
    names = {find_pool(lane) for lane in view.lanes}
    return (pool for name, pool in service.pools.items() if name in names)


def format_clock(milliseconds: int, *, seconds: bool = False) -> str:
    """Format a time of day, such as 02:14, in the local time zone."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(milliseconds / 1000))
