"""Refuse a well-formed sweep that cannot run: the clock, this machine, the service or the day's budget forbid it.

`sweep plan`, `submit`, `run` and `evaluate` all ask here, so that none accepts what another refuses.
"""

import difflib
from collections.abc import Iterator, Mapping
from datetime import datetime

from scheduler.artefacts import Artefacts
from scheduler.errors import NotEnforced, SchedulerError, ServiceRefused
from scheduler.service_check import OFFLINE_MODELS, check_models, check_served
from scheduler.services import find_service
from scheduler.settings import Settings
from scheduler.urls import is_webhook
from sweeps.planning.prices import PriceBook, list_unpriced_models
from sweeps.spec.parse import Sweep
from sweeps.spec.window import find_window_state
from sweeps.stage import Plan


def refuse_impossible(sweep: Sweep, settings: Settings, now: datetime) -> None:
    """Raise SchedulerError for what cannot run at all, with or without a key."""
    if sweep.deadline is not None and sweep.deadline <= now:
        raise NotEnforced(f"deadline: expected a time in the future, got {sweep.deadline}; set a later one, or none")
    if sweep.deadline is not None and sweep.window is not None:
        state = find_window_state(sweep.window, now)
        if not state.open and state.until >= sweep.deadline:
            opens = f"{sweep.window.daily} {sweep.window.tz} opens next at {state.until:%Y-%m-%d %H:%M} UTC"
            raise NotEnforced(f"window: {opens}, after the deadline {sweep.deadline}; move one of them")
    offline = [model for model in sorted(sweep.models) if find_service(model) == "offline"]
    check_served(offline, OFFLINE_MODELS, "tinker_offline")
    Artefacts(settings.store).refuse_unwritable()


def find_service_refusals(sweep: Sweep, settings: Settings) -> Iterator[SchedulerError]:
    """Yield what the service refuses: no key, a wrong key, a model that the account does not have; or it is away."""
    try:
        check_models([model for model in sorted(sweep.models) if find_service(model) != "offline"], settings.tinker_url)
    except ServiceRefused as error:
        yield error


def advise_on_model(model: str, book: PriceBook, error: ServiceRefused) -> ServiceRefused:
    """Put before an error that may come of a misspelt name that the price list has none, and the names like it."""
    if book.find_price(model) is not None:
        return error
    near = difflib.get_close_matches(model, {price.model: None for price in book.prices}, n=2)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return ServiceRefused(f"model: the price list has no {model}{meant}\n{error}")


def find_day_budget_refusals(planned: Plan, book: str, settings: Settings) -> Iterator[SchedulerError]:
    """Yield a refusal if there is a day budget and a model without a price."""
    missing = list_unpriced_models(planned.stages)
    if missing and settings.day_budget is not None:
        lack = f"{book} has no price of {', '.join(missing)}"
        yield NotEnforced(f"SWEEP_DAY_BUDGET: {lack}; add it in a file that SWEEP_PRICES names")


def find_unset_addresses(sweep: Sweep, environment: Mapping[str, str]) -> Iterator[str]:
    """Warn of addresses that are not set here. No reason to refuse: another machine may send the notices."""
    for variable in dict.fromkeys(notice.address for notice in sweep.notify):
        if not environment.get(variable):
            yield f"notify: {variable} is not set here; set it where the scheduler runs, or no notice is sent"
        elif not is_webhook(environment[variable]):
            yield f"notify: {variable}: expected http://… or https://…, got another value"
