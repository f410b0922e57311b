"""What takes a look at every stage of a sweep, and what asks the statistics: computed beside the requests.

A large sweep is computed in a process of its own, at a lower priority: in this one, every page would wait for it.
That process calls `main`, which writes the value to its standard output, pickled.
"""

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.concurrency import run_in_threadpool

from scheduler.engine.work_left import estimate_seconds_left
from scheduler.errors import SchedulerError
from scheduler.processes.child import tie_to_this_process
from scheduler.processes.own_environment import start_process
from scheduler.processes.secret_files import load_secrets
from scheduler.settings import Settings, read_settings
from scheduler.state import costs, views
from scheduler.state.connection import connect
from scheduler.state.events import Event, read_events
from scheduler.state.runs.planned_part import PlanIndex, read_plan_index
from scheduler.state.server.embedded_redis import find_server_url
from scheduler.state.stage_causes import StageCause, read_causes
from scheduler.state.states import ENDED_SWEEPS
from scheduler.state.store import Store
from web.background import Background, Look
from web.cell_grid import GridPlan, plan_grids
from web.marks import mark_sweep

T = TypeVar("T")
EVENTS = 30  # of a sweep that its page shows
LARGE = 1000  # stages from which a sweep is computed in a process of its own
PATIENCE = 900.0  # seconds for that process
POLITE = 5  # how much lower its priority is
APART = "from web.computations import main; main()"  # not `-m`: there our classes would have other names


@dataclass(frozen=True)
class SweepFacts:
    """What a page shows of a sweep beside its answer, and what takes a look at every stage."""

    causes: Sequence[StageCause]
    costs: costs.SweepCosts
    seconds_left: float | None
    events: Sequence[Event]  # the last ones, newest last


def read_facts(store: Store, settings: Settings, name: str) -> SweepFacts:
    """Read the facts of a sweep."""
    del settings
    return SweepFacts(
        causes=read_causes(store, name),
        costs=costs.read_costs(store, name),
        seconds_left=estimate_seconds_left(store, views.read_sweep(store, name)),
        events=read_events(store, name, last=EVENTS),
    )


def compose_report(store: Store, settings: Settings, name: str) -> Any:
    """Compose the whole report of a sweep, the value that every face of it shows."""
    from scheduler import report_inputs  # the science: only a page that answers needs it
    from sweeps.report.compose import compose

    now = round(time.time() * 1000)
    return compose(report_inputs.gather_inputs(store, name, now, url=settings.store))


async def find_report(kind: Background[T], store: Store, name: str, patience: float) -> Look[T]:
    """Find the newest report of a sweep, composed or written, for whatever shows it. Raises UnknownSweep."""
    view = await run_in_threadpool(views.read_sweep, store, name)
    mark = await run_in_threadpool(mark_sweep, store, name)
    return await kind.find(name, mark, patience, is_last=view.state in ENDED_SWEEPS)


def write_report(store: Store, settings: Settings, name: str) -> str:
    """Write the report as the file that `sweep report` writes."""
    from scheduler.report_inputs import read_style
    from sweeps.report.html import render_html

    return render_html(compose_report(store, settings, name), read_style())


@dataclass(frozen=True)
class PlannedCells:
    """What pages need of a plan. It never changes."""

    index: PlanIndex
    grids: GridPlan


def plan_cells(store: Store, settings: Settings, name: str) -> PlannedCells:
    """Read the cells of a sweep's plan, and divide them into grids."""
    del settings
    index = read_plan_index(store, name)
    return PlannedCells(index, plan_grids(index.cells))


KINDS: Mapping[str, Callable[[Store, Settings, str], Any]] = {
    "facts": read_facts,
    "report": compose_report,
    "file": write_report,
    "plan": plan_cells,
}


def compute(kind: str, store: Store, settings: Settings, name: str) -> Any:
    """Compute a value of KINDS, here or in a process of its own."""
    if views.read_sweep(store, name).total < LARGE:
        return KINDS[kind](store, settings, name)
    command = tie_to_this_process([sys.executable, "-c", APART, kind, name])
    environment = {**os.environ, "REDIS_URL": find_server_url(settings), "SWEEP_HOME": str(settings.home)}
    process = start_process(command, {**environment, "SWEEP_STORE": settings.store}, stdout=subprocess.PIPE)
    try:
        pickled, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise SchedulerError(f"no {kind} of {name} within {PATIENCE:.0f} s") from None
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise SchedulerError(f"the process that computes the {kind} of {name} ended with status {process.returncode}")
    return pickle.loads(pickled)  # noqa: S301 - written by our own process


def main() -> None:
    """Compute one value, and write it."""
    load_secrets()
    os.nice(POLITE)
    kind, name = sys.argv[1:]
    settings = read_settings()
    with closing(connect(find_server_url(settings))) as client:
        value = KINDS[kind](Store(client), settings, name)
    sys.stdout.buffer.write(pickle.dumps(value))
