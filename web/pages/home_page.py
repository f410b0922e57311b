"""Home: is anything wrong, what waits and why, and how far each sweep is. `/sweeps` lists all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response

from scheduler.cli.status import read_fleet
from scheduler.engine.admission import MONEY
from scheduler.notify.outbox import list_troubled_webhooks
from scheduler.state import costs, keys, views
from scheduler.state.bug_log import describe_bug
from scheduler.state.people.user_budgets import read_user_costs
from scheduler.state.states import ENDED_SWEEPS
from scheduler.state.views import SweepView
from scheduler.state.workers import read_leader, read_live_workers
from scheduler.waiting_reasons import (
    FleetStatus,
    Reason,
    describe_books,
    describe_retries,
    explain_breaker,
    explain_waiting,
)
from web.marks import mark_sweep
from web.parts import Filled, Part, answer_part, fill_part
from web.site import Here, Site, Visiting, Watching
from web.templating import show_page

HOME = "home"
SHOWN = 40  # sweeps on the page
PAGE = 100  # sweeps on a page of all
WRONG = MONEY | {"permission", "bug", "books", "worker", "service stopped", "breaker"}


@dataclass(frozen=True)
class SweepRow:
    """A sweep in a list."""

    view: SweepView
    reason: Reason
    retries: str
    seconds_left: float | None

    @property
    def is_wrong(self) -> bool:
        """Does it wait for something that a person must mend?"""
        return self.reason.gate in WRONG


class PoolRow(NamedTuple):
    """The slots of one kind of client."""

    name: str
    open: int
    queued: int
    limit: int
    searching: bool


def read_rows(site: Site, names: Sequence[str], fleet: FleetStatus) -> list[SweepRow]:
    """Read sweeps for a list."""
    rows = []
    for view in (views.read_sweep(site.store, name) for name in names):
        left = None
        if view.state not in ENDED_SWEEPS:
            facts = site.facts.look(view.name, mark_sweep(site.store, view.name)).value
            left = facts.seconds_left if facts else None
        rows.append(SweepRow(view, explain_waiting(view, fleet), describe_retries(view), left))
    return rows


def choose_names(site: Site) -> tuple[list[str], int]:
    """Choose the sweeps of the page, those under way first, then the newest; and count all."""
    names: list[str] = site.store.client.zrange(keys.SWEEPS, 0, -1, desc=True)
    pipe = site.store.client.pipeline(transaction=False)
    for name in names:
        pipe.hget(keys.sweep(name), "state")
    states = dict(zip(names, pipe.execute() if names else [], strict=True))
    return sorted(names, key=lambda name: states[name] in ENDED_SWEEPS)[:SHOWN], len(names)


def read_home(site: Site, _: str) -> Mapping[str, Any]:
    """Read everything that the page shows."""
    store = site.store
    fleet, workers = read_fleet(store, site.settings), read_live_workers(store)
    names, total = choose_names(site)
    rows = read_rows(site, names, fleet)
    days = costs.read_today(store, fleet.now)
    pools = [
        PoolRow(pool.name, pool.snapshot.taken - pool.snapshot.queued, pool.snapshot.queued, pool.capacity.limit,
                pool.capacity.searching)
        for service in fleet.services.values()
        for pool in service.pools.values()
        if pool.snapshot.taken
    ]  # fmt: skip
    return {
        "rows": rows,
        "total": total,
        "troubles": list(dict.fromkeys(_list_troubles(site, fleet, rows))),
        "leads": bool(read_leader(store.client)[0]),
        "workers": len(workers),
        "threads": sum(int(report["threads"]) for report in workers.values()),
        "busy": sum(int(report["busy"]) for report in workers.values()),
        "pools": pools,
        "days": days,
        "users": [user for user in read_user_costs(store, fleet.now) if user.limit is not None],
        "offline_only": all(row.view.services == ["offline"] for row in rows),
    }


def _list_troubles(site: Site, fleet: FleetStatus, rows: Sequence[SweepRow]) -> Iterator[tuple[str, str]]:
    """List what a person must mend, each with the sweep that it is about, if it is about one."""
    if fleet.refusal:
        yield fleet.refusal, ""
    for bug in fleet.bugs:
        yield describe_bug(bug), ""
    if books := describe_books(fleet.books):
        yield books, ""
    for service in fleet.services.values():
        for reason in explain_breaker(service):
            yield reason.text, ""
    for trouble in list_troubled_webhooks(site.store):
        yield str(trouble), ""
    shown = {reason.text for service in fleet.services.values() for reason in explain_breaker(service)}
    for row in rows:
        if row.is_wrong and row.reason.text not in shown | {fleet.refusal, books}:
            yield row.reason.text, "" if row.reason.gate in ("worker", "bug") else row.view.name


PARTS = (Part("now", "Now", read_home), Part("sweeps", "Sweeps", read_home))


def fill_home(values: Mapping[str, Any], site: Site) -> list[Filled]:
    """Fill all parts from the same values."""
    return [
        fill_part(site, Part(part.name, part.title, lambda *_: values), "", f"/parts/{part.name}") for part in PARTS
    ]


router = APIRouter(include_in_schema=False)


@router.get("/")
def show_home(site: Here, visitor: Visiting) -> Response:
    """Show the page."""
    values = read_home(site, "")
    return show_page(
        "home.html", visitor, {"parts": fill_home(values, site), "subject": HOME, "total": values["total"]}
    )


@router.get("/parts/{name}", dependencies=[Watching])
async def show_home_part(request: Request, name: str) -> Response:
    """Show one part of it."""
    return await answer_part(request, HOME, f"/parts/{name}")


@router.get("/sweeps")
def list_sweeps(site: Here, visitor: Visiting, after: int = 0) -> Response:
    """List all sweeps, newest first, a page of them; `after` is how many newer ones there are."""
    names: list[str] = site.store.client.zrange(keys.SWEEPS, 0, -1, desc=True)
    start = min(max(after, 0), len(names))
    page = names[start : start + PAGE]
    rows = read_rows(site, page, read_fleet(site.store, site.settings))
    more = start + PAGE if start + PAGE < len(names) else None
    return show_page("sweeps.html", visitor, {"rows": rows, "total": len(names), "start": start, "more": more})


def mark_home(site: Site) -> str:
    """Mark what the page shows."""
    return "".join(part.tag for part in fill_home(read_home(site, ""), site))
