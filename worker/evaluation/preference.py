"""What a model prefers, against where its training began; and where the log-probabilities of that are kept."""

import io
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.rendering.render import Example
from sweeps.stage import Json
from sweeps.training.preference_loss import Floats, accuracy, completions, counts, divergence, margins, rewards
from worker.attempt import Attempt
from worker.outcome import ParentGone, StageError
from worker.sdk.responses import PassResult


def reference_of(this: Attempt, examples: Sequence[Example]) -> list[Floats]:
    """What the starting point gave each completion, from the stage that measured it there and from nowhere else.

    Raises ParentGone where that is no more: it is measured again, at the starting point, while this stage waits.
    """
    stage = str(this.recipe["reference"])
    result = this.context.store.read_result(stage)
    path = str(result["logprobs"]) if result else ""
    if not path or not this.context.artefacts.has(path):
        raise ParentGone(stage, path)
    values = np.load(io.BytesIO(this.context.artefacts.read(path)), allow_pickle=False).astype(np.float64)
    tokens = counts(examples)
    if len(values) != tokens.sum():
        raise StageError(f"the reference {stage} has {len(values)} tokens, and the pairs have {tokens.sum()}")
    return np.split(values, np.cumsum(tokens)[:-1])


def preference_result(
    this: Attempt, examples: Sequence[Example], reference: Sequence[Floats] | None, answers: Sequence[PassResult]
) -> dict[str, Json]:
    """The metrics of all pairs, and each pair. A starting point is its own reference: nothing is decided there.

    Its log-probabilities are kept as they came, in 32 bits, so that whoever reads them takes no other numbers.
    """
    found = completions(examples, [each for answer in answers for each in answer.logprobs])
    if not all(np.isfinite(values).all() for values in found):
        raise StageError("a held-out log-probability is not a number: the training that it is about has diverged")
    start = found if reference is None else reference
    margin = margins(rewards(found, start))
    sums = np.array([math.fsum(values) for values in found])
    return {
        "metrics": {
            "preference_accuracy": accuracy(margin),
            "preference_margin": float(margin.mean()),
            "preference_kl": divergence(found, start),
            "likelihood_accuracy": accuracy(margins(sums)),
        },
        "items": this.write_artefact("items.jsonl.gz", write_rows(_rows(sums, margin, counts(examples)))),
        "logprobs": this.write_artefact("logprobs.npy", _array(found)),
        "count": len(margin),
        "usage": this.spending.usage.document(),
    }


def _rows(sums: Floats, margin: Floats, tokens: npt.NDArray[np.int64]) -> list[ItemRow]:
    return [
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


def _array(found: Sequence[Floats]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.concatenate(found).astype(np.float32))
    return file.getvalue()
