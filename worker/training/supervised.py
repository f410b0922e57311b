"""Train on examples: the mean loss over weighted tokens, in batches ordered by the recipe's seed.

Asks the service through a Trainer; reads examples through the attempt.
"""

from collections.abc import Sequence

from sweeps.cost import Usage
from sweeps.rendering.render import Example
from sweeps.training.data_order import select_batch
from worker.attempt import Attempt
from worker.evaluation.forward import submit_forward
from worker.examples import RenderedRows, flatten
from worker.open_model import StartingPoint
from worker.progress import Row
from worker.sdk.batches import ExampleBatch
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.training.training_loop import PendingStep, PendingValidation, Training


def count_tokens(examples: Sequence[Example]) -> int:
    """Count the tokens that are read and billed."""
    return sum(len(example) for example in examples)


def count_loss_tokens(examples: Sequence[Example]) -> float:
    """Count the tokens with loss weight."""
    return sum(float(example.weights.sum()) for example in examples)


class SupervisedTraining(Training):
    """Trains on examples. Other methods on examples override the gradient or the examples."""

    SHOWN = "nll"
    COLUMN = "train_mean_nll"

    def __init__(self, this: Attempt, start: StartingPoint) -> None:
        super().__init__(this, start)
        self._rows = self._read_subset()
        self._validation = self._read_validation_set()

    def _compute_needs(self, step: int) -> Usage:
        usage = self._estimate_gradient(count_tokens(self._read_batch(step)))
        if self._is_validation_due(step + 1):
            usage = usage.plus(self._this.spending.rates.passed(count_tokens(self._validation)))
        return usage

    def _estimate_gradient(self, tokens: int) -> Usage:
        """Return the usage of one gradient over this many tokens."""
        return Usage(training=tokens)

    def _send(self, step: int, rate: float) -> PendingStep:
        examples = self._read_batch(step)
        row = self._make_row(step, rate, examples)
        self._this.check()  # a frozen process may resume here
        losses = self._request_gradient(examples, row)
        return PendingStep(row, [losses], [self._trainer.step(self._make_adam(rate))])

    def _request_gradient(self, examples: Sequence[Example], row: Row) -> PendingAnswer[PassResult]:  # noqa: ARG002 - other methods note more
        """Request the gradient of a step; note what is already known in its row."""
        batch = ExampleBatch(examples, scale=1.0 / count_loss_tokens(examples))
        self._use(Usage(training=batch.tokens))
        return self._trainer.forward_backward(batch)

    def _conclude(self, answers: Sequence[PassResult], row: Row) -> float | None:
        row[self.COLUMN] = loss = answers[0].loss
        return loss

    def _send_behind(self, done: int, row: Row) -> None:
        if self._is_validation_due(done):
            losses = submit_forward(self._trainer, self._validation, self._use_forward)
            self._waiting.append(PendingValidation(row, losses, self._validation))

    def _is_validation_due(self, done: int) -> bool:
        """Is the validation set measured after this many steps?"""
        every = self._execution.get("eval_every")
        return bool(self._validation and every and done % every == 0)

    def _use_forward(self, tokens: int) -> None:
        self._use(self._this.spending.rates.passed(tokens))

    def _read_batch(self, step: int) -> list[Example]:
        return flatten(self._rows[position] for position in self._select_rows(step))

    def _select_rows(self, step: int) -> list[int]:
        recipe = self._recipe
        rows = select_batch(
            step, size=recipe["data"]["size"], batch_size=recipe["batch_size"], seed=recipe["seeds"]["order"]
        )
        return [int(row) for row in rows]

    def _make_row(self, step: int, rate: float, examples: Sequence[Example]) -> Row:
        """Return the metrics of a step, under the names that the cookbook's files use."""
        recipe = self._recipe
        return {
            "step": step,
            "epoch": step * recipe["batch_size"] // recipe["data"]["size"],
            "progress": step / recipe["steps"],
            "learning_rate": rate,
            "num_sequences": len(examples),
            "num_tokens": count_tokens(examples),
            "num_loss_tokens": count_loss_tokens(examples),
        }

    def _read_subset(self) -> RenderedRows:
        data = self._recipe["data"]
        examples = self._this.context.examples
        rows = examples.render(data["records"], self._recipe)
        chosen = examples.order(data["records"], self._recipe, self._recipe["seeds"]["subset"])[: data["size"]]
        return [rows[place] for place in chosen]

    def _read_validation_set(self) -> list[Example]:
        sha256 = self._execution.get("validation")
        return flatten(self._this.context.examples.render(sha256, self._recipe)) if sha256 else []
