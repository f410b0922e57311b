"""What the API shows of sweeps: the same documents as the command line prints."""

from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from scheduler.cli.costs import make_costs_document
from scheduler.cli.events import make_event_row
from scheduler.cli.results import make_run_row, read_results_document
from scheduler.cli.status import make_sweep_row, read_sweep_document
from scheduler.errors import StoreUnavailable
from scheduler.state import costs, keys, views
from scheduler.state.events import Event, read_events
from scheduler.state.people.user_budgets import read_user_costs
from scheduler.state.runs.planned_part import (
    count_runs,
    read_indexed_cells,
    read_part,
    read_part_results,
    read_plan_index,
)
from web.api import answer_models as answers
from web.api.callers import Desk, Here, Reader
from web.api.cursors import Cursor, Limit, answer, read_cursor, take_part, write_cursor
from web.api.problems import describe_problems
from web.computations import find_report
from web.marks import mark_sweep

FRESH = 2.0  # seconds for which a status is told again: it says of the fleet, too, what changes without the sweep
KEPT = 600.0  # seconds for which results are told again, of a sweep that has not changed
COMPOSING = 60.0  # seconds for which a report is waited for
ALL_EVENTS = 1_000_000  # that are looked through for a part
PROBLEMS = describe_problems(401, 422, 503)
OF_A_SWEEP: dict[int | str, dict[str, Any]] = {
    304: {"description": "The same as the `ETag` that was sent"},
    **PROBLEMS,
    **describe_problems(404),
}

router = APIRouter(tags=["look"])


@router.get("/sweeps", response_model=answers.SweepList, responses=OF_A_SWEEP)
def list_sweeps(request: Request, desk: Here, _: Reader, limit: Limit = 100, cursor: Cursor = "") -> Response:
    """List the sweeps, newest first."""
    listed = desk.store.client.zrange(keys.SWEEPS, 0, -1, desc=True, withscores=True)
    places = [(int(submitted), name) for name, submitted in listed]
    after = read_cursor(cursor, int, str)
    if after is not None:
        places = [place for place in places if list(place) < after]
    taken, following = take_part(places, limit, lambda place: place)
    rows = [make_sweep_row(views.read_sweep(desk.store, name)) for _, name in taken]
    return answer(request, {"sweeps": rows, "next": following})


@router.get("/sweeps/{name}", response_model=answers.SweepStatus, responses=OF_A_SWEEP)
def show_sweep(request: Request, name: str, desk: Here, _: Reader) -> Response:
    """Show what of a sweep runs, failed or waits, and why."""
    mark = mark_sweep(desk.store, name)
    make = partial(read_sweep_document, desk.store, desk.settings, name)
    return answer(request, desk.memory.take(f"status {name}", mark, make, lasts=FRESH))


@router.get("/sweeps/{name}/spec", response_model=answers.SpecAnswer, responses=OF_A_SWEEP)
def show_spec(request: Request, name: str, desk: Here, _: Reader) -> Response:
    """Show the spec with which a sweep was submitted."""
    return answer(request, {"sweep": name, "spec": dict(views.read_sweep(desk.store, name).spec)})


@router.get("/sweeps/{name}/runs", response_model=answers.RunList, responses=OF_A_SWEEP)
def list_runs(request: Request, name: str, desk: Here, _: Reader, limit: Limit = 100, cursor: Cursor = "") -> Response:
    """List the runs of a sweep in the order of its plan."""
    after = read_cursor(cursor, int) or [-1]
    numbers = range(max(0, after[0] + 1), count_runs(desk.store, name))
    part, following = take_part(numbers, limit, lambda number: (number,))
    taken = read_part(desk.store, name, part)
    results = read_part_results(desk.store, name, taken)
    rows = [make_run_row(result) | {"run": row["run"]} for row, result in zip(taken, results, strict=True)]
    return answer(request, {"runs": rows, "next": following})


@router.get("/sweeps/{name}/cells", response_model=answers.CellList, responses=OF_A_SWEEP)
def list_cells(request: Request, name: str, desk: Here, _: Reader, limit: Limit = 100, cursor: Cursor = "") -> Response:
    """List the conditions of a sweep with their means so far."""
    after = read_cursor(cursor, int) or [-1]
    submitted = str(views.read_sweep(desk.store, name).submitted)
    index = desk.memory.take(
        f"plan {name}", submitted, lambda: {"index": read_plan_index(desk.store, name)}, lasts=KEPT
    )
    read = read_indexed_cells(desk.store, name, index["index"])
    cells = [(number, cell) for number, cell in enumerate(read) if number > after[0]]
    taken, following = take_part(cells, limit, lambda place: (place[0],))
    return answer(request, {"cells": [cell for _, cell in taken], "next": following})


@router.get("/sweeps/{name}/results", response_model=answers.SweepResults, responses=OF_A_SWEEP)
def show_results(request: Request, name: str, desk: Here, _: Reader) -> Response:
    """Show what a sweep has found so far: its conclusion, runs and cells, and all that follows from them."""
    mark = mark_sweep(desk.store, name)
    make = partial(read_results_document, desk.store, desk.settings, name)
    return answer(request, desk.memory.take(f"results {name}", mark, make, lasts=KEPT))


@router.get("/sweeps/{name}/events", response_model=answers.EventList, responses=OF_A_SWEEP)
def list_events(
    request: Request, name: str, desk: Here, _: Reader, limit: Limit = 100, cursor: Cursor = ""
) -> Response:
    """List what happened to the stages of a sweep, oldest first. `next` is there even at the end, for what comes."""
    after = read_cursor(cursor, int, str, int) or [-1, "", 0]
    views.read_sweep(desk.store, name)
    places = [place for place in _place_events(desk, name) if list(place[:3]) > after]
    taken = places[:limit]
    following = write_cursor(*taken[-1][:3]) if taken else cursor or None
    return answer(request, {"events": [make_event_row(event) for *_, event in taken], "next": following})


def _place_events(desk: Desk, name: str) -> list[tuple[int, str, int, Event]]:
    """Place each event by its time, its stage, and its number among those of the stage at that time."""
    seen: dict[tuple[int, str], int] = {}
    places = []
    for event in read_events(desk.store, name, last=ALL_EVENTS):
        number = seen[event.at, event.stage] = seen.get((event.at, event.stage), -1) + 1
        places.append((event.at, event.stage, number, event))
    return sorted(places, key=lambda place: place[:3])


@router.get("/sweeps/{name}/costs", response_model=answers.CostsAnswer, responses=OF_A_SWEEP)
def show_costs(request: Request, name: str, desk: Here, _: Reader) -> Response:
    """Show what was estimated, spent and billed."""
    views.read_sweep(desk.store, name)
    now = desk.store.scripts.read_time()
    make = partial(costs.read_costs, desk.store, name)
    known = desk.memory.take(f"costs {name}", mark_sweep(desk.store, name), lambda: {"costs": make()}, lasts=KEPT)
    days, users = costs.read_today(desk.store, now), read_user_costs(desk.store, now)
    return answer(request, make_costs_document([known["costs"]], days, users))


@router.get(
    "/sweeps/{name}/report",
    response_class=Response,
    responses={
        **PROBLEMS,
        **describe_problems(404),
        200: {"content": {"text/html": {}, "text/markdown": {}}, "description": "The report"},
    },
)
async def show_report(name: str, desk: Here, _: Reader, form: Literal["html", "md"] = "md") -> Response:
    """Write the whole report, as `sweep report` does. While the sweep runs, it may be some seconds old."""
    look = await find_report(desk.files if form == "html" else desk.reports, desk.store, name, COMPOSING)
    if look.value is None:
        raise StoreUnavailable(look.failed or f"the report of {name} is being composed; ask again in a moment")
    if form == "html":
        return Response(look.value, media_type="text/html", headers={"Content-Disposition": "attachment"})
    return Response(await run_in_threadpool(_write_markdown, look.value), media_type="text/markdown")


def _write_markdown(report: Any) -> str:
    from sweeps.report.markdown import render_markdown  # the science: only an answer needs it

    return render_markdown(report, None)
