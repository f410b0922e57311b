"""Read what is known of the services and apply the conclusions: the limits of pools, and suspicion of a service.

`read_service` reads, capacity.py and breaker.py conclude, and a verb writes the conclusion, unless another scheduler
wrote meanwhile.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from scheduler.engine.breaker import LATELY, ServiceHealth, Timing, find_suspicion
from scheduler.engine.capacity import Bounds, Capacity, PoolSnapshot, adapt_capacity, count_room
from scheduler.services import CLIENTS
from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.service_facts import MORE
from scheduler.state.states import BreakerState, StageState
from scheduler.state.store import Store

OLDEST = 300  # ready stages to look at


@dataclass(frozen=True)
class PoolView:
    """The slots of one kind of client."""

    name: str
    version: str
    capacity: Capacity
    snapshot: PoolSnapshot
    since: Mapping[str, int]  # signal -> since when the first client has it; milliseconds


@dataclass(frozen=True)
class ServiceView:
    """One service at one moment. Times in milliseconds, 0 for never."""

    name: str
    now: int
    state: BreakerState
    since: int
    cause: str
    next_canary: int
    heard: int
    pools: Mapping[str, PoolView]

    @property
    def health(self) -> ServiceHealth:
        """Its health, judged by the clients that wait although the service does not tell them to."""
        waiting = [
            pool.since[state] for pool in self.pools.values() for state in ("opening", "active") if state in pool.since
        ]
        return ServiceHealth(self.now, self.heard, min(waiting, default=0))


def read_service(store: Store, service: str, bounds: Bounds, wanted: Collection[str] = ()) -> ServiceView:
    """Read one service. `wanted` are the pools in which more stages would start."""
    pools = [f"{service}/{client}" for client in CLIENTS]
    seen: dict[str, Any] = json.loads(store.scripts.run("read_service", service, count_milliseconds(LATELY), *pools))
    pipe = store.client.pipeline(transaction=False)
    for pool in pools:
        pipe.hgetall(keys.capacity(pool))
    pipe.hgetall(keys.breaker(service))
    pipe.hget(keys.account(service), "clients")
    *rows, breaker, clients = pipe.execute()
    begin = {f"{service}/training": _start_from_probe(clients, bounds)}
    return ServiceView(
        name=service,
        now=seen["now"],
        state=BreakerState(seen["state"]),
        since=seen["since"],
        cause=breaker.get("cause", ""),
        next_canary=int(breaker.get("next", 0)),
        heard=seen["heard"],
        pools={
            pool: _make_pool_view(pool, row or begin.get(pool, {}), seen, bounds, wanted=pool in wanted)
            for pool, row in zip(pools, rows, strict=True)
        },
    )


def find_oldest_ready(store: Store) -> int | None:
    """Return since when the oldest stage is ready that a sweep pays for now (milliseconds); None if there is none.

    It looks at the oldest few hundred: those of paused sweeps, and those that wait before their next try, do not count.
    """
    there = store.client.zrange(keys.state(StageState.READY), 0, OLDEST - 1, withscores=True)
    live = store.client.smembers(keys.LIVE) if there else set()
    pipe = store.client.pipeline(transaction=False)
    for stage, _ in there:
        pipe.smembers(keys.subscribers(stage))
        pipe.zscore(keys.DELAYED, stage)
    answers = pipe.execute() if live else []
    waiting = zip(there, answers[::2], answers[1::2], strict=False)
    return next((int(since) for (_, since), sweeps, delay in waiting if delay is None and live & sweeps), None)


def apply_conclusions(store: Store, seen: ServiceView, bounds: Bounds, timing: Timing) -> dict[str, int]:
    """Conclude from a look and write the conclusions. Return how many more clients each pool may open."""
    if seen.state is BreakerState.CLOSED and (cause := find_suspicion(seen.health, timing)):
        store.scripts.run("suspect_service", seen.name, cause)
        return dict.fromkeys(seen.pools, 0)
    rooms = {name: _conclude_pool(store, pool, bounds) for name, pool in seen.pools.items()}
    return rooms if seen.state is BreakerState.CLOSED else dict.fromkeys(rooms, 0)


def _conclude_pool(store: Store, pool: PoolView, bounds: Bounds) -> int:
    concluded = adapt_capacity(pool.capacity, pool.snapshot, bounds)
    if concluded != pool.capacity or pool.version == "0":
        words = [word for name, value in asdict(concluded).items() for word in (name, int(value))]
        store.scripts.run("write_capacity", pool.name, pool.version, concluded.limit, *words)
    return count_room(concluded, pool.snapshot)


def _make_pool_view(
    pool: str, row: Mapping[str, str], seen: Mapping[str, Any], bounds: Bounds, *, wanted: bool
) -> PoolView:
    there: dict[str, Any] = seen["pools"][pool]
    signals: Counter[str] = Counter(there["signals"])
    snapshot = PoolSnapshot(
        now=seen["now"],
        taken=there["taken"],
        opened=there["opened"],
        opening=there["taken"] - signals.total() + signals["opening"],  # a stage that is not claimed yet has no signal
        queued=signals["queued"],
        limited=signals["limited"],
        signalled_at=max(there["last"].get("queued", 0), there["last"].get("limited", 0)),
        starved=signals["starved"],
        troubled=seen["troubled"],
        recovered=seen["recovered"],
        wanted=wanted,
    )
    return PoolView(pool, row.get("version", "0"), _make_capacity(row, bounds), snapshot, there["since"])


def _start_from_probe(clients: str | None, bounds: Bounds) -> Mapping[str, str]:
    """Start from what `sweep doctor --live` measured: exactly that many clients, or at least that many."""
    if not clients:
        return {}
    count = min(bounds.ceiling, max(bounds.floor, int(clients.removesuffix(MORE))))
    return {"limit": str(count), "proven": str(count), "searching": str(int(clients.endswith(MORE)))}


def _make_capacity(row: Mapping[str, str], bounds: Bounds) -> Capacity:
    if "limit" not in row:
        return Capacity(limit=min(max(bounds.start, bounds.floor), bounds.ceiling))
    known = {field.name: int(row[field.name]) for field in fields(Capacity) if field.name in row}
    return Capacity(**{**known, "searching": bool(known.get("searching", 1))})  # type: ignore[arg-type]
