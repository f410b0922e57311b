"""The runs of a sweep, and one run: its learning curve, its stages with every attempt, its checkpoints."""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from markupsafe import Markup

from scheduler.services import name_task
from scheduler.state import keys, views
from scheduler.state.events import Event, read_stage_events
from scheduler.state.keeping.archive import open_archive
from scheduler.state.runs.planned_part import count_runs, read_part, read_part_results
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.views import StageView
from sweeps.results import RunResult
from web.marks import hash_text
from web.metric_choice import list_metrics
from web.parts import Filled, Part, answer_part, fill_part
from web.site import Here, NotFound, Site, Visiting, Watching
from web.templating import link_sweep, show_page

SUBJECT = "run:"  # before NUMBER:NAME, as what browsers listen to
COLUMNS = 5  # metrics beside each other
PAGE = 50  # runs or stages on a page


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint of a stage."""

    path: str
    step: int
    days: float  # that it lives, unless that is extended because it is needed; 0: until it is deleted


@dataclass(frozen=True)
class StageOfRun:
    """A stage of a run, what happened to it, and what it saved."""

    view: StageView
    kind: str
    events: Sequence[Event]  # newest last
    task: str  # of its last attempt, as Flower knows it; empty: it was never attempted
    checkpoints: Sequence[SavedCheckpoint]


@dataclass(frozen=True)
class RunWish:
    """Which runs a list shows, and by what."""

    cell: int | None = None  # None: all
    after: int = -1  # the number of the last run before
    metric: str = ""  # that comes first; the others are those that tables show


@dataclass(frozen=True)
class RunRow:
    """A run in a list."""

    number: int
    result: RunResult


def find_run(site: Site, name: str, number: int) -> dict[str, Any]:
    """Find a planned row by its number. Raise NotFound."""
    count = count_runs(site.store, name)
    if not 0 <= number < count:
        raise NotFound(f"{name} has no run {number}")
    (row,) = read_part(site.store, name, [number])
    return row


def read_run(site: Site, subject: str) -> Mapping[str, Any]:
    """Read everything about a run; the subject is NUMBER:NAME."""
    from scheduler.report_inputs import read_curves
    from sweeps.report.html import render_section
    from sweeps.report.training_section import show_trainings

    number, _, name = subject.partition(":")
    row = find_run(site, name, int(number))
    (result,) = read_part_results(site.store, name, [row])
    stages = read_run_stages(site.store, name, row)
    curves = read_curves(site.store, [result], {stage.view.id: stage.view.label for stage in stages})
    section = show_trainings([result], curves)
    drawing = Markup(render_section(0, section)) if section.parts else ""  # noqa: S704 - escaped
    measures = {str(stage): str(measure) for measure, stage in row["measures"].items()}
    return {
        "name": name,
        "number": int(number),
        "result": result,
        "stages": stages,
        "drawing": drawing,
        "measures": defaultdict(str, measures),
        "flower": site.find_flower(),
    }


def read_run_stages(store: Store, name: str, row: Mapping[str, Any]) -> list[StageOfRun]:
    """Read the stages of a planned row."""
    return read_stages_of_run(open_archive(store, name), list(dict.fromkeys(views.list_row_stages(row))))


def read_stages_of_run(store: Store, stages: Sequence[str]) -> list[StageOfRun]:
    """Read stages with what happened to them."""
    return [
        StageOfRun(
            view=stage,
            kind="training" if stage.id.startswith("train-") else "evaluation",
            events=read_stage_events(store, stage.id),
            task=name_task(stage.id, stage.attempt) if stage.attempt else "",
            checkpoints=[read_checkpoint(text) for text in store.client.lrange(keys.checkpoints(stage.id), 0, -1)],
        )
        for stage in views.read_stage_views(store, stages)
    ]


def read_checkpoint(text: str) -> SavedCheckpoint:
    """Read a checkpoint as a worker wrote it."""
    row: Mapping[str, Any] = json.loads(text)
    return SavedCheckpoint(str(row["path"]), int(row["step"]), float(row.get("ttl_days") or 0))


def mark_run(site: Site, subject: str) -> str:
    """Mark what the page of a run shows: the stages' states, attempts and steps."""
    number, _, name = subject.removeprefix(SUBJECT).partition(":")
    row = find_run(site, name, int(number))
    stages = views.read_stage_views(open_archive(site.store, name), views.list_row_stages(row))
    return hash_text(
        repr([(stage.state, stage.attempt, stage.progress, stage.tokens, stage.since) for stage in stages])
    )


RUN = Part("run", "Run", read_run)


def fill_run(site: Site, subject: str) -> list[Filled]:
    """Fill what the page of a run shows."""
    number, _, name = subject.removeprefix(SUBJECT).partition(":")
    return [fill_part(site, RUN, f"{number}:{name}", link_sweep(name, "runs", number, "part"))]


router = APIRouter(include_in_schema=False)


@router.get("/sweeps/{name}/runs")
def list_runs(name: str, site: Here, visitor: Visiting, wish: Annotated[RunWish, Depends()]) -> Response:
    """List the runs of one cell, or of all, a page of them."""
    numbers: Sequence[int] = range(count_runs(site.store, name))
    if wish.cell is not None:
        numbers = site.read_plan(name).index.list_runs(wish.cell)
    following = numbers[bisect_right(numbers, wish.after) :]
    page = read_part(site.store, name, following[:PAGE])
    results = read_part_results(site.store, name, page)
    runs = [RunRow(int(row["run"]), result) for row, result in zip(page, results, strict=True)]
    known = list_metrics(views.read_sweep(site.store, name).spec, {key for result in results for key in result.metrics})
    metrics = list(dict.fromkeys([wish.metric, *known] if wish.metric in known else known))[:COLUMNS]
    more = int(page[-1]["run"]) if len(following) > PAGE else None
    values = {"name": name, "runs": runs, "metrics": metrics, "known": known, "more": more, **asdict(wish)}
    return show_page("runs.html", visitor, values)


@router.get("/sweeps/{name}/runs/{number}")
def show_run(name: str, number: int, site: Here, visitor: Visiting) -> Response:
    """Show one run."""
    find_run(site, name, number)
    subject = f"{SUBJECT}{number}:{name}"
    (part,) = fill_run(site, subject)
    return show_page("run.html", visitor, {"name": name, "number": number, "part": part, "subject": subject})


@router.get("/sweeps/{name}/runs/{number}/part", dependencies=[Watching])
async def show_run_part(request: Request, name: str, number: int) -> Response:
    """Show what changes of it."""
    return await answer_part(request, f"{SUBJECT}{number}:{name}", link_sweep(name, "runs", str(number), "part"))


@router.get("/sweeps/{name}/stages")
def list_stages(name: str, site: Here, visitor: Visiting, state: str = "", after: int = 0) -> Response:
    """List the stages in one state, or all, in the order of the plan, a page of them."""
    known = [*StageState]
    if state and state not in known:
        raise NotFound(f"no stage is in a state {state[:40]!r}; expected one of {', '.join(known)}")
    view, store = views.read_sweep(site.store, name), open_archive(site.store, name)
    if state:
        stages = views.list_stages(store, name, StageState(state))
        total, start = len(stages), min(max(0, after), len(stages))
        stages = stages[start : start + PAGE]
    else:
        total, start = view.total, min(max(0, after), view.total)
        stages = store.client.zrange(keys.sweep_stages(name), start, start + PAGE - 1)
    rows = views.read_stage_views(store, stages)
    more = start + PAGE if start + PAGE < total else None
    values = {"view": view, "rows": rows, "state": state, "total": total, "start": start, "more": more}
    return show_page("stages.html", visitor, {**values, "states": known})
