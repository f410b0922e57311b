"""Evaluators that ask by forward passes: log-probabilities of records, without sampling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from sweeps.evaluation.evaluator import Evaluator, Measured, Options
from sweeps.records import Records
from sweeps.rendering.render import Example

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Passes:
    """What the forward passes over the items gave."""

    rows: Sequence[Sequence[Example]]  # of each input record its examples
    logprobs: Sequence[npt.NDArray[np.float32]]  # of each example, in order: one for each target token
    load_items: Callable[[], Records] = lambda: Records("text", ())  # the records as the data set has them
    reference: Sequence[Floats] | None = None  # what the starting point gave the same; None: it is this model

    @cached_property
    def examples(self) -> list[Example]:
        return [example for row in self.rows for example in row]

    @cached_property
    def log_likelihoods(self) -> list[float]:
        """The weighted log-likelihood of each example, in nats."""
        return [
            float(np.dot(values.astype(np.float64), example.weights.astype(np.float64)))
            for example, values in zip(self.examples, self.logprobs, strict=True)
        ]


class ForwardEvaluator(Evaluator):
    """Measures by the log-probabilities of records that are passed through the model."""

    compares_with_start: ClassVar[bool] = False
    """Does it need what the starting point of the training gave the same records? A stage of its own measures that."""

    def identify(self, options: Options) -> dict[str, Any]:
        """Return the options that are part of a stage's identity."""
        return {"via": str(options.get("via", "forward"))}

    def list_inputs(self, records: Records) -> Records:
        """Return the records that are passed through the model: the items themselves, or some for each item."""
        return records

    def measure(self, passes: Passes, options: Options) -> Measured:
        """Compute the metrics and the row of each item."""
        raise NotImplementedError
