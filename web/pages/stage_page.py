"""One stage by its id, as Flower's rows name it: what happened to it, and the sweeps and runs that have it."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from fastapi import APIRouter, Response

from scheduler.state import keys
from scheduler.state.store import Store
from web.pages.run_page import read_stages_of_run
from web.site import Here, NotFound, Visiting
from web.templating import show_page

STAGE = re.compile(r"(train|evaluate)-[\w.-]{1,100}", re.ASCII)
SHOWN = 20  # runs of a sweep that a stage is linked to

router = APIRouter(include_in_schema=False)


class StagePlace(NamedTuple):
    """A sweep that has a stage, and the first runs that its result counts in."""

    sweep: str
    runs: list[int]


def list_places(store: Store, stage: str) -> Iterator[StagePlace]:
    """List the sweeps that have a stage."""
    for sweep in sorted(store.client.smembers(keys.subscribers(stage))):
        feeds = json.loads(store.client.hget(keys.sweep_feeds(sweep), stage) or "[]")
        yield StagePlace(sweep, sorted({int(feed[0]) for feed in feeds})[:SHOWN])


@router.get("/stages/{stage}")
def show_stage(stage: str, site: Here, visitor: Visiting) -> Response:
    """Show the page."""
    if not STAGE.fullmatch(stage) or not site.store.client.exists(keys.stage(stage)):
        raise NotFound(f"there is no stage {stage[:120]!r}")
    (of_run,) = read_stages_of_run(site.store, [stage])
    values = {"stage": of_run, "places": list(list_places(site.store, stage)), "flower": site.find_flower()}
    return show_page("stage.html", visitor, values)
