"""Define the one Celery task. Its message says which stage to look at; the lease decides."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from scheduler.engine.dispatch import ATTEMPT
from worker.app import app, get_context
from worker.attempt import ReportEnd
from worker.outcome import Failed, Outcome, summarise
from worker.pipeline import attempt_stages


class StageFailed(Exception):
    """Makes the Celery task fail, so that Flower shows what the store says. Plain text only."""


@app.task(name=ATTEMPT, bind=True, throws=(StageFailed,))
def attempt_stage(self: Any, stage: str, number: int) -> str:
    """Attempt a stage once. A repeated, late or stray message ends without doing anything.

    The return value is shown in Flower; the result itself is in the store.
    """
    outcome = attempt_stages(get_context(), stage, number, CeleryEvents(self))
    if isinstance(outcome, Failed):
        raise StageFailed(outcome.cause)
    return "not the current attempt" if outcome is None else summarise(outcome)


class CeleryEvents:
    """Reports to Flower through Celery's events; a failed report is ignored."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def show_progress(self, text: str) -> None:
        """Show a text in the task's row, live: Flower shows the result of a custom event."""
        with suppress(Exception):
            self._task.send_event("task-progress", result=text)

    @contextmanager
    def report_continued(self, label: str) -> Iterator[ReportEnd]:
        """Show a stage that came without a message in a row of its own."""
        row, began = str(uuid.uuid4()), time.monotonic()
        outcomes: list[Outcome] = []
        self._send("task-received", row, name=ATTEMPT, args=label, kwargs="{}", retries=0)
        self._send("task-started", row)
        yield outcomes.append
        outcome = outcomes[-1]
        if isinstance(outcome, Failed):
            self._send("task-failed", row, exception=f"StageFailed({outcome.cause!r})", traceback="")
        else:
            self._send("task-succeeded", row, result=summarise(outcome), runtime=time.monotonic() - began)

    def _send(self, kind: str, row: str, **fields: object) -> None:
        with (
            suppress(Exception),
            self._task.app.events.default_dispatcher(hostname=self._task.request.hostname) as dispatcher,
        ):
            dispatcher.send(kind, uuid=row, **fields)
