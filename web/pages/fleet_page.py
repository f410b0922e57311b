"""The fleet: workers, services with their slots and breakers, where Flower is, and who changed what."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from scheduler.cli.service_facts_text import describe_facts
from scheduler.cli.status import make_status_document
from scheduler.processes.addresses import is_listening
from scheduler.services import SERVICES
from scheduler.state.people.audit_log import read_audit
from scheduler.state.service_facts import read_known_accounts
from scheduler.state.service_series import read_canaries, read_request_series, read_slot_series
from scheduler.state.store import Store
from scheduler.state.workers import read_leader
from web.parts import Part, answer_part, fill_part
from web.site import Here, Site, Visiting, Watching
from web.slot_chart import draw_requests, draw_slots
from web.templating import show_page

FLEET = "fleet"
CHANGES = 50  # of people that are shown
CANARIES = 10  # of a service


def read_fleet_page(site: Site, _: str) -> Mapping[str, Any]:
    """Read everything that the page shows: what `sweep -f json status` prints, and who changed what."""
    store = site.store
    leader, ticked = read_leader(store.client)
    flower = site.find_flower()
    return {
        "document": make_status_document(store, site.settings, [], None),
        "accounts": [(account.service, describe_facts(account)) for account in read_known_accounts(store)],
        "flower": flower,
        "flower_answers": is_listening(flower) if flower else False,
        "days": [read_day(store, service) for service in SERVICES],
        "leader": leader,
        "tick_seconds": ticked.seconds,
        "changes": list(reversed(read_audit(store, last=CHANGES))),
    }


def read_day(store: Store, service: str) -> Mapping[str, Any]:
    """Read what a service saw of us in the last day."""
    now = store.scripts.read_time()
    return {
        "service": service,
        "slots": draw_slots(service, read_slot_series(store, service, now)),
        "requests": draw_requests(service, read_request_series(store, service, now)),
        "canaries": read_canaries(store, service, CANARIES),
    }


PART = Part("fleet", "Fleet", read_fleet_page)
URL = "/fleet/part"


def mark_fleet(site: Site) -> str:
    """Mark what the page shows; how long a tick took changes with each."""
    values = {**read_fleet_page(site, ""), "tick_seconds": 0.0}
    return fill_part(site, Part(PART.name, PART.title, lambda *_: values), "", URL).tag


router = APIRouter(include_in_schema=False)


@router.get("/fleet")
def show_fleet(site: Here, visitor: Visiting) -> Response:
    """Show the page."""
    return show_page("fleet.html", visitor, {"part": fill_part(site, PART, "", URL), "subject": FLEET})


@router.get(URL, dependencies=[Watching])
async def show_fleet_part(request: Request) -> Response:
    """Show what changes of it."""
    return await answer_part(request, FLEET, URL)
