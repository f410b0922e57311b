"""Read what sweeps and days cost: estimated, metered, unreconciled, and billed if the account may read that."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from scheduler.services import SERVICES
from scheduler.state import keys
from scheduler.state.keeping.archive import open_archive
from scheduler.state.milliseconds import read_moment
from scheduler.state.pages import read_in_pages
from scheduler.state.states import ENDED_SWEEPS, StageState
from scheduler.state.store import Store
from sweeps.cost import KindCosts

KINDS = ("train", "evaluate")
DAY = 86_400_000  # milliseconds
FIELDS = ["kind", "state", "payer", "estimate", "low_estimate"]


@dataclass(frozen=True)
class ServiceBill:
    """What a service bills for a sweep."""

    service: str
    tokens: int
    micro_usd: int | None  # None if the service names none
    at: int  # milliseconds since 1970
    is_after_end: bool  # the sweep had ended by then; a service that bills late may still have counted less


@dataclass(frozen=True)
class SweepCosts:
    """The costs of one sweep, by kind of stage."""

    sweep: str
    limit: int | None
    kinds: tuple[KindCosts, ...]
    billed: tuple[ServiceBill, ...]


@dataclass(frozen=True)
class DayCosts:
    """The costs of one service today, in micro-dollars."""

    service: str
    day: date
    spent: int
    unreconciled: int
    reserved: int
    limit: int | None


def read_costs(store: Store, name: str) -> SweepCosts:
    """Read what a sweep was estimated to cost, and what it cost."""
    store = open_archive(store, name)
    row = store.client.hgetall(keys.sweep(name))
    stages = _read_stage_rows(store, name)
    return SweepCosts(
        sweep=name,
        limit=int(row["limit"]) if row.get("limit") else None,
        kinds=tuple(
            _count_kind(kind, name, row, [stage for stage in stages if stage["kind"] == kind]) for kind in KINDS
        ),
        billed=tuple(_read_bill(service, row) for service in SERVICES if f"billed_at:{service}" in row),
    )


def _count_kind(kind: str, sweep: str, row: Mapping[str, str], stages: list[Mapping[str, str]]) -> KindCosts:
    def read_amount(what: str) -> int:
        return int(row.get(f"{what}:{kind}", 0))

    return KindCosts(
        kind=kind,
        stages=len(stages),
        low=_sum("low_estimate", stages),
        high=_sum("estimate", stages),
        reused=_sum("estimate", (stage for stage in stages if _is_paid_by_another(stage, sweep))),
        metered=read_amount("spent"),
        reserved=read_amount("reserved"),
        unreconciled=read_amount("unreconciled"),
        tokens=read_amount("tokens"),
    )


def _is_paid_by_another(stage: Mapping[str, str], sweep: str) -> bool:
    return stage["state"] == StageState.SUCCEEDED and stage["payer"] != sweep


def _sum(field: str, stages: Iterable[Mapping[str, str]]) -> int:
    return sum(int(stage[field]) for stage in stages)


def _read_stage_rows(store: Store, name: str) -> list[Mapping[str, str]]:
    stages = store.client.zrange(keys.sweep_stages(name), 0, -1)
    rows = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), FIELDS))
    return [dict(zip(FIELDS, (value or "" for value in row), strict=True)) for _, row in rows]


def _read_bill(service: str, row: Mapping[str, str]) -> ServiceBill:
    named = row[f"billed:{service}"]
    at = int(row[f"billed_at:{service}"])
    over = row["state"] in ENDED_SWEEPS and at >= int(row["since"])
    return ServiceBill(service, int(row[f"billed_tokens:{service}"]), int(named) if named else None, at, over)


def read_today(store: Store, now: int) -> list[DayCosts]:
    """Read today's costs of each service that has spending, reservations or a limit. `now` in milliseconds."""
    limits, reserved = store.client.hgetall(keys.LIMITS), store.client.hgetall(keys.RESERVED)
    days = []
    for service in SERVICES:
        row = store.client.hgetall(keys.day(service, now // DAY))
        held, limit = int(reserved.get(service, 0)), limits.get(f"day:{service}")
        if row or held or limit:
            spent, unreconciled = int(row.get("spent", 0)), int(row.get("unreconciled", 0))
            day = read_moment(now).date()
            days.append(DayCosts(service, day, spent, unreconciled, held, int(limit) if limit else None))
    return days
