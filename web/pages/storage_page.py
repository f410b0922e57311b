"""Storage: which checkpoints an account has at a service, who needs them, what they cost, and a bulk clean-up."""

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from scheduler.services import SERVICES
from scheduler.state.people.actors import Scope
from web.received.forms import FormInvalid, OwnForm
from web.site import Here, Visiting, require
from web.templating import show_page

SHOWN = 200  # checkpoints of a service
AGAIN = 2  # seconds after which a page that waits for an answer looks again
USES = ("needed", "kept", "orphan", "foreign")

router = APIRouter(include_in_schema=False)


@router.get("/storage")
def show_storage(site: Here, visitor: Visiting, deleted: int | None = None) -> Response:
    """Show what each service said last."""
    answers = site.stored.list_answers()
    values = {
        "answers": answers,
        "again": AGAIN if any(answer.is_asked for answer in answers) else 0,
        "uses": USES,
        "cleaned": ("orphan", "kept"),
        "deleted": deleted,
        "shown": SHOWN,
        "may_ask": visitor.actor.scope.allows(Scope.SUBMIT),
        "may_delete": visitor.actor.scope.allows(Scope.ADMIN),
    }
    return show_page("storage.html", visitor, values)


@router.post("/storage/ask")
def ask_service(form: OwnForm, site: Here, visitor: Visiting) -> Response:
    """Ask a service what is stored there."""
    require(visitor, Scope.SUBMIT)
    site.stored.ask(read_service(form.get("service", "")))
    return RedirectResponse("/storage", 303)


@router.post("/storage/delete")
def delete_stored(form: OwnForm, site: Here, visitor: Visiting) -> Response:
    """Let a worker delete what nobody needs, of one use."""
    require(visitor, Scope.ADMIN)
    use, service = form.get("use", ""), read_service(form.get("service", ""))
    if use == "orphan":
        deleted = site.stored.delete(visitor.actor, service, "orphan")
    elif use == "kept":
        deleted = site.stored.delete(visitor.actor, service, "kept")
    else:
        raise FormInvalid(f"expected orphan or kept, got {use[:40]!r}")
    return RedirectResponse(f"/storage?deleted={deleted}", 303)


def read_service(text: str) -> str:
    """Read the name of a service. Raise FormInvalid."""
    if text not in SERVICES:
        raise FormInvalid(f"expected one of {', '.join(SERVICES)}, got {text[:40]!r}")
    return text
