"""New: paste a spec or send its file, with its data files, read the plan with the price, and submit it.

A spec that was sent is somebody else's: it reads no file of this machine but those that came with it, no URL but of a
listed host, and no code but what the operator installed. The server plans it again before it submits, and believes
nothing but the text and the files.
"""

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from scheduler.errors import SchedulerError
from scheduler.state.people.actors import Scope
from scheduler.state.service_facts import find_forward_class
from sweeps.errors import SweepsError
from web.forms import FormInvalid
from web.sent_files import KEPT, SPEC, Sent
from web.site import Here, Site, Visiting, require
from web.templating import link_sweep, show_page

SHOWN = 40  # stages of a plan that are listed
PATIENCE = 30.0  # seconds to wait for another plan: one at a time is made

_planning = threading.Lock()

router = APIRouter(include_in_schema=False)


@router.get("/new")
def show_form(visitor: Visiting) -> Response:
    """Ask for a spec."""
    require(visitor, Scope.SUBMIT)
    return show_page("new.html", visitor, {"spec": "", "files": {}, "kept": "", "document": None, "problem": ""})


@router.post("/new")
def plan_or_submit(form: Sent, site: Here, visitor: Visiting) -> Response:
    """Show the plan, or submit what it shows."""
    to_submit = form.fields.get("do") == "submit"
    spec = form.fields.get(SPEC, "")
    values = {"spec": spec, "files": form.files, "kept": form.fields[KEPT], "document": None, "problem": ""}
    try:
        with prepare(site, spec, form.files, visitor.actor.user, to_submit=to_submit) as prepared:
            if to_submit:
                return RedirectResponse(link_sweep(submit(site, visitor, prepared)), 303)
            return show_page("new.html", visitor, {**values, "document": make_document(site, prepared)})
    except (SweepsError, SchedulerError) as error:
        return show_page("new.html", visitor, {**values, "problem": str(error)}, 422)


@contextmanager
def prepare(site: Site, spec: str, files: Mapping[str, str], user: str, *, to_submit: bool) -> Iterator[Any]:
    """Plan a spec in a folder that has its files and nothing else. Raises SweepsError or SchedulerError."""
    from scheduler.prepare import prepare_sent  # what reads specs and data is heavy, and few pages need it
    from web.api.laid_files import lay_files

    if not _planning.acquire(timeout=PATIENCE):
        raise FormInvalid("other specs are being planned; try again in a moment")
    try:
        forward = find_forward_class(site.store, "tinker")
        with tempfile.TemporaryDirectory(prefix="sweep-plan-") as place:
            folder = Path(place)
            lay_files(site.settings, files, folder, folder)
            settings = replace(site.settings, user=user)
            yield prepare_sent(spec, (), folder, settings, forward, to_submit=to_submit)
    finally:
        _planning.release()


def make_document(site: Site, prepared: Any) -> dict[str, Any]:
    """Make what `sweep -f json plan` prints, with the first stages alone."""
    from scheduler.cli.plan import make_plan_document

    document: dict[str, Any] = make_plan_document(site.store, prepared)
    stages = document["stages"]
    return {**document, "stages": stages[:SHOWN], "hidden": max(0, len(stages) - SHOWN)}


def submit(site: Site, visitor: Visiting, prepared: Any) -> str:
    """Submit it for the visitor. Return the sweep's name."""
    from scheduler.cli.submit import submit_as
    from scheduler.prepare import build_submission

    return submit_as(visitor.actor, site.store, prepared, build_submission(prepared), site.settings).sweep
