"""What is refused of a sweep that is well-formed: by the clock, by this machine, by the service, by the day's budget.

`sweep plan`, `sweep submit`, `sweep run` and `sweep evaluate` ask here, so that no one of them accepts what another
refuses.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from scheduler.artefacts import Artefacts
from scheduler.errors import NotEnforced, SchedulerError, ServiceRefused
from scheduler.service_check import OFFLINE_MODELS, check_models, check_served
from scheduler.services import service_of
from scheduler.settings import Settings
from scheduler.urls import is_webhook
from sweeps.planning.prices import list_unpriced_models
from sweeps.spec.parse import Sweep
from sweeps.spec.window import find_hours
from sweeps.stage import Plan


def refuse_impossible(sweep: Sweep, settings: Settings, now: datetime) -> None:
    """Raise SchedulerError for what could be done by nobody, with or without a key."""
    if sweep.deadline is not None and sweep.deadline <= now:
        raise NotEnforced(f"deadline: {sweep.deadline} has passed; a later one is right, or none")
    if sweep.deadline is not None and sweep.window is not None:
        hours = find_hours(sweep.window, now)
        if not hours.open and hours.until >= sweep.deadline:
            said = f"{sweep.window.daily} {sweep.window.tz} opens next at {hours.until:%Y-%m-%d %H:%M} UTC"
            raise NotEnforced(f"window: {said}, and the deadline {sweep.deadline} is not behind that; move one of them")
    offline = [model for model in sorted(sweep.models) if service_of(model) == "offline"]
    check_served(offline, OFFLINE_MODELS, "tinker_offline")
    Artefacts(settings.store).refuse_unwritable()


def find_service_refusals(sweep: Sweep, settings: Settings) -> Iterator[SchedulerError]:
    """No key, a key that is not accepted, a model that the account does not have, a service that is away."""
    try:
        check_models([model for model in sorted(sweep.models) if service_of(model) != "offline"], settings.tinker_url)
    except ServiceRefused as error:
        yield error


def find_day_budget_refusals(planned: Plan, book: str, settings: Settings) -> Iterator[SchedulerError]:
    """A budget of the day over what has no price in the book could not be kept."""
    missing = list_unpriced_models(planned.stages)
    if missing and settings.day_budget is not None:
        said = f"SWEEP_DAY_BUDGET could not be kept: {', '.join(missing)} has no price in {book}"
        yield NotEnforced(f"{said}; add it in a file that SWEEP_PRICES names")


def find_unset_addresses(sweep: Sweep, environment: Mapping[str, str]) -> Iterator[str]:
    """Whom no notice would reach from here. It is no reason to refuse: another machine may send them."""
    for variable in dict.fromkeys(notice.address for notice in sweep.notify):
        if not environment.get(variable):
            yield f"notify: {variable} is not set here; where the scheduler runs it must be, or nobody is told"
        elif not is_webhook(environment[variable]):
            yield f"notify: what {variable} holds here is no address; http://… or https://… is right"
