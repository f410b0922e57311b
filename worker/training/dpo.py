"""Train by direct preference optimisation: each step measures its pairs, then pulls each pair apart.

The gradient is known in closed form (`sweeps.training.preference_loss`): the loss depends on the
weights only through the completions' log-probabilities, so a cross-entropy with the slopes as token
weights has the same gradient. Asks the service through a Trainer.
"""

from collections.abc import Sequence

from sweeps.cost import Usage
from sweeps.rendering.render import Example
from sweeps.training.preference_loss import (
    Floats,
    accuracy,
    completions,
    counts,
    divergence,
    loss,
    margins,
    rewards,
    slopes,
    weights,
)
from worker.attempt import Attempt
from worker.evaluation.reference import read_reference
from worker.examples import flatten
from worker.open_model import StartingPoint
from worker.progress import Row
from worker.sdk.batches import ExampleBatch
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import PassResult
from worker.training.supervised import SupervisedTraining


class DPOTraining(SupervisedTraining):
    """Trains on pairs. The reference is only read here: the weights at hand may have moved already."""

    SHOWN = COLUMN = "dpo_loss"

    def __init__(self, this: Attempt, start: StartingPoint) -> None:
        super().__init__(this, start)
        self._beta: float = self._recipe["beta"]
        self._by_length: bool = self._recipe["length_normalise"]
        self._reference = dict(zip(flatten(self._rows), self._read_starting_point(), strict=True))

    def _read_starting_point(self) -> list[Floats]:
        """Read the reference's log-probabilities of each completion of the subset."""
        examples, records = self._this.context.examples, self._recipe["data"]["records"]
        every = examples.render(records, self._recipe)
        if len(self._rows) < len(every):
            return read_reference(self._this, flatten(self._rows))
        reference = read_reference(self._this, flatten(every))  # one stage serves every order of all pairs
        rows = examples.order(records, self._recipe, self._recipe["seeds"]["subset"])
        return [reference[2 * row + side] for row in rows for side in (0, 1)]

    def _estimate_gradient(self, tokens: int) -> Usage:
        return super()._estimate_gradient(tokens).plus(self._this.spending.rates.passed(tokens))

    def _request_gradient(self, examples: Sequence[Example], row: Row) -> PendingAnswer[PassResult]:
        """Request the gradient. The last step need not be awaited: the service works on one model in order."""
        margin = self._measure_margins(examples, row)
        scales = weights(slopes(margin, self._beta), counts(examples), length_normalise=self._by_length)
        batch = ExampleBatch(examples, scale=scales.tolist())
        self._this.check()  # a frozen process may resume here
        self._use(Usage(training=batch.tokens))
        return self._trainer.forward_backward(batch)

    def _measure_margins(self, examples: Sequence[Example], row: Row) -> Floats:
        """Measure by how much each chosen completion is preferred now, in nats: (pairs,)."""
        batch = ExampleBatch(examples)
        self._use(self._this.spending.rates.passed(batch.tokens))  # before it is requested
        policy = completions(examples, self._this.wait(self._trainer.forward(batch)).logprobs)
        reference = [self._reference[example] for example in examples]
        preferred = rewards(policy, reference, length_normalise=self._by_length)
        margin = margins(preferred)
        row[self.COLUMN] = value = loss(margin, self._beta)
        self._check_convergence(value, row)
        row["accuracy"], row["margin"] = accuracy(margin), self._beta * float(margin.mean())
        row["chosen_reward"] = self._beta * float(preferred[0::2].mean())
        row["rejected_reward"] = self._beta * float(preferred[1::2].mean())
        row["kl"] = divergence(policy, reference)
        return margin

    def _conclude(self, answers: Sequence[PassResult], row: Row) -> float:  # noqa: ARG002 - the loss of that cross-entropy means nothing
        return float(str(row[self.COLUMN]))
