"""New: paste a spec or send its file, with its data files, read the plan with the price, and submit it."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from scheduler.errors import SchedulerError
from scheduler.state.people.actors import Scope
from sweeps.errors import SweepsError
from web.received.sent_files import KEPT, SPEC, Sent
from web.received.spec_planner import ReceivedSpec
from web.site import Here, Visiting, require
from web.templating import link_sweep, show_page

SHOWN = 40  # stages of a plan that are listed

router = APIRouter(include_in_schema=False)


@router.get("/new")
def show_form(visitor: Visiting) -> Response:
    """Ask for a spec."""
    require(visitor, Scope.SUBMIT)
    return show_page("new.html", visitor, {"spec": "", "files": {}, "kept": "", "document": None, "problem": ""})


@router.post("/new")
async def plan_or_submit(form: Sent, site: Here, visitor: Visiting) -> Response:
    """Show the plan, or submit what it shows."""
    spec = ReceivedSpec(form.fields.get(SPEC, ""), form.files)
    values = {"spec": spec.text, "files": form.files, "kept": form.fields[KEPT], "document": None, "problem": ""}
    try:
        if form.fields.get("do") == "submit":
            submitted = await site.planner.submit(visitor.actor, spec)
            return RedirectResponse(link_sweep(submitted.sweep), 303)
        document = cut_stages(await site.planner.plan(visitor.actor, spec))
    except (SweepsError, SchedulerError) as error:
        return show_page("new.html", visitor, {**values, "problem": str(error)}, 422)
    return show_page("new.html", visitor, {**values, "document": document})


def cut_stages(document: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the first stages of a plan alone."""
    stages = document["stages"]
    return {**document, "stages": stages[:SHOWN], "hidden": max(0, len(stages) - SHOWN)}
