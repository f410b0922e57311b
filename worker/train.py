"""Training, and the supervised method of it.

From where the last attempt got to, one batch submitted ahead, a checkpoint when it is due.
"""

import math
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from scheduler.artefacts import lines
from sweeps.cost import Usage
from sweeps.order import batch_rows, subset_order
from sweeps.render import Example
from sweeps.stage import Json
from sweeps.steps import learning_rate_at
from worker.attempt import Attempt
from worker.evaluate import mean_nll, submit_forward
from worker.leases import LeaseLost
from worker.opening import Start
from worker.outcome import Outcome, Stopped, Succeeded, Unfit
from worker.progress import Beat, Curve, Row
from worker.service import Adam, Batch, Losses, Pending

AHEAD = 1  # steps submitted before the oldest is waited for: the service works in clock cycles


def tokens_of(examples: Sequence[Example]) -> int:
    """That are read, and billed."""
    return sum(len(example) for example in examples)


def loss_tokens_of(examples: Sequence[Example]) -> float:
    """That are asked for."""
    return sum(float(example.weights.sum()) for example in examples)


@dataclass(frozen=True)
class Stepped:
    """A step on its way."""

    row: Row
    losses: Pending[Losses]
    applied: Pending[None]


@dataclass(frozen=True)
class Validated:
    """A look at the validation set on its way, after `row`'s step."""

    row: Row
    losses: list[Pending[Losses]]
    examples: list[Example]


@dataclass(frozen=True)
class Saved:
    """A checkpoint on its way: everything submitted before it is in it, nothing after."""

    step: int
    usage: Usage  # that it embodies, whichever attempts paid for it
    path: Pending[str]


class Training:
    """The loop over steps. What is submitted waits in one queue, in the order in which the service works.

    Another method has another gradient, from other examples; the loop, its checkpoints and its books are the same.
    """

    LOSS = "train_mean_nll"  # its name in the metrics of a step
    SHOWN = "nll"  # and where it is shown while it goes on

    def __init__(self, this: Attempt, start: Start) -> None:
        self._this = this
        self._recipe = cast(Mapping[str, Any], this.recipe)
        self._execution = cast(Mapping[str, Any], this.work.execution)
        self._trainer = start.trainer
        self._start = start
        self._usage = start.usage
        self._curve = Curve(start.rows)
        self._waiting: deque[Stepped | Validated | Saved] = deque()
        self._beat = Beat()
        self._saved_at = time.monotonic()
        self._saved_step = start.step
        self._examples = self._subset()
        self._validation = self._validation_set()

    def to_the_end(self) -> Outcome:
        """All the steps that are left, then the final checkpoint."""
        for step in range(self._start.step, self._recipe["steps"]):
            self._this.check()
            examples = self._examples_of(step)
            if stop := self._this.asked_to_stop() or self._this.too_dear(self._usage_of(step, examples)):
                return self._stop(stop, step)
            self._submit(step, examples)
            self._finish(leave=AHEAD)
        self._save(self._recipe["steps"])
        self._finish(leave=0)
        return self._result()

    def _stop(self, stop: Stopped, step: int) -> Stopped:
        """End at a step boundary, with a checkpoint if somebody may go on from it."""
        if not stop.cancelled:
            self._save(step)
        self._finish(leave=0)
        return stop

    def _usage_of(self, step: int, examples: Sequence[Example]) -> Usage:
        """All that is asked for up to the next step: then it can stop where a checkpoint can be made."""
        usage = self._gradient_usage(tokens_of(examples))
        if self._looks_after(step + 1):
            usage = usage.plus(self._this.spending.rates.passed(tokens_of(self._validation)))
        return usage

    def _gradient_usage(self, tokens: int) -> Usage:
        """What one gradient over so many tokens counts as."""
        return Usage(training=tokens)

    def _submit(self, step: int, examples: Sequence[Example]) -> None:
        """Send one step, and what is due right behind it, before anything is waited for."""
        rate = self._learning_rate(step)
        row = self._row(step, rate, examples)
        self._this.check()  # a frozen process may wake up here
        losses = self._gradient(examples, row)
        applied = self._trainer.step(self._adam(rate))
        self._waiting.append(Stepped(row, losses, applied))
        self._validate_if_due(step + 1, row)
        if self._checkpoint_due(step + 1):
            self._save(step + 1)
            self._finish(leave=0)  # so that an attempt that dies repeats no more than one interval

    def _gradient(self, examples: Sequence[Example], row: Row) -> Pending[Losses]:  # noqa: ARG002 - other methods say more
        """Ask for the gradient of a step; what is known of the step already goes into its row."""
        batch = Batch(examples, scale=1.0 / loss_tokens_of(examples))
        self._use(Usage(training=batch.tokens))  # before it is asked for: the books are never behind the service
        return self._trainer.forward_backward(batch)

    def _loss(self, losses: Losses, row: Row) -> float:  # noqa: ARG002 - as in `_gradient`
        """The loss of a step, when its gradient is there."""
        return losses.loss

    def _use(self, usage: Usage) -> None:
        self._this.spending.add(usage)
        self._usage = self._usage.plus(usage)

    def _finish(self, *, leave: int) -> None:
        """Wait for the oldest until at most `leave` steps are on their way."""
        while sum(isinstance(each, Stepped) for each in self._waiting) > leave or (self._waiting and not leave):
            match self._waiting.popleft():
                case Stepped() as stepped:
                    self._finish_step(stepped)
                case Validated(row, losses, examples):
                    answers = [self._this.wait(each) for each in losses]
                    row["test/nll"] = mean_nll(examples, answers)
                case Saved() as saved:
                    self._commit(saved)

    def _finish_step(self, stepped: Stepped) -> None:
        loss = self._loss(self._this.wait(stepped.losses), stepped.row)
        self._this.wait(stepped.applied)
        self._see_that_it_converges(loss, stepped.row)
        stepped.row[self.LOSS] = loss
        self._curve.add(stepped.row)
        if self._beat.due():
            self._this.report(self._progress(), self._shown())

    def _see_that_it_converges(self, loss: float, row: Row) -> None:
        """A loss that is no number, or beyond the bound, never comes back: each further step would be money burned."""
        bound = self._execution.get("diverged_above") or math.inf
        if math.isfinite(loss) and loss <= bound:
            return
        found = f"above {bound:g}" if math.isfinite(loss) else "not a number"
        before = self._curve.rows[-1][self.LOSS] if self._curve.rows else None
        was = f", from {before:.4g} the step before" if isinstance(before, float) else ""
        raise Unfit(
            f"diverged: the loss became {loss:.4g} at step {row['step']}{was}, which is {found}; "
            f"the learning rate there was {row['learning_rate']:.3g}"
        )

    def _save(self, step: int) -> None:
        """Ask for a checkpoint behind what has been submitted, unless there is one of just that already."""
        if step == self._saved_step:
            return
        work = self._this.work
        days = self._execution["checkpoint"].get("ttl_days")
        path = self._trainer.save(
            f"step-{step:06d}",
            ttl_seconds=None if days is None else round(days * 86_400),
            metadata={"sweep": work.payer, "stage": work.stage, "step": str(step)},
        )
        self._waiting.append(Saved(step, self._usage, path))
        self._saved_at = time.monotonic()
        self._saved_step = step

    def _commit(self, saved: Saved) -> None:
        """Record the checkpoint once the service has confirmed it: with it comes back all that a resume needs."""
        path = self._this.wait(saved.path)
        metrics = self._this.keep(f"metrics-{saved.step:06d}.jsonl", lines(self._curve.rows[: saved.step]))
        days = self._execution["checkpoint"].get("ttl_days")
        record: dict[str, Json] = {
            "path": path,
            "model": self._recipe["model"],
            "step": saved.step,
            "usage": saved.usage.document(),
            "metrics": metrics,
            "run": self._trainer.run_id,
            "ttl_days": days,
            # Rounded down: what is left to reserve must never be too little.
            "micro_usd": self._this.spending.rates.price_at_least(saved.usage),
        }
        if not self._this.hands.store.commit_checkpoint(self._this.lease, self._this.spending.meter, record):
            raise LeaseLost(self._this.work.stage)

    def _checkpoint_due(self, done: int) -> bool:
        cadence = self._execution["checkpoint"]
        if done == self._recipe["steps"]:
            return False  # the final one is always made
        by_steps = cadence.get("every_steps") and done % cadence["every_steps"] == 0
        minutes = cadence.get("every_minutes")
        return bool(by_steps or (minutes and time.monotonic() - self._saved_at > 60 * minutes))

    def _validate_if_due(self, done: int, row: Row) -> None:
        if self._looks_after(done):
            losses = submit_forward(self._trainer, self._validation, self._use_forward)
            self._waiting.append(Validated(row, losses, self._validation))

    def _looks_after(self, done: int) -> bool:
        """Is the validation set looked at when so many steps are done?"""
        every = self._execution.get("eval_every")
        return bool(self._validation and every and done % every == 0)

    def _use_forward(self, tokens: int) -> None:
        self._use(self._this.spending.rates.passed(tokens))

    def _examples_of(self, step: int) -> list[Example]:
        return [self._examples[position] for position in self._rows_of(step)]

    def _rows_of(self, step: int) -> list[int]:
        recipe = self._recipe
        rows = batch_rows(
            step, size=recipe["data"]["size"], batch_size=recipe["batch_size"], seed=recipe["seeds"]["order"]
        )
        return [int(row) for row in rows]

    def _learning_rate(self, step: int) -> float:
        recipe = self._recipe
        return learning_rate_at(
            step,
            schedule=recipe["schedule"],
            warmup=recipe["warmup"],
            steps=recipe["steps"],
            peak=recipe["learning_rate"],
        )

    def _adam(self, learning_rate: float) -> Adam:
        return Adam(learning_rate=learning_rate, **self._recipe["adam"])

    def _row(self, step: int, rate: float, examples: Sequence[Example]) -> Row:
        """The metrics of a step, under the names that the cookbook's files have."""
        recipe = self._recipe
        return {
            "step": step,
            "epoch": step * recipe["batch_size"] // recipe["data"]["size"],
            "progress": step / recipe["steps"],
            "learning_rate": rate,
            "num_sequences": len(examples),
            "num_tokens": tokens_of(examples),
            "num_loss_tokens": loss_tokens_of(examples),
        }

    def _progress(self) -> dict[str, Json]:
        last = self._curve.rows[-1]
        return {
            "step": len(self._curve.rows),
            "steps": self._recipe["steps"],
            self.SHOWN: last[self.LOSS],
            "run": self._trainer.run_id,
        }

    def _shown(self) -> list[Row]:
        return [{"step": row["step"], self.SHOWN: row[self.LOSS]} for row in self._curve.thinned()]

    def _result(self) -> Succeeded:
        self._this.report(self._progress(), self._shown())
        last = self._curve.rows[-1]
        return Succeeded(
            result={
                "metrics": {f"train_{self.SHOWN}": last[self.LOSS]},
                "metrics_file": self._this.keep("metrics.jsonl", lines(self._curve.rows)),
                "usage": self._usage.document(),
                "resumed_at": self._start.step,
            },
            steps=self._recipe["steps"],
        )

    def _subset(self) -> list[Example]:
        data = self._recipe["data"]
        examples = self._this.hands.examples.of(data["records"], self._recipe)
        chosen = subset_order(len(examples), self._recipe["seeds"]["subset"])[: data["size"]]
        return [examples[int(row)] for row in chosen]

    def _validation_set(self) -> list[Example]:
        sha256 = self._execution.get("validation")
        return self._this.hands.examples.of(sha256, self._recipe) if sha256 else []
