"""Data that the tests of this folder train on and compare."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tinker
from tinker import types

TEXT = "The quick brown fox jumps over the lazy dog; the dog does not mind."
SMALL = "offline/ngram-s"
ADAM = types.AdamParams(learning_rate=0.01, beta1=0.9, beta2=0.95, eps=1e-8)


def tokens(text: str) -> list[int]:
    return [0, *(ord(character) - 28 for character in text)]


def datum(text: str, weight: float = 1.0) -> types.Datum:
    ids = tokens(text)
    return raw_datum(ids[:-1], target_tokens=ids[1:], weights=[weight] * (len(ids) - 1))


def raw_datum(ids: list[int], **inputs: list[int] | list[float]) -> types.Datum:
    tensors = {
        name: types.TensorData.from_numpy(np.array(values, np.int64 if name == "target_tokens" else np.float32))
        for name, values in inputs.items()
    }
    return types.Datum(types.ModelInput.from_ints(ids), tensors)


def batch(step: int, size: int = 4) -> list[types.Datum]:
    """Another one for every step, always the same one for the same step."""
    texts = [TEXT[(7 * step + 3 * index) % 30 :][:32] for index in range(size)]
    return [datum(text, 1 / (32 * size)) for text in texts]


def train(client: tinker.TrainingClient, steps: Sequence[int]) -> list[float]:
    """One optimizer step on the batch of each number, all submitted before any is waited for."""
    pending = [(client.forward_backward(batch(step), "cross_entropy"), client.optim_step(ADAM)) for step in steps]
    losses = [forward.result(60).metrics["loss:sum"] for forward, _ in pending]
    for _, applied in pending:
        applied.result(60)
    return losses


def logprobs(client: tinker.TrainingClient, data: list[types.Datum]) -> npt.NDArray[Any]:
    """Of all targets, one after another, without training."""
    outputs = client.forward(data, "cross_entropy").result(60).loss_fn_outputs
    return np.concatenate([output["logprobs"].to_numpy() for output in outputs])
