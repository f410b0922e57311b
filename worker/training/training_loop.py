"""Training, whatever the method: on from where the last attempt got to, one step ahead, a checkpoint when it is due."""

import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, cast

from scheduler.artefacts import encode_rows
from sweeps.cost import Usage
from sweeps.rendering.render import Example
from sweeps.stage import Json
from sweeps.training.schedule import learning_rate_at
from worker.attempt import Attempt
from worker.evaluation.forward import mean_nll
from worker.leases import LeaseLost
from worker.open_model import StartingPoint
from worker.outcome import Outcome, StageError, Stopped, Succeeded
from worker.progress import Curve, ReportTimer, Row
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.sdk.session import AdamSettings

AHEAD = 1  # steps sent before the oldest is waited for: the service works in clock cycles


@dataclass(frozen=True)
class PendingStep:
    """A step on its way: its gradients, and the moves that they make. A step without any has nothing to learn from."""

    row: Row
    losses: Sequence[PendingAnswer[PassResult]]
    applied: Sequence[PendingAnswer[None]]


@dataclass(frozen=True)
class PendingValidation:
    """A look at the validation set on its way, after `row`'s step."""

    row: Row
    losses: list[PendingAnswer[PassResult]]
    examples: list[Example]


@dataclass(frozen=True)
class PendingCheckpoint:
    """A checkpoint on its way: everything sent before it is in it, nothing after."""

    step: int
    usage: Usage  # that it embodies, whichever attempts paid for it
    path: PendingAnswer[str]
    kept: Mapping[str, Json] = field(default_factory=dict)  # what else the method needs to go on from it


class Training(ABC):
    """The loop over steps. What is sent waits in one queue, in the order in which the service works.

    A method says what a step needs, what it sends and what its loss is; the loop, its checkpoints and its books are
    the same for all.
    """

    SHOWN: ClassVar[str]  # the name of what is shown while it goes on
    COLUMN: ClassVar[str]  # and the column of a step's metrics that holds it

    def __init__(self, this: Attempt, start: StartingPoint) -> None:
        self._this = this
        self._recipe = cast(Mapping[str, Any], this.recipe)
        self._execution = cast(Mapping[str, Any], this.work.execution)
        self._trainer = start.trainer
        self._start = start
        self._usage = start.usage
        self._curve = Curve(start.rows)
        self._waiting: deque[PendingStep | PendingValidation | PendingCheckpoint] = deque()
        self._beat = ReportTimer()
        self._saved_at = time.monotonic()
        self._saved_step = start.step

    @abstractmethod
    def _needs(self, step: int) -> Usage:
        """All that is asked for up to the next step, at most: then it can stop where a checkpoint can be made."""

    @abstractmethod
    def _send(self, step: int, rate: float) -> PendingStep:
        """Ask for the gradients of a step, and for the moves that they make, before any of it is waited for."""

    @abstractmethod
    def _conclude(self, answers: Sequence[PassResult], row: Row) -> float | None:
        """The loss of a step whose answers are there, noted in its row; None where nothing was asked for."""

    def _send_behind(self, done: int, row: Row) -> None:  # noqa: B027 - most methods ask for nothing
        """Ask for what is due right behind a step, when so many are done."""

    def _keep(self, step: int) -> Mapping[str, Json]:  # noqa: ARG002 - a method may keep something for each step
        """What else is needed to go on from a checkpoint."""
        return {}

    def run(self) -> Outcome:
        """All the steps that are left, then the final checkpoint."""
        step = self._start.step
        while not self._is_done(step):
            self._this.check()
            if stop := self._this.stop_if_asked() or self._this.stop_if_unaffordable(self._needs(step)):
                return self._stop(stop, step)
            self._submit(step)
            self._finish(leave=AHEAD)
            step += 1
        self._save(step)
        self._finish(leave=0)
        return self._result(step)

    def _is_done(self, done: int) -> bool:
        """Is the training over when so many steps are done?"""
        return bool(done >= self._recipe["steps"])

    def _planned_steps(self) -> int:
        """How many steps there will be, as far as can be told."""
        return int(self._recipe["steps"])

    def _stop(self, stop: Stopped, step: int) -> Stopped:
        """End at a step boundary, with a checkpoint if somebody may go on from it."""
        if not stop.cancelled:
            self._save(step)
        self._finish(leave=0)
        return stop

    def _submit(self, step: int) -> None:
        """Send one step, and what is due right behind it."""
        sent = self._send(step, self._learning_rate(step))
        self._waiting.append(sent)
        self._send_behind(step + 1, sent.row)
        if self._checkpoint_due(step + 1):
            self._save(step + 1)
            self._finish(leave=0)  # so that an attempt that dies repeats no more than one interval

    def _use(self, usage: Usage) -> None:
        """Book what is asked for, before it is: the books are never behind the service."""
        self._this.spending.add(usage)
        self._usage = self._usage.plus(usage)

    def _finish(self, *, leave: int) -> None:
        """Wait for the oldest until at most `leave` steps are on their way."""
        while sum(isinstance(each, PendingStep) for each in self._waiting) > leave or (self._waiting and not leave):
            match self._waiting.popleft():
                case PendingStep() as sent:
                    self._finish_step(sent)
                case PendingValidation(row, losses, examples):
                    answers = [self._this.wait(each) for each in losses]
                    row["test/nll"] = mean_nll(examples, answers)
                case PendingCheckpoint() as saved:
                    self._commit(saved)

    def _finish_step(self, sent: PendingStep) -> None:
        loss = self._conclude([self._this.wait(each) for each in sent.losses], sent.row)
        for each in sent.applied:
            self._this.wait(each)
        if loss is not None:
            self._check_convergence(loss, sent.row)
        self._curve.add(sent.row)
        if self._beat.due():
            self._this.report(self._progress(), self._curve_points())

    def _check_convergence(self, loss: float, row: Row) -> None:
        """A loss that is no number, or beyond the bound, never comes back: each further step would be money burned."""
        bound = self._execution.get("diverged_above") or math.inf
        if math.isfinite(loss) and loss <= bound:
            return
        if self._curve.rows:  # how far it came
            self._this.report(self._progress(), self._curve_points())
        found = f"above {bound:g}" if math.isfinite(loss) else "not a number"
        before = self._curve.rows[-1][self.COLUMN] if self._curve.rows else None
        was = f", from {before:.4g} the step before" if isinstance(before, float) else ""
        raise StageError(
            f"diverged: the loss became {loss:.4g} at step {row['step']}{was}, which is {found}; "
            f"the learning rate there was {row['learning_rate']:.3g}"
        )

    def _save(self, step: int) -> None:
        """Ask for a checkpoint behind what has been sent, unless there is one of just that already."""
        if step == self._saved_step:
            return
        work = self._this.work
        days = self._execution["checkpoint"].get("ttl_days")
        path = self._trainer.save(
            f"step-{step:06d}",
            ttl_seconds=None if days is None else round(days * 86_400),
            metadata={"sweep": work.payer, "stage": work.stage, "step": str(step)},
        )
        self._waiting.append(PendingCheckpoint(step, self._usage, path, self._keep(step)))
        self._saved_at = time.monotonic()
        self._saved_step = step

    def _commit(self, saved: PendingCheckpoint) -> None:
        """Record the checkpoint once the service has confirmed it: with it comes back all that a resume needs."""
        path = self._this.wait(saved.path)
        metrics = self._this.write_artefact(
            f"metrics-{saved.step:06d}.jsonl", encode_rows(self._curve.rows[: saved.step])
        )
        record: dict[str, Json] = {
            "path": path,
            "model": self._recipe["model"],
            "step": saved.step,
            "usage": saved.usage.document(),
            "metrics": metrics,
            "run": self._trainer.run_id,
            "ttl_days": self._execution["checkpoint"].get("ttl_days"),
            # Rounded down: what is left to reserve must never be too little.
            "micro_usd": self._this.spending.rates.price_at_least(saved.usage),
            **saved.kept,
        }
        if not self._this.context.store.commit_checkpoint(self._this.lease, self._this.spending.meter, record):
            raise LeaseLost(self._this.work.stage)

    def _checkpoint_due(self, done: int) -> bool:
        if self._is_done(done):
            return False  # the final one is always made
        cadence = self._execution["checkpoint"]
        by_steps = cadence.get("every_steps") and done % cadence["every_steps"] == 0
        minutes = cadence.get("every_minutes")
        return bool(by_steps or (minutes and time.monotonic() - self._saved_at > 60 * minutes))

    def _learning_rate(self, step: int) -> float:
        return self._rate_at(step, self._recipe["steps"])

    def _rate_at(self, done: int, whole: int) -> float:
        """The learning rate where so much of the whole is done: steps, or tokens."""
        recipe = self._recipe
        return learning_rate_at(
            done, schedule=recipe["schedule"], warmup=recipe["warmup"], steps=whole, peak=recipe["learning_rate"]
        )

    def _adam(self, learning_rate: float) -> AdamSettings:
        return AdamSettings(learning_rate=learning_rate, **self._recipe["adam"])

    def _progress(self) -> dict[str, Json]:
        last = self._curve.rows[-1]
        return {
            "step": len(self._curve.rows),
            "steps": self._planned_steps(),
            self.SHOWN: last[self.COLUMN],
            "run": self._trainer.run_id,
        }

    def _curve_points(self) -> list[Row]:
        return [{"step": row["step"], self.SHOWN: row[self.COLUMN]} for row in self._curve.thinned()]

    def _result(self, steps: int) -> Succeeded:
        self._this.report(self._progress(), self._curve_points())
        last = self._curve.rows[-1]
        return Succeeded(
            result={
                "metrics": {f"train_{self.SHOWN}": last[self.COLUMN]},
                "metrics_file": self._this.write_artefact("metrics.jsonl", encode_rows(self._curve.rows)),
                "usage": self._usage.document(),
                "resumed_at": self._start.step,
            },
            steps=steps,
        )
