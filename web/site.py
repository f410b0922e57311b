"""What all pages share: the store, who looks, and the values that take long to compute."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from fastapi import Depends, Request

from scheduler.engine.work_left import estimate_seconds_left
from scheduler.settings import Settings
from scheduler.state import costs, views
from scheduler.state.events import Event, read_events
from scheduler.state.people.actors import Scope
from scheduler.state.stage_causes import StageCause, read_causes
from scheduler.state.store import Store
from web.background import Background
from web.login_limits import LoginLimits
from web.visitors import BrowserSessions, Visitor

THREADS = 2  # that compute in the background
EVENTS = 30  # of a sweep that its page shows


class LoginNeeded(Exception):
    """Nobody knows who asks."""


class Forbidden(Exception):
    """The visitor may not do this; the text says what is needed."""


class NotFound(Exception):
    """There is no such thing; the text says what was looked for."""


@dataclass(frozen=True)
class SweepFacts:
    """What a page shows of a sweep beside its answer, and what takes a look at every stage."""

    causes: Sequence[StageCause]
    costs: costs.SweepCosts
    seconds_left: float | None
    events: Sequence[Event]  # the last ones, newest last


class Site:
    """One installation as this process sees it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.sessions = BrowserSessions(store)
        self.limits = LoginLimits()
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="background")
        self.plans = Background[list[dict[str, Any]]](pool, lambda name: views.read_planned_rows(store, name))
        self.facts = Background[SweepFacts](pool, self._read_facts)
        self.reports = Background[Any](pool, self._compose)

    @cached_property
    def cookie(self) -> str:
        """The cookie's name: browsers share cookies among the ports of a machine, on which other fleets may be."""
        return f"sweep_{self.store.read_fleet_name()[:12]}"

    def _read_facts(self, name: str) -> SweepFacts:
        view = views.read_sweep(self.store, name)
        return SweepFacts(
            causes=read_causes(self.store, name),
            costs=costs.read_costs(self.store, name),
            seconds_left=estimate_seconds_left(self.store, view),
            events=read_events(self.store, name, last=EVENTS),
        )

    def _compose(self, name: str) -> Any:
        from scheduler import report_inputs  # the science: only a page that answers needs it
        from sweeps.report.compose import compose

        now = round(time.time() * 1000)
        return compose(report_inputs.gather_inputs(self.store, name, now, url=self.settings.store))


def find_site(request: Request) -> Site:
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


Visiting = Annotated[Visitor, Depends(admit)]


def require(visitor: Visitor, scope: Scope) -> None:
    """Raise Forbidden if the visitor's scope does not include another."""
    if not visitor.actor.scope.allows(scope):
        raise Forbidden(f"this needs a token with the scope {scope.value}; yours has {visitor.actor.scope.value}")
