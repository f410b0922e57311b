"""Read the state of the fleet as metrics for Prometheus. Writes nothing.

It reads counts that the verbs keep, so a look costs as much as there are unfinished sweeps, however many stages they
have. The labels are bounded: the newest sweeps have their names, and the others are summed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from scheduler.engine.fleet import find_oldest_ready
from scheduler.notify.alert_limits import FORMS
from scheduler.notify.alerts import read_alerts
from scheduler.services import CLIENTS, SERVICES
from scheduler.state import keys
from scheduler.state.bug_log import read_stopping_bugs
from scheduler.state.costs import DAY, read_today
from scheduler.state.server.failover import read_books
from scheduler.state.states import BreakerState, StageState
from scheduler.state.store import Store
from scheduler.state.workers import read_leader
from sweeps.stage import MICRO

SHOWN = 50  # sweeps with a label of their own
OTHER = "other"  # the label of all others together
DAYS = 15  # in which the cost of an attempt may still be unknown: as long as the service tells usage
MONEY = ("spent", "reserved", "unreconciled", "limit")
Labels = tuple[str, ...]


class MetricFamily(NamedTuple):
    """One metric with all its samples."""

    name: str  # without the prefix
    help: str
    samples: Mapping[Any, float]  # the values of its labels -> value
    labels: Labels = ()
    kind: Literal["gauge", "counter"] = "gauge"


def read_metrics(store: Store, scheduler: str) -> list[MetricFamily]:
    """Read every metric. `scheduler` is the name of the process that is asked."""
    return [
        *_read_stages(store),
        *_read_sweeps(store),
        *_read_money(store),
        *_read_services(store),
        *_read_processes(store, scheduler),
        *_read_trouble(store),
    ]


def _make_plain(name: str, text: str, value: float) -> MetricFamily:
    return MetricFamily(name, text, {(): value})


def _read_stages(store: Store) -> Iterator[MetricFamily]:
    pipe = store.client.pipeline(transaction=False)
    for state in StageState:
        pipe.zcard(keys.state(state))
    pipe.zcard(keys.DELAYED)
    *counts, delayed = pipe.execute()
    samples = {(state.value,): float(count) for state, count in zip(StageState, counts, strict=True)}
    yield MetricFamily("stages", "Stages in each state.", samples, ("state",))
    yield _make_plain("delayed_stages", "Stages that wait before their next try.", delayed)
    since, now = find_oldest_ready(store), store.scripts.read_time()
    age = 0.0 if since is None else max(0, now - since) / 1000
    yield _make_plain("oldest_ready_stage_seconds", "For how long the oldest stage that could start is ready.", age)


def _read_sweeps(store: Store) -> Iterator[MetricFamily]:
    live, held = store.client.smembers(keys.LIVE), store.client.smembers(keys.HELD)
    rows = _read_sweep_rows(store, sorted(live | held))
    stages, money = Counter[Labels](), {what: Counter[Labels]() for what in MONEY}
    for place, (name, counts, row) in enumerate(sorted(rows, key=lambda row: -int(row[2]["submitted"] or 0))):
        label = name if place < SHOWN else OTHER
        stages.update({(label, state): int(count) for state, count in counts.items() if int(count)})
        for what in MONEY:
            if row[what]:
                money[what][label,] += int(row[what])
    yield MetricFamily("sweeps", "Unfinished sweeps.", {("live",): len(live), ("held",): len(held)}, ("state",))
    text = "Stages of each unfinished sweep in each state; a stage that sweeps share counts for each."
    yield MetricFamily("sweep_stages", text, stages, ("sweep", "state"))
    for what, name, text in (
        ("spent", "sweep_spent_usd", "Spent by each unfinished sweep."),
        ("reserved", "sweep_reserved_usd", "Reserved for what runs now."),
        ("unreconciled", "sweep_unreconciled_usd", "Booked at most, until the service tells the exact cost."),
        ("limit", "sweep_budget_usd", "The budget, of those that have one."),
    ):
        yield MetricFamily(name, text, _count_usd(money[what]), ("sweep",))


def _read_sweep_rows(store: Store, names: Sequence[str]) -> list[tuple[str, dict[str, str], dict[str, Any]]]:
    fields = [*MONEY, "submitted"]
    pipe = store.client.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.sweep_counts(name))
        pipe.hmget(keys.sweep(name), fields)
    answers = pipe.execute() if names else []
    return [
        (name, counts, dict(zip(fields, row, strict=True)))
        for name, counts, row in zip(names, answers[::2], answers[1::2], strict=True)
    ]


def _count_usd(amounts: Mapping[Labels, int]) -> dict[Labels, float]:
    return {labels: amount / MICRO for labels, amount in amounts.items()}


def _read_money(store: Store) -> Iterator[MetricFamily]:
    now = store.scripts.read_time()
    today = read_today(store, now)
    for what, text in (("spent", "Spent at each service today (UTC)."), ("reserved", "Reserved there now.")):
        yield MetricFamily(
            f"day_{what}_usd", text, {(day.service,): getattr(day, what) / MICRO for day in today}, ("service",)
        )
    limits = {(day.service,): day.limit / MICRO for day in today if day.limit is not None}
    yield MetricFamily("day_budget_usd", "What may be spent there in a day, if that is limited.", limits, ("service",))
    days = [(service, now // DAY - back) for service in SERVICES for back in range(DAYS)]
    pipe = store.client.pipeline(transaction=False)
    for service, number in days:
        pipe.hget(keys.day(service, number), "unreconciled")
    unreconciled = Counter[Labels]()
    for (service, _), amount in zip(days, pipe.execute(), strict=True):
        unreconciled[service,] += int(amount or 0)
    text = f"Booked at most in the last {DAYS} days, for attempts whose exact cost is unknown."
    yield MetricFamily("unreconciled_usd", text, _count_usd(unreconciled), ("service",))
    waiting = store.client.zcard(keys.UNRECONCILED)
    yield _make_plain("unreconciled_attempts", "Attempts whose exact cost is unknown.", waiting)


def _read_services(store: Store) -> Iterator[MetricFamily]:
    pools = [f"{service}/{client}" for service in SERVICES for client in CLIENTS]
    pipe = store.client.pipeline(transaction=False)
    for service in SERVICES:
        pipe.hget(keys.breaker(service), "state")
    for pool in pools:
        pipe.zrange(keys.slots(pool), 0, -1, withscores=True)
        pipe.hget(keys.capacity(pool), "limit")
    answers = pipe.execute()
    states, slots = answers[: len(SERVICES)], answers[len(SERVICES) :]
    breakers = {
        (service, state.value): float((current or BreakerState.CLOSED) == state)
        for service, current in zip(SERVICES, states, strict=True)
        for state in BreakerState
    }
    yield MetricFamily("breaker", "1 for the state of the breaker of each service.", breakers, ("service", "state"))
    now = store.scripts.read_time()
    used = {(pool,): sum(until > now for _, until in held) for pool, held in zip(pools, slots[::2], strict=True)}
    yield MetricFamily("slots_used", "Clients that are open at the service.", used, ("pool",))
    limits = {(pool,): float(limit) for pool, limit in zip(pools, slots[1::2], strict=True) if limit}
    yield MetricFamily("slots_limit", "Clients that may be open, as far as was found.", limits, ("pool",))


def _read_processes(store: Store, scheduler: str) -> Iterator[MetricFamily]:
    names = sorted(store.client.smembers(keys.WORKERS))
    pipe = store.client.pipeline(transaction=False)
    for name in names:
        pipe.hmget(keys.worker(name), ["threads", "busy", "stages", "draining"])
    live = [row for row in (pipe.execute() if names else []) if row[0] is not None]
    yield _make_plain("workers", "Workers that report.", len(live))
    for place, (name, text) in enumerate(
        (
            ("worker_threads", "Attempts that they can run."),
            ("worker_threads_busy", "Threads that work."),
            ("worker_stages", "Stages that they hold."),
            ("workers_draining", "Workers that take nothing new."),
        )
    ):
        yield _make_plain(name, text, sum(int(row[place] or 0) for row in live))
    leader, ticked = read_leader(store.client)
    yield _make_plain("leads", "1 if the scheduler that answers leads.", float(leader == scheduler))
    yield _make_plain("leaders", "1 if any scheduler leads.", float(bool(leader)))
    if ticked.at:
        age = max(0, store.scripts.read_time() - ticked.at) / 1000
        yield _make_plain("tick_age_seconds", "Since the end of the leader's last tick that it reported.", age)
        yield _make_plain("tick_duration_seconds", "How long that tick took.", ticked.seconds)


def _read_trouble(store: Store) -> Iterator[MetricFamily]:
    losses, memory = store.client.hgetall(keys.LOSSES), store.client.info("memory")
    for what, text in (("lost", "Leases that ran out."), ("stalled", "Attempts without an answer for too long.")):
        yield MetricFamily(f"{what}_attempts", text, {(): float(losses.get(what, 0))}, kind="counter")
    in_a_row = float(losses.get("in_a_row", 0))
    yield _make_plain("lost_attempts_in_a_row", "Leases that ran out since any stage made progress.", in_a_row)
    alerts = read_alerts(store)
    under_way = {(alert,): float(alert in alerts) for alert in FORMS}
    yield MetricFamily("alert", "1 for each alert that was sent and is not over.", under_way, ("alert",))
    books = read_books(store)
    yield _make_plain(
        "books_closed", "1 while nothing starts, because Redis may lack writes.", float(bool(books.closed))
    )
    known = sum(most or 0 for _, most in books.untold.values())
    text = "By how much the books are uncertain at most, as far as that is known."
    yield _make_plain("books_uncertain_usd", text, (books.doubtful + known) / MICRO)
    untold = sum(most is None for _, most in books.untold.values())
    yield _make_plain("books_unbounded", "Services that could not tell what was done, without a budget.", untold)
    yield _make_plain("stopping_bugs", "Bugs of ours that stop new starts.", len(read_stopping_bugs(store)))
    yield _make_plain("notices_waiting", "Notices that are not delivered yet.", store.client.zcard(keys.NOTICES))
    yield _make_plain("redis_memory_bytes", "Memory that Redis uses.", int(memory.get("used_memory", 0)))
