"""Open the model of a stage: its own last checkpoint, its parent's weights, or the untouched base.

Asks the service through a session; forgets checkpoints in the store that are gone.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from scheduler.artefacts import decode_rows
from scheduler.engine.retry import Fault
from scheduler.state.connection import Away
from sweeps.cost import Usage
from worker.attempt import Attempt
from worker.outcome import ParentGone
from worker.progress import Row
from worker.sdk.failures import ServiceError
from worker.sdk.health import has_checkpoint
from worker.sdk.session import Session, Trainer

EVALUATION_RANK = 8  # of the untouched adapter on a base model; it does not change the model
NOTHING = Usage()
RESUMED = "continues from the checkpoint at step"  # the event of a resume, followed by the step
ALL_LAYERS = {"mlp": True, "attn": True, "unembed": True}


@dataclass(frozen=True)
class StartingPoint:
    """An open model, and how far its training has come."""

    trainer: Trainer
    step: int = 0
    usage: Usage = NOTHING  # contained in its checkpoint, whichever attempts paid for it
    rows: list[Row] = field(default_factory=list)
    kept: Mapping[str, Any] = field(default_factory=dict)  # the whole record of the checkpoint


def open_for_training(this: Attempt, session: Session) -> StartingPoint:
    """Open the model of a training where the last attempt left it.

    If that checkpoint is gone, it is forgotten and the attempt ends: an older checkpoint costs more than was
    reserved, so the stage must be admitted again.
    """
    if not this.work.checkpoint:
        return StartingPoint(_open_new(this, session))
    try:
        return _resume(this, session, this.work.checkpoint)
    except ServiceError as error:
        forget_if_gone(this, this.work.checkpoint, str(this.work.checkpoint["path"]), error)
        raise


def forget_if_gone(this: Attempt, checkpoint: Mapping[str, Any], path: str, error: ServiceError) -> None:
    """If the error means that the checkpoint (or `path`, which it needs) is gone, forget it and raise that."""
    if not checkpoint or not error.about_the_checkpoint or (error.missing and _may_exist(this, path)):
        return
    this.context.store.forget_checkpoint(this.lease, str(checkpoint["path"]), gone=path)
    raise ServiceError(Fault.OUTAGE, f"the checkpoint at step {checkpoint['step']} is gone: {error}") from None


def open_for_evaluation(this: Attempt, session: Session) -> Trainer:
    """Open the model that an evaluation measures."""
    if this.recipe["parent"] is not None:
        return _open_parent(this, session)
    model = str(this.recipe["model"])
    return this.wait(session.create(model, rank=EVALUATION_RANK, seed=0, layers=ALL_LAYERS))


def _resume(this: Attempt, session: Session, checkpoint: Mapping[str, Any]) -> StartingPoint:
    trainer = this.wait(session.restore(checkpoint["path"], optimizer=True))
    rows = decode_rows(this.context.artefacts.read(checkpoint["metrics"]))
    with suppress(*Away):
        this.context.store.log_event(this.lease, f"{RESUMED} {checkpoint['step']}")
    return StartingPoint(trainer, checkpoint["step"], Usage.read(checkpoint["usage"]), rows, checkpoint)


def _open_new(this: Attempt, session: Session) -> Trainer:
    recipe = cast(Mapping[str, Any], this.recipe)
    if recipe["parent"] is not None:
        return _open_parent(this, session)
    seed, layers = recipe["seeds"]["init"], recipe["layers"]
    return this.wait(session.create(recipe["model"], rank=recipe["rank"], seed=seed, layers=layers))


def _open_parent(this: Attempt, session: Session) -> Trainer:
    """Open the parent's weights with a fresh optimizer."""
    parent = str(this.recipe["parent"])
    checkpoint = this.context.store.read_checkpoint(parent)
    path = str(checkpoint["path"]) if checkpoint else ""
    if not path:
        raise ParentGone(parent, path)
    try:
        return this.wait(session.restore(path, optimizer=False))
    except ServiceError as error:
        if error.missing and not _may_exist(this, path):
            raise ParentGone(parent, path) from None
        raise


def _may_exist(this: Attempt, path: str) -> bool:
    """Check whether a checkpoint may still exist after opening it failed because something was missing.

    A service that has no call for it is believed the second time.
    """
    there = has_checkpoint(this.context.endpoint(str(this.recipe["model"])), path)
    return not any(map(this.work.failures.get, (Fault.GONE, Fault.BROKEN))) if there is None else there
