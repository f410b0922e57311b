"""Why anything waits, in the words that a person should read first: pure, of what the views say."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scheduler.engine.fleet import PoolView, ServiceView
from scheduler.services import pool_of
from scheduler.state.bug_log import Bug, describe_bug
from scheduler.state.states import BreakerState, StageState
from scheduler.state.views import SweepView
from sweeps.formatting import format_duration, format_usd

GATES = {
    "day budget": "day budget: what all sweeps may spend in a day (SWEEP_DAY_BUDGET) is spent or held; "
    "`sweep costs` shows it, and it goes on at 00:00 UTC",
    "no price": "no price: under a budget nothing runs that has none; add one in a file that SWEEP_PRICES names, "
    "and submit the sweep under another name",
}


@dataclass(frozen=True)
class FleetStatus:
    """All that stands between a ready stage and its start."""

    workers: int
    threads: int  # free ones
    services: Mapping[str, ServiceView]
    supervised: bool = False  # is there a supervisor on this machine, which starts workers?
    bugs: Sequence[Bug] = ()
    now: int = 0  # milliseconds


def why_it_waits(view: SweepView, fleet: FleetStatus) -> str:
    """The one reason that a person should know first; empty if nothing waits without need."""
    if view.state == "cancelled":
        return view.why
    return next(_reasons(view, fleet), "") if view.state in ("opening", "paused", "active") else ""


def _reasons(view: SweepView, fleet: FleetStatus) -> Iterator[str]:
    yield from _state_reasons(view)
    yield from _window_reasons(view)
    yield from _bug_reasons(fleet)
    if view.ended == view.total:
        return
    if not fleet.workers:
        yield _explain_no_worker(view, fleet)
    for service in _services(view, fleet):
        yield from _breaker_reasons(service)
    yield from _budget_reasons(view)
    for service in _services(view, fleet):
        yield from _service_pauses(view, service)
    yield from _slot_reasons(view, fleet)


def _explain_no_worker(view: SweepView, fleet: FleetStatus) -> str:
    if not fleet.supervised:
        return "no worker is up: `sweep up` starts some"
    if not (view.tokens or view.ended):
        return "no worker is up yet: they are starting"
    return "no worker is heard: what ended is started again; one that hangs has to be killed, then it is, too"


def _state_reasons(view: SweepView) -> Iterator[str]:
    if view.state == "opening":
        yield "not wholly submitted: submit the same file again"
    if view.state == "paused":
        yield f"paused since {format_clock(view.since)}; `sweep resume {view.name}` goes on"


def _window_reasons(view: SweepView) -> Iterator[str]:
    if view.outside:
        again = f", goes on at {format_clock(view.turn)}" if view.turn else ""
        yield f"outside its hours ({view.hours}){again}" if view.hours else "its hours are looked at by the next tick"


def _bug_reasons(fleet: FleetStatus) -> Iterator[str]:
    for bug in fleet.bugs:
        if bug.stops(fleet.now):
            yield f"{describe_bug(bug)}; nothing new is started until it is mended and `sweep up` started again"
    for bug in fleet.bugs:
        if bug.is_fresh(fleet.now):
            yield describe_bug(bug)


def _services(view: SweepView, fleet: FleetStatus) -> list[ServiceView]:
    return [fleet.services[name] for name in view.services if name in fleet.services]


def _breaker_reasons(service: ServiceView) -> Iterator[str]:
    since = format_duration((service.now - service.since) / 1000)
    canary = max(0, service.next_canary - service.now) / 1000
    match service.state:
        case BreakerState.STOPPED:
            stopped = f"{service.name} stopped at {format_clock(service.since)}: {service.cause}"
            yield f"{stopped}; `sweep resume` tries it again"
        case BreakerState.OPEN:
            yield f"breaker open {since}, next canary in {format_duration(canary)}: {service.name}: {service.cause}"
        case BreakerState.SUSPECT:
            yield f"{service.name} is being tried, for {service.cause}"


def _budget_reasons(view: SweepView) -> Iterator[str]:
    if view.gate == "budget" and view.limit is not None:
        held = view.spent + view.reserved + view.unreconciled
        said = (
            f"budget: {format_usd(held)} of {format_usd(view.limit)} reserved, {format_usd(view.spent)} of that spent"
        )
        yield f"{said}; `sweep budget {view.name} USD` raises it"
    if view.gate in GATES:
        yield GATES[view.gate]


def _service_pauses(view: SweepView, service: ServiceView) -> Iterator[str]:
    for pool in _pools(view, service):
        told = {"starved": ("capacity", pool.snapshot.starved), "limited": ("too many clients", pool.snapshot.limited)}
        for sign, (what, count) in told.items():
            if count:
                since = format_clock(pool.since[sign])
                yield f"paused: {what} since {since} ({count} of {pool.snapshot.taken} clients)"


def _slot_reasons(view: SweepView, fleet: FleetStatus) -> Iterator[str]:
    ready = view.counts.get(StageState.READY, 0) - view.delayed
    if ready <= 0:
        if view.again:
            yield f"{_wait(view.delayed)} after a failure; the next try is at {format_clock(view.again, seconds=True)}"
        return
    wait = _wait(ready)
    if view.slots and view.inflight >= view.slots:
        yield f"{wait} for one of the {view.slots} slots that its file allows"
    for service in _services(view, fleet):
        for pool in _pools(view, service):
            if pool.snapshot.queued or pool.snapshot.taken >= pool.capacity.limit:
                queued = f", {pool.snapshot.queued} queued at the service" if pool.snapshot.queued else ""
                yield f"waiting: {pool.snapshot.taken - pool.snapshot.queued} of {pool.capacity.limit} slots{queued}"
    yield f"{wait} for a free thread" if not fleet.threads else f"{wait} for the next tick"


def _wait(stages: int) -> str:
    return "1 stage waits" if stages == 1 else f"{stages:,} stages wait"


def _pools(view: SweepView, service: ServiceView) -> Iterator[PoolView]:
    names = {pool_of(lane) for lane in view.lanes}
    return (pool for name, pool in service.pools.items() if name in names)


def format_clock(milliseconds: int, *, seconds: bool = False) -> str:
    """02:14, in the time zone of whoever asks."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(milliseconds / 1000))
