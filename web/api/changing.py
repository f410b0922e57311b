"""What the API changes of sweeps: what the command line does, by the same functions."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from scheduler.state.people import sweep_changes
from sweeps.stage import read_dollars
from web.api import answer_models as answers
from web.api.callers import Here, Submitter
from web.api.cursors import answer
from web.api.problems import describe_problems

PROBLEMS = describe_problems(401, 403, 404, 413, 422, 503)

router = APIRouter(tags=["change"], prefix="/sweeps/{name}")


@router.post("/pause", response_model=answers.ChangeAnswer, responses=PROBLEMS)
def pause(request: Request, name: str, desk: Here, actor: Submitter) -> Response:
    """Pause a sweep: its running stages save a checkpoint and stop. A sweep that is not active stays as it is."""
    return _answer(request, name, state=sweep_changes.pause_sweep(desk.store, actor, name).after)


@router.post("/resume", response_model=answers.ChangeAnswer, responses=PROBLEMS)
def resume(request: Request, name: str, desk: Here, actor: Submitter) -> Response:
    """Continue a paused sweep. One that is not paused stays as it is."""
    return _answer(request, name, state=sweep_changes.resume_sweep(desk.store, actor, name).after)


@router.post("/cancel", response_model=answers.ChangeAnswer, responses=PROBLEMS)
def cancel(request: Request, name: str, desk: Here, actor: Submitter) -> Response:
    """Cancel a sweep. Stages that other sweeps share continue. One that has ended stays as it is."""
    return _answer(request, name, state=sweep_changes.cancel_sweep(desk.store, actor, name).after)


@router.post("/retry", response_model=answers.ChangeAnswer, responses=PROBLEMS)
def retry(
    request: Request,
    name: str,
    desk: Here,
    actor: Submitter,
    how: Annotated[answers.HowToRetry, Body(default_factory=answers.HowToRetry)],
) -> Response:
    """Try the failed, skipped and cancelled stages of a sweep again."""
    retried = sweep_changes.retry_sweep(desk.store, actor, name, failed=how.failed)
    return _answer(request, name, reopened_stages=retried.stages)


@router.put("/priority", response_model=answers.ChangeAnswer, responses=PROBLEMS)
def set_priority(request: Request, name: str, desk: Here, actor: Submitter, new: answers.NewPriority) -> Response:
    """Set the priority of a sweep: the higher one starts first."""
    before = sweep_changes.set_priority(desk.store, actor, name, new.priority)
    return _answer(request, name, priority=new.priority, previous_priority=before)


@router.put("/budget", response_model=answers.ChangeAnswer, responses={**PROBLEMS, **describe_problems(409)})
def set_budget(request: Request, name: str, desk: Here, actor: Submitter, new: answers.NewBudget) -> Response:
    """Set what a sweep may spend in all. It cannot be less than what the sweep has spent and holds."""
    sweep_changes.set_budget(desk.store, actor, name, read_dollars(str(new.usd)))
    return _answer(request, name, budget_usd=new.usd)


def _answer(request: Request, name: str, **changed: Any) -> Response:
    return answer(request, {"sweeps": [{"sweep": name, **changed}]})
