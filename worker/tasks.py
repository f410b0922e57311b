"""The one task. Its message is a nudge; the lease decides."""

from typing import Any

from scheduler.dispatch import ATTEMPT
from worker.app import app, hands
from worker.outcome import Failed
from worker.pipeline import attempt


class StageFailed(Exception):
    """So that Flower tells the same story as the store. Plain text only."""


@app.task(name=ATTEMPT, bind=True, throws=(StageFailed,))
def attempt_stage(self: Any, stage: str, number: int) -> None:
    """Attempt a stage once. A repeated, late or stray message ends without doing anything."""
    outcome = attempt(hands(), stage, number, lambda text: self.send_event("task-progress", result=text))
    if isinstance(outcome, Failed):
        raise StageFailed(outcome.cause)
