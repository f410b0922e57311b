"""The evaluator `preference`: which completion of a pair a model prefers, against where its training began."""

import math
from collections.abc import Callable

import numpy as np

from sweeps.evaluation.evaluator import ANY_NUMBER, FROM_ZERO, Measured, Metric, Options, Values
from sweeps.evaluation.forward_evaluator import ForwardEvaluator, Passes
from sweeps.evaluation.item_rows import ItemRow
from sweeps.training.preference_loss import accuracy, completions, counts, divergence, margins, rewards


def read_preferred(value: str, other: str | None = None) -> Callable[[Values], tuple[float, float] | None]:
    """Make a reader of whether a value is above another, or above 0; a draw counts half."""

    def read(values: Values) -> tuple[float, float] | None:
        if value not in values:
            return None
        margin = values[value] - (values[other] if other else 0.0)
        return (0.5 if margin == 0 else float(margin > 0)), 1.0

    return read


def read_margin(values: Values) -> tuple[float, float] | None:
    return (float(values["margin"]), 1.0) if "margin" in values else None


class Preference(ForwardEvaluator):
    """The implicit reward of DPO on held-out pairs. The starting point is its own reference: it prefers nothing."""

    name = "preference"
    metrics = (
        Metric("preference_accuracy", "higher", law=True, chance=0.5, read=read_preferred("margin")),
        Metric("preference_margin", "higher", ANY_NUMBER, read=read_margin, detail=True),
        Metric("preference_kl", None, FROM_ZERO),
        Metric(
            "likelihood_accuracy",
            "higher",
            law=True,
            chance=0.5,
            read=read_preferred("chosen", "rejected"),
            detail=True,
        ),
    )
    formats = ("preference",)
    data = "preference pairs (prompt, chosen, rejected)"
    compares_with_start = True

    def measure(self, passes: Passes, options: Options) -> Measured:
        """The examples are pairs: the chosen completion, then the rejected one."""
        policy = completions(passes.examples, passes.logprobs)
        start = policy if passes.reference is None else passes.reference
        margin = margins(rewards(policy, start))
        sums = np.array([math.fsum(values) for values in policy])
        metrics = {
            "preference_accuracy": accuracy(margin),
            "preference_margin": float(margin.mean()),
            "preference_kl": divergence(policy, start),
            "likelihood_accuracy": accuracy(margins(sums)),
        }
        tokens = counts(passes.examples)
        rows = [
            ItemRow(
                item,
                {
                    "margin": float(margin[item]),
                    "chosen": float(sums[2 * item]),
                    "rejected": float(sums[2 * item + 1]),
                },
                details={"tokens": [int(tokens[2 * item]), int(tokens[2 * item + 1])]},
            )
            for item in range(len(margin))
        ]
        return Measured(metrics, rows)


EVALUATOR = PREFERENCE = Preference()
