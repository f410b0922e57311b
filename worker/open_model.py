"""Where an attempt begins: behind its own last checkpoint, where its parent ended, or at the untouched base."""

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

EVALUATION_RANK = 8  # of the untouched adapter through which a base model is asked; it changes nothing
NOTHING = Usage()
ALL_LAYERS = {"mlp": True, "attn": True, "unembed": True}


@dataclass(frozen=True)
class StartingPoint:
    """An open model, and how far it has come."""

    trainer: Trainer
    step: int = 0
    usage: Usage = NOTHING  # that its checkpoint embodies, whichever attempts paid for them
    rows: list[Row] = field(default_factory=list)
    kept: Mapping[str, Any] = field(default_factory=dict)  # all that stands in the record of the checkpoint


def open_for_training(this: Attempt, session: Session) -> StartingPoint:
    """Open the model of a training where the last attempt left it.

    Where that checkpoint is gone, it is forgotten and the attempt ends: going on from the one before, or starting over,
    costs more than was reserved, so that it must be admitted anew.
    """
    if not this.work.checkpoint:
        return StartingPoint(_open_new(this, session))
    try:
        return _resume(this, session, this.work.checkpoint)
    except ServiceError as error:
        forget_if_gone(this, this.work.checkpoint, str(this.work.checkpoint["path"]), error)
        raise


def forget_if_gone(this: Attempt, checkpoint: Mapping[str, Any], path: str, error: ServiceError) -> None:
    """Forget a checkpoint if what failed to open, it or what it needs, is not at the service; then raise that it is."""
    if not checkpoint or not error.about_the_checkpoint or (error.missing and _may_exist(this, path)):
        return
    this.context.store.forget_checkpoint(this.lease, str(checkpoint["path"]), gone=path)
    raise ServiceError(Fault.OUTAGE, f"its checkpoint at step {checkpoint['step']} is gone: {error}") from None


def open_for_evaluation(this: Attempt, session: Session) -> Trainer:
    """Open the model that an evaluation is about."""
    if this.recipe["parent"] is not None:
        return _open_parent(this, session)
    model = str(this.recipe["model"])
    return this.wait(session.create(model, rank=EVALUATION_RANK, seed=0, layers=ALL_LAYERS))


def _resume(this: Attempt, session: Session, checkpoint: Mapping[str, Any]) -> StartingPoint:
    trainer = this.wait(session.restore(checkpoint["path"], optimizer=True))
    rows = decode_rows(this.context.artefacts.read(checkpoint["metrics"]))
    with suppress(*Away):
        this.context.store.log_event(this.lease, f"goes on from the checkpoint at step {checkpoint['step']}")
    return StartingPoint(trainer, checkpoint["step"], Usage.read(checkpoint["usage"]), rows, checkpoint)


def _open_new(this: Attempt, session: Session) -> Trainer:
    recipe = cast(Mapping[str, Any], this.recipe)
    if recipe["parent"] is not None:
        return _open_parent(this, session)
    seed, layers = recipe["seeds"]["init"], recipe["layers"]
    return this.wait(session.create(recipe["model"], rank=recipe["rank"], seed=seed, layers=layers))


def _open_parent(this: Attempt, session: Session) -> Trainer:
    """The parent's weights with a fresh optimizer."""
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
    """Something was missing when a checkpoint was opened: it, or the model or session that should have become of it.

    A service that cannot be asked which is believed the second time.
    """
    there = has_checkpoint(this.context.endpoint(str(this.recipe["model"])), path)
    return not any(map(this.work.failures.get, (Fault.GONE, Fault.BROKEN))) if there is None else there
