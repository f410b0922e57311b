"""Run a training of any method: resume, stay one step ahead, and save a checkpoint when one is due.

Asks the service through a Trainer; writes metrics, checkpoints and spending through the attempt.
"""

import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from scheduler.artefacts import compress_rows
from scheduler.engine.retry import Fault
from scheduler.state.store import CURVE_POINTS, KEPT_POINTS
from sweeps.cost import Usage
from sweeps.evaluation.metric_prefixes import TRAINING
from sweeps.rendering.render import Example
from sweeps.stage import Json
from sweeps.training.learning_facts import collect_learning_facts
from sweeps.training.schedule import learning_rate_at
from worker.attempt import Attempt
from worker.evaluation.forward import mean_nll
from worker.held_lease import LeaseLost
from worker.open_model import StartingPoint
from worker.outcome import Outcome, StageError, Stopped, Succeeded
from worker.progress import Curve, ReportTimer, Row
from worker.sdk.failures import ServiceError
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.session import AdamStep

GROWTH = 1.1  # by which a training grows before its facts are collected again
AHEAD = 1  # steps sent before the oldest is awaited: the service works in clock cycles


@dataclass(frozen=True)
class PendingStep:
    """A step whose answers are pending: its gradients and updates. A step without any has nothing to learn from."""

    row: Row
    losses: Sequence[PendingAnswer[PassResult]]
    applied: Sequence[PendingAnswer[None]]


@dataclass(frozen=True)
class PendingValidation:
    """A pass over the validation set whose answers are pending, after the step of `row`."""

    row: Row
    losses: list[PendingAnswer[PassResult]]
    examples: list[Example]


@dataclass(frozen=True)
class PendingCheckpoint:
    """A pending checkpoint: it contains everything sent before it and nothing after."""

    step: int
    usage: Usage  # that it embodies, whichever attempts paid for it
    path: PendingAnswer[str]
    kept: Mapping[str, Json] = field(default_factory=dict)  # what else the method needs to continue from it


class Training(ABC):
    """The loop over steps. Everything sent waits in one queue, in the order in which the service works.

    A method defines what a step needs, what it sends and what its loss is; the loop, its checkpoints and its
    spending are the same for all.
    """

    SHOWN: ClassVar[str]  # the name of the value shown during training
    COLUMN: ClassVar[str]  # the column of a step's metrics that holds it

    def __init__(self, this: Attempt, start: StartingPoint) -> None:
        self._this = this
        self._recipe = cast(Mapping[str, Any], this.recipe)
        self._execution = cast(Mapping[str, Any], this.work.execution)
        self._trainer = start.trainer
        self._start = start
        self._usage = start.usage
        self._curve = Curve(start.rows)
        self._waiting: deque[PendingStep | PendingValidation | PendingCheckpoint] = deque()
        self._report_timer = ReportTimer()
        self._saved_at = time.monotonic()
        self._saved_step = start.step
        self._metrics = str(start.kept.get("metrics") or "")  # the file of the newest checkpoint
        self._facts: dict[str, Json] = {}  # of the steps so far, or of nearly all of them

    @abstractmethod
    def _compute_needs(self, step: int) -> Usage:
        """Return the most usage of all requests up to the next step, where a checkpoint is possible."""

    @abstractmethod
    def _send(self, step: int, rate: float) -> PendingStep:
        """Request the gradients and updates of a step, before awaiting any of them."""

    @abstractmethod
    def _conclude(self, answers: Sequence[PassResult], row: Row) -> float | None:
        """Return the loss of a step from its answers and note it in the row; None if nothing was requested."""

    def _send_behind(self, done: int, row: Row) -> None:  # noqa: B027 - most methods request nothing
        """Request what is due right after a step; `done` steps are then done."""

    def _keep(self, step: int) -> Mapping[str, Json]:  # noqa: ARG002 - a method may keep something per step
        """Return what else a resume from a checkpoint needs."""
        return {}

    def run(self) -> Outcome:
        """Do all remaining steps, then save the final checkpoint."""
        step = self._start.step
        while not self._is_done(step):
            self._this.check()
            if stop := self._this.stop_if_asked() or self._this.stop_if_unaffordable(self._compute_needs(step)):
                return self._stop(stop, step)
            self._submit(step)
            self._finish(leave=AHEAD)
            step += 1
        self._save(step)
        self._finish(leave=0)
        return self._make_result(step)

    def _is_done(self, done: int) -> bool:
        """Is the training over after this many steps?"""
        return bool(done >= self._recipe["steps"])

    def _estimate_steps(self) -> int:
        """Return the expected number of steps."""
        return int(self._recipe["steps"])

    def _stop(self, stop: Stopped, step: int) -> Stopped:
        """End at a step boundary, with a checkpoint if another attempt may continue from it."""
        if not stop.cancelled:
            self._save(step)
        self._finish(leave=0)
        return stop

    def _submit(self, step: int) -> None:
        """Send one step, and what is due right after it."""
        sent = self._send(step, self._compute_learning_rate(step))
        self._waiting.append(sent)
        self._send_behind(step + 1, sent.row)
        if self._is_checkpoint_due(step + 1):
            self._save(step + 1)
            self._finish(leave=0)  # so that a lost attempt repeats at most one interval

    def _use(self, usage: Usage) -> None:
        """Book usage before it is requested: the ledger is never behind the service."""
        self._this.spending.add(usage)
        self._usage = self._usage.plus(usage)

    def _finish(self, *, leave: int) -> None:
        """Wait for the oldest answers until at most `leave` steps are pending."""
        while sum(isinstance(step, PendingStep) for step in self._waiting) > leave or (self._waiting and not leave):
            match self._waiting.popleft():
                case PendingStep() as sent:
                    self._finish_step(sent)
                case PendingValidation(row, losses, examples):
                    answers = [self._this.wait(future) for future in losses]
                    row["test/nll"] = mean_nll(examples, answers)
                case PendingCheckpoint() as saved:
                    self._commit(saved)

    def _finish_step(self, sent: PendingStep) -> None:
        loss = self._conclude([self._this.wait(future) for future in sent.losses], sent.row)
        for future in sent.applied:
            self._this.wait(future)
        if loss is not None:
            self._check_convergence(loss, sent.row)
        self._curve.add(sent.row)
        if self._report_timer.is_due():
            self._this.report(self._describe_progress(), self._list_curve_points())

    def _check_convergence(self, loss: float, row: Row) -> None:
        """Raise StageError if the loss is not finite or above the bound, because it never recovers.

        Before the first update of an untrained model nothing can have diverged: then the answer is malformed
        (ServiceError).
        """
        bound = self._execution.get("diverged_above") or math.inf
        if math.isfinite(loss) and loss <= bound:
            return
        if not math.isfinite(loss) and row["step"] == 0 and self._recipe["parent"] is None:
            raise ServiceError(Fault.MALFORMED, f"step 0: expected a finite loss of an untrained model, got {loss}")
        if self._curve.rows:  # report how far it came
            self._this.report(self._describe_progress(), self._list_curve_points())
        problem = f"above {bound:g}" if math.isfinite(loss) else "not finite"
        before = self._curve.rows[-1][self.COLUMN] if self._curve.rows else None
        was = f" (from {before:.4g} the step before)" if isinstance(before, float) else ""
        raise StageError(
            f"diverged: the loss became {loss:.4g} at step {row['step']}{was}, which is {problem}; "
            f"the learning rate there was {row['learning_rate']:.3g}"
        )

    def _save(self, step: int) -> None:
        """Request a checkpoint of what has been sent, unless that exists already."""
        if step == self._saved_step:
            return
        work = self._this.work
        days = self._execution["checkpoint"].get("ttl_days")
        path = self._trainer.save(
            f"step-{step:06d}",
            ttl_seconds=None if days is None else round(days * 86_400),
            metadata={"fleet": self._this.context.fleet, "sweep": work.payer, "stage": work.stage, "step": str(step)},
        )
        self._waiting.append(PendingCheckpoint(step, self._usage, path, self._keep(step)))
        self._saved_at = time.monotonic()
        self._saved_step = step

    def _commit(self, saved: PendingCheckpoint) -> None:
        """Record the checkpoint once the service has confirmed it, with everything that a resume needs."""
        path = self._this.wait(saved.path)
        metrics = self._write_metrics(saved.step)
        record: dict[str, Json] = {
            "path": path,
            "model": self._recipe["model"],
            "step": saved.step,
            "usage": saved.usage.document(),
            "metrics": metrics,
            "ttl_days": self._execution["checkpoint"].get("ttl_days"),
            # Rounded down, so that the rest to reserve is never too small.
            "micro_usd": self._this.spending.rates.price_at_least(saved.usage),
            **saved.kept,
        }
        if not self._this.context.store.commit_checkpoint(self._this.lease, self._this.spending.meter, record):
            raise LeaseLost(self._this.work.stage)
        self._metrics = metrics

    def _write_metrics(self, steps: int) -> str:
        """Write the metrics of all steps so far; return the path."""
        rows = compress_rows(self._curve.rows[:steps])
        return self._this.write_artefact(f"metrics-{steps:06d}.jsonl.gz", rows)

    def _is_checkpoint_due(self, done: int) -> bool:
        if self._is_done(done):
            return False  # the final one is always saved
        cadence = self._execution["checkpoint"]
        by_steps = cadence.get("every_steps") and done % cadence["every_steps"] == 0
        minutes = cadence.get("every_minutes")
        return bool(by_steps or (minutes and time.monotonic() - self._saved_at > 60 * minutes))

    def _compute_learning_rate(self, step: int) -> float:
        return self._compute_rate(step, self._recipe["steps"])

    def _compute_rate(self, done: int, whole: int) -> float:
        """Return the learning rate at `done` of `whole`, in steps or tokens."""
        recipe = self._recipe
        return learning_rate_at(
            done, schedule=recipe["schedule"], warmup=recipe["warmup"], steps=whole, peak=recipe["learning_rate"]
        )

    def _make_adam(self, learning_rate: float) -> AdamStep:
        return AdamStep(learning_rate=learning_rate, **self._recipe["adam"])

    def _describe_progress(self) -> dict[str, Json]:
        last = self._curve.rows[-1]
        return {
            "step": len(self._curve.rows),
            "steps": self._estimate_steps(),
            self.SHOWN: last[self.COLUMN],
            "run": self._trainer.run_id,
            "learning": self._update_facts(),
        }

    def _update_facts(self) -> dict[str, Json]:
        """Return the numbers that show whether the training learns anything; of a long one, at each tenth more steps.

        They need all steps, and are reported every second.
        """
        if len(self._curve.rows) >= GROWTH * int(str(self._facts.get("steps", 0))):
            self._facts = collect_learning_facts(self._curve.rows, self._recipe)
        return self._facts

    def _list_curve_points(self, most: int = CURVE_POINTS) -> list[Row]:
        return [{"step": row["step"], self.SHOWN: row[self.COLUMN]} for row in self._curve.thin(most)]

    def _make_result(self, steps: int) -> Succeeded:
        self._this.report(self._describe_progress(), self._list_curve_points(KEPT_POINTS))
        last = self._curve.rows[-1]
        return Succeeded(
            result={
                "metrics": {f"{TRAINING}{self.SHOWN}": last[self.COLUMN]},
                "metrics_file": self._metrics or self._write_metrics(steps),
                "learning": collect_learning_facts(self._curve.rows, self._recipe),
                "usage": self._usage.document(),
                "resumed_at": self._start.step,
            },
            steps=steps,
        )
