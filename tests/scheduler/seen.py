"""What must hold of all that is stored, whatever was done: after each verb, and once every change has been spread."""

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from scheduler.services import find_pool, make_lane
from scheduler.state import keys, views
from scheduler.state.states import FINISHED, StageState
from scheduler.state.store import Store
from sweeps.stage import Stage
from tests.scheduler.plans import MODEL

Row = Mapping[str, str]
LANE = make_lane(MODEL)
MONEY = ["spent", "reserved", "unreconciled", "inflight", "tokens"]
BOOKED = ("spent", "unreconciled")
KINDS = ("train", "evaluate")
BY_KIND = [f"{what}:{kind}" for what in MONEY if what != "inflight" for kind in KINDS]


@dataclass(frozen=True)
class Seen:
    """The truth at one moment."""

    now: int
    stages: Mapping[str, Row]
    checkpoints: Mapping[str, list[str]]  # paths, the oldest first
    indices: Mapping[str, list[str]]  # state -> stages
    books: Mapping[str, Mapping[str, int]]  # sweep -> its money
    ready: Mapping[str, set[str]]  # sweep -> its queue
    subscribers: Mapping[str, set[str]]
    live: set[str]
    held: set[str]
    progressed: set[str]
    discarded: set[str]  # paths
    unreconciled: list[str]
    changed: int

    @property
    def unfinished(self) -> list[str]:
        return [stage for stage, row in self.stages.items() if row["state"] not in FINISHED]

    def state(self, stage: str) -> str:
        return self.stages[stage]["state"]

    def payable(self, stage: str) -> bool:
        return bool(self.subscribers[stage] & self.live)

    def wanted(self, stage: str) -> bool:
        return self.payable(stage) or bool(self.subscribers[stage] & self.held)


def look(client: Any, now: int, stages: Iterable[str], sweeps: Iterable[str]) -> Seen:
    """All of it in one transaction."""
    stages, sweeps, pipe = list(stages), list(sweeps), client.pipeline()
    for stage in stages:
        pipe.hgetall(keys.stage(stage))
        pipe.lrange(keys.checkpoints(stage), 0, -1)
        pipe.smembers(keys.subscribers(stage))
    for state in StageState:
        pipe.zrange(keys.state(state), 0, -1)
    for sweep in sweeps:
        pipe.hmget(keys.sweep(sweep), [*MONEY, *BY_KIND])
        pipe.zrange(keys.sweep_ready(sweep, LANE), 0, -1)
    for name in (keys.LIVE, keys.HELD):
        pipe.smembers(name)
    for name in (keys.PROGRESSED, keys.DISCARDED, keys.UNRECONCILED):
        pipe.zrange(name, 0, -1)
    pipe.zcard(keys.CHANGED)
    answers = iter(pipe.execute())
    by_stage = {stage: (next(answers), next(answers), next(answers)) for stage in stages}
    there = {stage: entry for stage, entry in by_stage.items() if entry[0]}
    indices = {str(state): next(answers) for state in StageState}
    by_sweep = {sweep: (next(answers), next(answers)) for sweep in sweeps}
    live, held, progressed, discarded, unreconciled, changed = answers
    return Seen(
        now=now,
        stages={stage: row for stage, (row, _, _) in there.items()},
        checkpoints={stage: [json.loads(text)["path"] for text in texts] for stage, (_, texts, _) in there.items()},
        subscribers={stage: names for stage, (_, _, names) in there.items()},
        indices=indices,
        books={
            sweep: dict(zip([*MONEY, *BY_KIND], (int(value or 0) for value in values), strict=True))
            for sweep, (values, _) in by_sweep.items()
        },
        ready={sweep: set(queue) for sweep, (_, queue) in by_sweep.items()},
        live=live,
        held=held,
        progressed=set(progressed),
        discarded={member.partition("|")[2] for member in discarded},
        unreconciled=unreconciled,
        changed=changed,
    )


# After each verb.


def check_indices(seen: Seen) -> None:
    """The indices say what the hashes say; what runs, and only that, has a lease and is watched.

    Nothing of an attempt outlives it: what the next one found there would be taken for its own.
    """
    for state, there in seen.indices.items():
        assert sorted(there) == sorted(stage for stage, row in seen.stages.items() if row["state"] == state)
    running = set(seen.indices[StageState.RUNNING])
    assert seen.progressed == running
    for field in ("fence", "call", "slot"):
        assert {stage for stage, row in seen.stages.items() if field in row} == running, field
    for field in ("opened_by", "opened_usage"):
        assert {stage for stage, row in seen.stages.items() if field in row} <= running, field
    assert not seen.live & seen.held


def check_books(seen: Seen, limits: Mapping[str, int | None], booked: Mapping[str, tuple[str, int]]) -> None:
    """What sweeps have spent is what their attempts have said, or the service of them: attempt -> payer, amount."""
    for sweep, book in seen.books.items():
        under_way = [row for row in seen.stages.values() if _holds(row) and row["payer"] == sweep]
        assert book["inflight"] == len(under_way)
        assert book["reserved"] == sum(int(row["reserved"]) for row in under_way)
        assert min(book.values()) >= 0
        assert book["spent"] == book["tokens"] == sum(amount for payer, amount in booked.values() if payer == sweep)
        for what in ("spent", "reserved", "unreconciled", "tokens"):
            assert book[what] == sum(book[f"{what}:{kind}"] for kind in KINDS)
        limit = limits[sweep]
        assert limit is None or book["spent"] + book["reserved"] + book["unreconciled"] <= limit
    for mine, theirs in (("micro_usd", "spent"), ("tokens", "tokens"), ("unreconciled", "unreconciled")):
        total = sum(int(row.get(mine, 0)) for row in seen.stages.values())
        assert total == sum(book[theirs] for book in seen.books.values()), mine


def check_days(client: Any, seen: Seen, service: str, days: Sequence[int], limit: int | None) -> None:
    """What the days at a service and its reservations add up to is what sweeps have; no day goes beyond the limit."""
    pipe = client.pipeline()
    pipe.hget(keys.RESERVED, service)
    for day in days:
        pipe.hgetall(keys.day(service, day))
    held, *rows = pipe.execute()
    reserved = int(held or 0)
    books = [{what: int(row.get(what, 0)) for what in ("spent", "unreconciled")} for row in rows]
    for what in ("spent", "unreconciled"):
        assert sum(book[what] for book in books) == sum(book[what] for book in seen.books.values())
        assert books[-1][what] >= 0
    assert reserved == sum(book["reserved"] for book in seen.books.values())
    if limit is not None:
        assert max(book["spent"] + book["unreconciled"] for book in books) <= limit
        assert books[-1]["spent"] + books[-1]["unreconciled"] + reserved <= limit


def check_users(client: Any, seen: Seen, user: str, days: Sequence[int], limit: int | None) -> None:
    """What the days and months of the only user add up to is what sweeps have; no day goes beyond the limit."""
    months = sorted({f"{date(1970, 1, 1) + timedelta(days=day):%Y-%m}" for day in days})
    rows = [client.hgetall(keys.spending(user, month)) for month in months]
    reserved = int(client.hget(keys.USER_RESERVED, user) or 0)
    of_days = {day: sum(int(row.get(f"{what}:{day}", 0)) for row in rows for what in BOOKED) for day in days}
    for what in BOOKED:
        total = sum(book[what] for book in seen.books.values())
        assert sum(int(row.get(what, 0)) for row in rows) == total
        assert sum(int(row.get(f"{what}:{day}", 0)) for row in rows for day in days) == total
    assert reserved == sum(book["reserved"] for book in seen.books.values())
    assert limit is None or max(*of_days.values(), of_days[days[-1]] + reserved) <= limit


def check_slots(client: Any, seen: Seen) -> None:
    """Whatever is under way in a client of its own holds a slot for as long as its claim or its lease."""
    slots, of_pool = (_not_over(client, keys.slots(pool), seen.now) for pool in (LANE, find_pool(LANE)))
    assert slots == of_pool
    for state in (StageState.DISPATCHED, StageState.RUNNING):
        for stage, until in client.zrange(keys.state(state), 0, -1, withscores=True):
            own = f"{stage}|{seen.stages[stage]['attempt']}"
            if until > seen.now and seen.stages[stage].get("slot", own) == own:
                assert slots[own] >= until, f"{own} is under way without a slot"


def _not_over(client: Any, key: str, now: int) -> dict[str, float]:
    """Those that still count; what has run out is cleared away by whoever comes by."""
    return {slot: until for slot, until in client.zrange(key, 0, -1, withscores=True) if until > now}


def _holds(row: Row) -> bool:
    return row["state"] in ("dispatched", "running")


def check_checkpoints(seen: Seen, kept: Mapping[str, list[str]]) -> None:
    """Those that the law keeps are there, and none of what is there is given away to be deleted."""
    for stage, paths in seen.checkpoints.items():
        assert paths == kept.get(stage, [])
        assert not seen.discarded.intersection(paths)


def asked(seen: Seen, stage: str) -> str:
    """What the next renewal must say of a stage that runs."""
    if seen.stages[stage]["payer"] in seen.live:
        return "held"
    return "yield" if seen.wanted(stage) else "stop"


# Once everything has been spread.


def check_rest(seen: Seen, plan: Mapping[str, Stage]) -> None:
    """Every stage is where its parents and its sweeps want it: none is stuck, none goes on unpaid."""
    assert seen.changed == 0
    for stage, row in seen.stages.items():
        state, parents = row["state"], plan[stage].parents
        ended = {seen.state(parent) for parent in parents}
        assert state != "waiting" or ended - {"succeeded"}
        assert state not in ("ready", "skipped") or (ended <= {"succeeded"}) == (state == "ready")
        assert not seen.wanted(stage) or state != "cancelled"
        if seen.payable(stage) and state == "waiting":
            assert any(seen.state(parent) not in FINISHED for parent in parents), f"nothing can release {stage}"
        _check_payer(seen, stage, row)
    for sweep in seen.live:
        assert seen.ready[sweep] == {stage for stage in seen.stages if _startable(seen, stage, sweep)}


def _check_payer(seen: Seen, stage: str, row: Row) -> None:
    if not seen.wanted(stage):
        assert row["state"] in {*FINISHED, "running"}, f"nobody wants {stage}"
    elif row["state"] == "dispatched":
        assert row["payer"] in seen.live


def _startable(seen: Seen, stage: str, sweep: str) -> bool:
    row = seen.stages[stage]
    return row["state"] == "ready" and int(row.get("not_before", 0)) <= seen.now and sweep in seen.subscribers[stage]


def check_unreconciled(client: Any, seen: Seen) -> None:
    """Every unreconciled attempt has its entry, and a sweep's unreconciled money is that of its attempts."""
    kept = sorted(client.scan_iter(match=keys.unreconciled("*")))
    assert kept == sorted(keys.unreconciled(attempt) for attempt in seen.unreconciled)
    rows = [client.hgetall(key) for key in kept]
    for sweep, book in seen.books.items():
        assert book["unreconciled"] == sum(int(row["unreconciled"]) for row in rows if row["payer"] == sweep)


def check_outbox(client: Any) -> None:
    """Every notice has its entry, and that a sweep started is told once, whatever is paused, retried or adopted."""
    names = client.zrange(keys.NOTICES, 0, -1)
    assert sorted(client.scan_iter(match=keys.notice("*"))) == sorted(map(keys.notice, names))
    counts = Counter(tuple(client.hmget(keys.notice(name), ["kind", "sweep"])) for name in names)
    assert max((counts[kind] for kind in counts if kind[0] == "started"), default=0) <= 1


def check_sweep(store: Store, seen: Seen, sweep: str, stages: Iterable[Stage]) -> None:
    """A sweep's counts and aggregates are those of its stages; while it is live it has something left to do."""
    states = [seen.state(stage.id) for stage in stages]
    assert views.read_sweep(store, sweep).counts == Counter(states)
    assert _aggregates(store, sweep) == _recomputed(store, sweep)
    assert sweep not in seen.live or any(state not in FINISHED for state in states)


def _aggregates(store: Store, sweep: str) -> dict[str, Any]:
    (cell,) = views.read_cells(store, sweep)
    metrics: dict[str, Any] = cell["metrics"]
    return metrics


def _recomputed(store: Store, sweep: str) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    for run in views.read_results(store, sweep):
        for metric, value in run.metrics.items():
            values.setdefault(metric, []).append(value)
    return {metric: _Close(seen) for metric, seen in values.items()}


class _Close:
    """Equal to the aggregate of these values, whichever way round they were added up."""

    def __init__(self, values: list[float]) -> None:
        self._values = values

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, dict)
        variance = statistics.variance(self._values) if len(self._values) > 1 else None
        same_spread = other["variance"] == variance or math.isclose(other["variance"], variance or 0.0, abs_tol=1e-9)
        return (
            other["count"] == len(self._values)
            and math.isclose(other["mean"], statistics.fmean(self._values), rel_tol=1e-12, abs_tol=1e-12)
            and same_spread
        )

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"moments of {self._values}"
