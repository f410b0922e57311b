"""What the API shows beside sweeps: one stage, what a model answered, the fleet, and what is stored at a service.

What a model answered is data that may say anything. Lists have counts only; a text is sent when it is asked for by its
stage and its number.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import Any, Literal

from fastapi import APIRouter, Request, Response

from scheduler.artefacts import Artefacts
from scheduler.cli.events import make_event_row
from scheduler.cli.status import make_status_document
from scheduler.cli.upkeep.account_checkpoints import LISTING
from scheduler.cli.upkeep.service_questions import LIVE, ask_service
from scheduler.service_check import OFFLINE_MODELS
from scheduler.state import keys, views
from scheduler.state.evaluation_items import BROKEN, find_items_files
from scheduler.state.events import read_stage_events
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.service_checkpoints import classify
from scheduler.state.runs.planned_part import count_runs, read_part
from scheduler.state.store import Store
from sweeps.evaluation.item_rows import read_rows
from sweeps.stage import to_dollars
from web.api import answer_models as answers
from web.api.callers import Here, Reader
from web.api.cursors import Cursor, Limit, answer, read_cursor, take_part
from web.api.problems import NothingThere, describe_problems
from web.api.sweep_views import OF_A_SWEEP, PROBLEMS

LISTED = 30.0  # seconds for which a service's list is told again; who needs what is read each time
RUNS = 200  # of which the items are looked for at once
STAGE = re.compile(r"(train|evaluate)-[\w.-]{1,100}")

router = APIRouter(tags=["look closer"])


@router.get("/sweeps/{name}/items", response_model=answers.ItemsList, responses=OF_A_SWEEP)
def list_items(request: Request, name: str, desk: Here, _: Reader, limit: Limit = 100, cursor: Cursor = "") -> Response:
    """List the evaluations of a sweep of which items are kept, and how many. No text of a model is in it."""
    after = read_cursor(cursor, int, str) or [-1, ""]
    kept = list(islice(_list_kept(desk.store, name, after), limit + 1))
    taken, following = take_part(kept, limit, lambda place: place[:2])
    evaluations = [
        {"stage": stage, "measure": measure, "cell": row["cell"], "seed": row["seed"], "items": count}
        for _, measure, stage, row, count in taken
    ]
    return answer(request, {"evaluations": evaluations, "next": following})


def _list_kept(store: Store, name: str, after: Sequence[Any]) -> Iterator[tuple[int, str, str, Mapping[str, Any], int]]:
    """List the evaluations whose items are kept, in the order of the plan: run, measure, stage, row, items."""
    count = count_runs(store, name)
    for start in range(max(0, after[0]), count, RUNS):
        rows = read_part(store, name, range(start, min(count, start + RUNS)))
        places = [
            (int(row["run"]), measure, str(row["measures"][measure]), row)
            for row in rows
            for measure in sorted(row["measures"])
        ]
        files = find_items_files(open_archive(store, name), sorted({stage for _, _, stage, _ in places}))
        for run, measure, stage, row in places:
            if stage in files and [run, measure] > list(after):
                yield run, measure, stage, row, files[stage].rows


@router.get("/stages/{stage}", response_model=answers.StageAnswer, responses=OF_A_SWEEP)
def show_stage(request: Request, stage: str, desk: Here, _: Reader) -> Response:
    """Show one stage: its attempts and why each ended, and its checkpoints with their paths."""
    if not STAGE.fullmatch(stage) or not desk.store.client.exists(keys.stage(stage)):
        raise NothingThere(f"there is no stage {stage!r}; `/sweeps/NAME/runs` names the stages of a sweep")
    (view,) = views.read_stage_views(desk.store, [stage])
    checkpoints = [json.loads(text) for text in desk.store.client.lrange(keys.checkpoints(stage), 0, -1)]
    document = {
        "stage": view.id,
        "label": view.label,
        "state": view.state,
        "attempt": view.attempt,
        "worker": view.worker,
        "since": view.since / 1000,
        "steps": view.steps,
        "progress": view.progress,
        "cause": view.cause,
        "tokens": view.tokens,
        "usd": to_dollars(view.micro_usd),
        "events": [make_event_row(event) for event in read_stage_events(desk.store, stage)],
        "checkpoints": checkpoints,
    }
    return answer(request, document)


@router.get("/stages/{stage}/items/{number}", response_model=answers.ItemAnswer, responses=OF_A_SWEEP)
def show_item(request: Request, stage: str, number: int, desk: Here, _: Reader) -> Response:
    """Show one item of an evaluation: what was asked, what the model answered, and how that was judged."""
    file = find_items_files(desk.store, [stage]).get(stage) if STAGE.fullmatch(stage) else None
    if file is None:
        raise NothingThere(f"no items are kept of {stage!r}; `/sweeps/NAME/items` lists the evaluations that have some")
    try:
        rows = read_rows(Artefacts(desk.settings.store).read(file.path))
    except BROKEN:
        raise NothingThere(f"the items of {stage} cannot be read; `sweep doctor` checks the store") from None
    if not 0 <= number < len(rows):
        raise NothingThere(f"{stage} has the items 0 to {len(rows) - 1}, not {number}")
    return answer(request, {"stage": stage, "number": number, "items": len(rows), "item": rows[number].to_json()})


@router.get("/fleet", response_model=answers.FleetAnswer, responses={**OF_A_SWEEP})
def show_fleet(request: Request, desk: Here, _: Reader) -> Response:
    """Show the services and their slots, the workers, and what is wrong with either."""
    document = make_status_document(desk.store, desk.settings, [], None)
    return answer(request, {key: document[key] for key in ("services", "workers", "webhooks", "bugs", "books")})


@router.get("/storage", response_model=answers.StorageAnswer, responses={**PROBLEMS, **describe_problems(401)})
def show_storage(request: Request, desk: Here, _: Reader, service: Literal["tinker", "offline"] = "tinker") -> Response:
    """List the checkpoints that the account stores at a service, and who needs them. It asks at most twice a minute."""
    model = OFFLINE_MODELS[0] if service == "offline" else LIVE
    make = partial(ask_service, desk.settings, model, LISTING)
    listed = desk.memory.take(f"storage {service}", "", make, lasts=LISTED)["checkpoints"]
    return answer(request, {"checkpoints": [asdict(row) for row in classify(desk.store, listed)]})
