"""What all pages share: the store, who looks, and the values that take long to compute."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Annotated, Any

from fastapi import Depends, Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from scheduler.errors import StoreUnavailable
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.settings import Settings
from scheduler.state import views
from scheduler.state.people.actors import Scope
from scheduler.state.runs.planned_part import read_indexed_cells
from scheduler.state.store import Store
from web.background import Background
from web.computations import PlannedCells, SweepFacts, compute
from web.login_limits import LoginLimits
from web.received.spec_planner import SpecPlanner
from web.stored_checkpoints import StoredCheckpoints
from web.version_memory import VersionMemory
from web.visitors import BrowserSessions, RecentVisits, Visitor

THREADS = 3  # that compute in the background, or wait for a process that does
ITEMS = 10_000  # of an evaluation that are ranked
PATIENCE = 5.0  # seconds that a request waits for a plan that is read for the first time
READING = 60.0  # seconds that what is computed beside requests waits for it
DRAWN = 16  # sections of reports
FILES = 2  # reports as they are saved
SAMPLES = 4  # evaluations whose items are kept


class LoginNeeded(Exception):
    """Nobody knows who asks."""


class Forbidden(Exception):
    """The visitor may not do this; the text says what is needed."""


class NotFound(Exception):
    """There is no such thing; the text says what was looked for."""


class Site:
    """One installation as this process sees it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.sessions = BrowserSessions(store)
        self.limits = LoginLimits()
        self.recent = RecentVisits()
        self.drawings = VersionMemory[list[Markup]](DRAWN)
        self.planner = SpecPlanner(store, settings)
        plan_pool = ThreadPoolExecutor(1, thread_name_prefix="plans")  # its own: who reads cells waits for a plan
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="background")
        self.plans = Background[PlannedCells](plan_pool, partial(compute, "plan", store, settings))
        self.cells = Background[list[dict[str, Any]]](pool, self._read_cells, share=0.3)
        self.facts = Background[SweepFacts](pool, partial(compute, "facts", store, settings))
        self.reports = Background[Any](pool, partial(compute, "report", store, settings))
        self.stored = StoredCheckpoints(ThreadPoolExecutor(2, thread_name_prefix="storage"), store, settings)
        self.files = Background[str](pool, partial(compute, "file", store, settings), kept=FILES)
        self.samples = Background[Any](pool, self._read_samples, kept=SAMPLES)

    @cached_property
    def cookie(self) -> str:
        """The cookie's name: browsers share cookies among the ports of a machine, on which other fleets may be."""
        return f"sweep_{self.store.read_fleet_name()[:12]}"

    def find_flower(self) -> str:
        """Find where Flower is, which watches the workers of this machine; empty if it does not run here."""
        addresses = read_addresses(self.settings.home) if is_up(self.settings.home) else None
        return addresses.flower_url if addresses else ""

    def _read_cells(self, name: str) -> list[dict[str, Any]]:
        return read_indexed_cells(self.store, name, self.read_plan(name, READING).index)

    def read_plan(self, name: str, patience: float = PATIENCE) -> PlannedCells:
        """Read the cells of a sweep's plan, which never changes, once. Raises UnknownSweep and SchedulerError."""
        submitted = str(views.read_sweep(self.store, name).submitted)
        look = self.plans.look(name, submitted, patience=patience)
        plan = look.read_version(submitted)
        if plan is None:
            raise StoreUnavailable(look.failed or f"the plan of {name} is being read; try again in a moment")
        return plan

    def _read_samples(self, request: str) -> Any:
        """Read the samples that a request asks for: JSON with the sweep's name, the metric and what chooses the run."""
        from scheduler.state.answer_samples import WantedSamples, read_samples  # reads files and the science

        asked = json.loads(request)
        wanted = WantedSamples(asked["metric"] or None, ITEMS, 0, asked["where"])
        return read_samples(self.store, self.settings.store, asked["name"], wanted)


async def find_site(request: Request) -> Site:
    """Find what the app was made with."""
    site: Site = request.app.state.site
    return site


Here = Annotated[Site, Depends(find_site)]


def admit(request: Request, site: Here) -> Visitor:
    """Let in whom the cookie names. Raise LoginNeeded."""
    visitor = site.sessions.find(request.cookies.get(site.cookie, ""))
    if visitor is None:
        raise LoginNeeded
    return visitor


async def admit_again(request: Request, site: Here) -> None:
    """Let in who was let in with the same cookies some seconds ago: a live page asks for its parts every second."""
    cookies = request.headers.get("cookie", "")
    if not site.recent.has(cookies):
        await run_in_threadpool(admit, request, site)
        site.recent.add(cookies)


Visiting = Annotated[Visitor, Depends(admit)]
Watching = Depends(admit_again)


def require(visitor: Visitor, scope: Scope) -> None:
    """Raise Forbidden if the visitor's scope does not include another."""
    if not visitor.actor.scope.allows(scope):
        raise Forbidden(f"this needs a token with the scope {scope.value}; yours has {visitor.actor.scope.value}")
