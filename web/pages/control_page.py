"""Change a sweep: each button leads to a page that says what it does, and only that page's form does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from scheduler.state import views
from scheduler.state.people import sweep_changes as changes
from scheduler.state.people.actors import Actor
from scheduler.state.states import FAILURES, StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.views import SweepView
from sweeps.formatting import format_usd
from sweeps.stage import read_dollars
from web.received.forms import FormInvalid, OwnForm
from web.site import Forbidden, Here, Visiting
from web.templating import link_sweep, show_page

Do = Callable[[Store, Actor, str, Mapping[str, str]], object]


@dataclass(frozen=True)
class Action:
    """One thing that people do to a sweep."""

    name: str
    title: str
    says: str  # what it does
    fits: Callable[[SweepView], bool]
    do: Do
    field: str = ""  # what must be filled in
    is_danger: bool = False


def count_lost(view: SweepView) -> int:
    """Count the stages that may be tried again."""
    return sum(view.counts.get(state, 0) for state in (*FAILURES, StageState.CANCELLED))


def read_priority(text: str) -> int:
    """Read a priority. Raise FormInvalid."""
    if not text.isascii() or not text.isdecimal() or int(text) > changes.HIGHEST_PRIORITY:
        raise FormInvalid(
            f"priority: expected a whole number from 0 to {changes.HIGHEST_PRIORITY:,}, got {text[:40]!r}"
        )
    return int(text)


def read_micro_usd(text: str) -> int:
    """Read US dollars as micro-dollars, rounded down. Raise FormInvalid."""
    try:
        return read_dollars(text)
    except ValueError as error:
        raise FormInvalid(f"budget: {error}") from None


def _has_not_ended(view: SweepView) -> bool:
    return view.state in changes.NOT_ENDED


ACTIONS = (
    Action(
        "pause",
        "Pause",
        "Running stages save a checkpoint and stop, and nothing new starts. Nothing is lost: *Resume* continues it.",
        lambda view: view.state == SweepState.ACTIVE,
        lambda store, actor, name, _: changes.pause_sweep(store, actor, name),
    ),
    Action(
        "resume",
        "Resume",
        "Its stages start again where they stopped.",
        lambda view: view.state == SweepState.PAUSED,
        lambda store, actor, name, _: changes.resume_sweep(store, actor, name),
    ),
    Action(
        "cancel",
        "Cancel",
        "Its stages stop, and those that wait never start. Stages that other sweeps share continue. What it has spent "
        "stays spent, and its results stay.",
        _has_not_ended,
        lambda store, actor, name, _: changes.cancel_sweep(store, actor, name),
        is_danger=True,
    ),
    Action(
        "retry",
        "Try again",
        "Every stage that failed, was skipped or was cancelled is tried again. That may cost money.",
        lambda view: count_lost(view) > 0,
        lambda store, actor, name, _: changes.retry_sweep(store, actor, name, failed=False),
    ),
    Action(
        "priority",
        "Priority",
        "Sweeps with a higher number start first. Running stages are not interrupted.",
        _has_not_ended,
        lambda store, actor, name, form: changes.set_priority(store, actor, name, read_priority(form.get("value", ""))),
        field="Priority (a whole number)",
    ),
    Action(
        "budget",
        "Budget",
        "The most that this sweep may spend in all. It cannot be less than what it has spent and holds for what runs.",
        lambda _: True,
        lambda store, actor, name, form: changes.set_budget(store, actor, name, read_micro_usd(form.get("value", ""))),
        field="US dollars",
    ),
)

router = APIRouter(include_in_schema=False)


def list_actions(view: SweepView) -> list[Action]:
    """List what can be done to a sweep as it is now."""
    return [action for action in ACTIONS if action.fits(view)]


def find_action(name: str) -> Action:
    """Find an action by its name. Raise FormInvalid."""
    found_action = next((action for action in ACTIONS if action.name == name), None)
    if found_action is None:
        raise FormInvalid(f"there is no change {name[:40]!r}; expected {', '.join(action.name for action in ACTIONS)}")
    return found_action


@router.get("/sweeps/{name}/change/{what}")
def ask_before_change(name: str, what: str, site: Here, visitor: Visiting) -> Response:
    """Say what a change does, with the button that does it."""
    view, action = views.read_sweep(site.store, name), find_action(what)
    if not visitor.actor.may_change(view.user):
        raise Forbidden(f"only {view.user or 'its owner'} and admins change this sweep")
    held = format_usd(view.spent + view.reserved + view.unreconciled)
    return show_page("change.html", visitor, {"view": view, "action": action, "held": held, "lost": count_lost(view)})


@router.post("/sweeps/{name}/change/{what}")
def change_sweep(name: str, what: str, form: OwnForm, site: Here, visitor: Visiting) -> Response:
    """Do it. The audit log has a line of it first."""
    find_action(what).do(site.store, visitor.actor, name, form)
    return RedirectResponse(link_sweep(name, done=what), 303)
