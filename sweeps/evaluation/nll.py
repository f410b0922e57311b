"""The evaluator `nll`: held-out loss in nats per token, and in bits per byte, which tokenizers do not change."""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar

from sweeps.evaluation.evaluator import FROM_ZERO, Measured, Metric, Option, Options, Values
from sweeps.evaluation.evaluator_options import check_word
from sweeps.evaluation.forward_evaluator import ForwardEvaluator, Passes
from sweeps.evaluation.item_rows import ItemRow


def read_ratio(amount: str, size: str, unit: float = 1.0) -> Callable[[Values], tuple[float, float] | None]:
    """Make a reader of one value over another, such as nats over tokens."""

    def read(values: Values) -> tuple[float, float] | None:
        return (values[amount] / unit, float(values[size])) if amount in values and size in values else None

    return read


class HeldOutLoss(ForwardEvaluator):
    """The mean negative log-likelihood of the held-out records; each item counts by its tokens, or by its bytes."""

    name = "nll"
    metrics = (
        Metric("nll", "lower", FROM_ZERO, law=True, unit="nats per token", read=read_ratio("nll", "tokens")),
        Metric(
            "bits_per_byte",
            "lower",
            FROM_ZERO,
            law=True,
            unit="bits per byte",
            read=read_ratio("nll", "bytes", math.log(2)),
            detail=True,
        ),
    )
    options: ClassVar[Mapping[str, Option]] = {"via": Option(check_word("forward", "sampler"), "forward")}
    formats = ("text", "completion", "chat", "transcript", "questions")
    data = "chat, prompt/completion, questions or text"

    def measure(self, passes: Passes, options: Options) -> Measured:
        """An item is a record, also if each of its answers is passed by itself."""
        left = iter(passes.log_likelihoods)
        rows = [
            ItemRow(
                item,
                {
                    "nll": -sum(next(left) for _ in row),
                    "tokens": sum(float(example.weights.sum()) for example in row),
                    "bytes": sum(example.text_bytes for example in row),
                },
            )
            for item, row in enumerate(passes.rows)
        ]
        nats, tokens, text_bytes = (sum(row.values[key] for row in rows) for key in ("nll", "tokens", "bytes"))
        return Measured({"nll": nats / tokens, "bits_per_byte": nats / math.log(2) / text_bytes}, rows)


EVALUATOR = NLL = HeldOutLoss()
