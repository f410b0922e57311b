"""A sweep: what it asks, what it says so far, its cells as they fill in, its cost, and what went wrong."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from scheduler.cli.status import read_fleet
from scheduler.state import views
from scheduler.state.states import ENDED_SWEEPS, StageState
from scheduler.waiting_reasons import describe_retries, explain_waiting
from web.background import Look
from web.cell_grid import lay_out_cells, plan_grids
from web.computations import find_report
from web.marks import hash_text, mark_sweep
from web.metric_choice import list_metrics
from web.pages.control_page import ACTIONS, list_actions
from web.parts import Filled, Part, answer_part, fill_part
from web.site import Here, Site, Visiting, Watching
from web.templating import link_sweep, show_page
from web.visitors import Visitor

SUBJECT = "sweep:"  # before the name, as what browsers listen to
PATIENCE = 0.15  # seconds that a page waits for what is computed beside it
FIRST = 2.0  # seconds for the cells, without which it says little
RUNNING = 8  # stages that are shown
ROOM = 400_000  # characters of figures and tables, which are sent compressed
ROWS = 20_000  # of a section, beyond which it has no room anyway


def mark_subject(site: Site, subject: str) -> str:
    """Mark what the pages of a sweep show, and start what computes it anew."""
    name = subject.removeprefix(SUBJECT)
    mark = mark_sweep(site.store, name)
    view = views.read_sweep(site.store, name)
    reason = explain_waiting(view, read_fleet(site.store, site.settings)).text
    known = [kind.look(name, mark).version for kind in (site.facts, site.reports, site.cells)]
    return hash_text(repr((mark, known, reason)))


def read_answer(site: Site, name: str) -> Mapping[str, Any]:
    """Read the head of the report, as far as it is composed."""
    view = views.read_sweep(site.store, name)
    mark = mark_sweep(site.store, name)
    look = site.reports.look(name, mark)
    return {"view": view, "report": look.value, "is_old": look.version != mark, "failed": look.failed}


def read_progress(site: Site, name: str) -> Mapping[str, Any]:
    """Read how far a sweep is, and why it waits."""
    view = views.read_sweep(site.store, name)
    facts = site.facts.look(name, mark_sweep(site.store, name)).value
    is_active = view.state not in ENDED_SWEEPS
    running = views.read_stages(site.store, name, StageState.RUNNING)[:RUNNING] if is_active else []
    return {
        "view": view,
        "reason": explain_waiting(view, read_fleet(site.store, site.settings)),
        "retries": describe_retries(view),
        "seconds_left": facts.seconds_left if facts and is_active else None,
        "running": running,
    }


def read_grid(site: Site, name: str, metric: str = "", first: int = 0) -> Mapping[str, Any]:
    """Read the cells, laid out."""
    view = views.read_sweep(site.store, name)
    cells = site.cells.look(name, mark_sweep(site.store, name), patience=FIRST).value
    cells, ready = (cells or []), cells is not None
    metrics = list_metrics(view.spec, {metric for cell in cells for metric in cell["metrics"]})
    chosen = metric if metric in metrics else next(iter(metrics), "")
    grids = site.read_plan(name).grids if ready else plan_grids([])
    page = lay_out_cells(grids, cells, chosen, first=first)
    return {"name": name, "page": page, "metrics": metrics, "metric": chosen, "first": first, "ready": ready}


def read_findings(site: Site, name: str) -> Mapping[str, Any]:
    """Read the tables and figures of the answer, as many as a page has room for; the report has all."""
    look = site.reports.look(name, mark_sweep(site.store, name))
    markup = draw_sections(site, f"findings {name}", look.version, look.value.findings) if look.value else []
    hidden = len(look.value.findings) - len(markup) if look.value else 0
    return {"name": name, "sections": markup, "hidden": hidden, "is_composed": look.value is not None}


def draw_sections(site: Site, name: str, version: str, sections: Sequence[Any]) -> list[Markup]:
    """Draw sections of a report, once for each version: those that a page has room for."""
    return site.drawings.take(name, version, lambda: list(_draw(sections)))


def _draw(sections: Sequence[Any]) -> Iterator[Markup]:
    from sweeps.report.html import render_section

    room = ROOM
    for place, section in enumerate(sections):
        markup = render_section(place, section) if count_rows(section) <= ROWS else ""
        if markup and len(markup) <= room:
            room -= len(markup)
            yield Markup(markup)  # noqa: S704 - escaped


def count_rows(section: Any) -> int:
    """Count the rows of the tables and figures of a section."""
    tables = (getattr(part, "table", part) for part in section.parts)
    return sum(len(getattr(table, "rows", ())) for table in tables)


def read_money(site: Site, name: str) -> Mapping[str, Any]:
    """Read the costs against the estimate, what failed by cause, and the last events."""
    view = views.read_sweep(site.store, name)
    facts = site.facts.look(name, mark_sweep(site.store, name)).value
    return {"view": view, "facts": facts}


PARTS = (
    Part("progress", "Progress", read_progress),
    Part("answer", "What it says so far", read_answer),
    Part("cells", "Cells", read_grid),
    Part("findings", "Figures", read_findings),
    Part("money", "Cost", read_money),
    Part("failures", "What went wrong", read_money),
    Part("events", "Events", read_money),
)


def fill_sweep(site: Site, subject: str) -> list[Filled]:
    """Fill all parts of the page. Raises UnknownSweep."""
    name = subject.removeprefix(SUBJECT)
    views.read_sweep(site.store, name)
    return [fill_part(site, part, name, link_sweep(name, "parts", part.name)) for part in PARTS]


router = APIRouter(include_in_schema=False)


@router.get("/sweeps/{name}")
def show_sweep(name: str, site: Here, visitor: Visiting, done: str = "") -> Response:
    """Show the page."""
    view, mark = views.read_sweep(site.store, name), mark_sweep(site.store, name)
    site.facts.look(name, mark)  # both begin, then the page waits for them together
    site.reports.look(name, mark, patience=PATIENCE)
    spec = json.dumps(view.spec, indent=2, ensure_ascii=False)
    subject = f"{SUBJECT}{name}"
    values = {"view": view, "parts": fill_sweep(site, subject), "subject": subject, "spec": spec}
    actions = list_actions(view) if visitor.actor.may_change(view.user) else []
    titles = {action.name: action.title for action in ACTIONS}
    return show_page("sweep.html", visitor, {**values, "actions": actions, "done": titles.get(done, "")})


@router.get("/sweeps/{name}/parts/{part}", dependencies=[Watching])
async def show_sweep_part(request: Request, name: str, part: str) -> Response:
    """Show one part of it."""
    return await answer_part(request, f"{SUBJECT}{name}", link_sweep(name, "parts", part))


@router.get("/sweeps/{name}/cells")
def show_cells(name: str, site: Here, visitor: Visiting, metric: str = "", first: int = 0) -> Response:
    """Show all cells, by the metric of choice, a page of grids."""
    return show_page("cells.html", visitor, {**read_grid(site, name, metric, max(0, first))})


@router.get("/sweeps/{name}/report")
async def show_report(name: str, site: Here, visitor: Visiting) -> Response:
    """Show the whole report."""
    look = await find_report(site.reports, site.store, name, 5.0)
    return await run_in_threadpool(_show_whole, site, visitor, name, look)


def _show_whole(site: Site, visitor: Visitor, name: str, look: Look[Any]) -> Response:
    from sweeps.report.html import render_head

    view = views.read_sweep(site.store, name)
    sections = look.value.sections if look.value else ()
    body = draw_sections(site, f"report {name}", look.version, sections)
    head = Markup(render_head(look.value)) if look.value else ""  # noqa: S704 - escaped
    hidden = len(sections) - len(body)
    values = {"view": view, "head": head, "sections": body, "hidden": hidden, "failed": look.failed}
    return show_page("report.html", visitor, values)


@router.get("/sweeps/{name}/report.html")
async def save_report(name: str, site: Here, visitor: Visiting) -> Response:  # noqa: ARG001 - only visitors
    """Send the report as the file that `sweep report` writes."""
    look = await find_report(site.files, site.store, name, 30.0)
    if look.value is None:
        return Response("The report is being composed; try again in a moment.", 503, {"Retry-After": "5"})
    quoted = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
    headers = {
        "Content-Disposition": f'attachment; filename="{quoted.encode("ascii", "replace").decode()}-report.html"'
    }
    return HTMLResponse(look.value, headers=headers)
