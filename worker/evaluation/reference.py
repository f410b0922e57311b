"""The log-probabilities that a training's starting point gives each completion: their file, written and read.

The stage that measures the starting point writes the file; trainings by DPO and later evaluations compare with it.
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sweeps.evaluation.forward_evaluator import Floats
from sweeps.rendering.render import Example
from sweeps.training.preference_loss import completions, counts
from worker.attempt import Attempt
from worker.outcome import ParentGone, StageError

FILE = "logprobs.npy"


def read_reference(this: Attempt, examples: Sequence[Example]) -> list[Floats]:
    """Read what the starting point gave each completion, from the stage that measured it there.

    Raises ParentGone if that file is gone: the starting point is then measured again while this stage waits.
    """
    stage = str(this.recipe["reference"])
    result = this.context.store.read_result(stage)
    path = str(result["logprobs"]) if result else ""
    if not path or not this.context.artefacts.has(path):
        raise ParentGone(stage, path)
    values = np.load(io.BytesIO(this.context.artefacts.read(path)), allow_pickle=False).astype(np.float64)
    tokens = counts(examples)
    if len(values) != tokens.sum():
        raise StageError(f"reference {stage}: expected {tokens.sum()} tokens, those of the pairs, got {len(values)}")
    return np.split(values, np.cumsum(tokens)[:-1])


def encode_reference(examples: Sequence[Example], logprobs: Sequence[npt.NDArray[np.float32]]) -> bytes:
    """Encode the log-probabilities as they came, in 32 bits, so that every reader has the same numbers."""
    file = io.BytesIO()
    np.save(file, np.concatenate(completions(examples, logprobs)).astype(np.float32))
    return file.getvalue()
