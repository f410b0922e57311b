"""Convert examples and rollouts into the SDK's data, and read the losses that a pass over them returned.

Talks to nothing: it only builds values. No exception of the SDK arises here.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import tinker

from sweeps.rendering.render import Example
from sweeps.training.rollouts import Rollout
from worker.sdk.responses import PassResult, read_losses
from worker.training.loss_from_logprobs import make_cross_entropy, make_policy_loss


class ExampleBatch:
    """Examples converted for the service, with a loss weight for each target token.

    `scale` multiplies the weights: one number for all examples, or one per example. A scale of
    1 / (loss tokens of the batch) makes the loss a mean over tokens.
    """

    def __init__(self, examples: Sequence[Example], *, scale: float | Sequence[float] = 1.0) -> None:
        self.tokens = sum(len(example.weights) for example in examples)
        scales = [scale] * len(examples) if isinstance(scale, float) else scale
        self.weights = [example.weights * np.float32(factor) for example, factor in zip(examples, scales, strict=True)]
        self.data = [_make_datum(example, weights) for example, weights in zip(examples, self.weights, strict=True)]

    def read(self, call: str, answer: Any) -> PassResult:
        """Read the losses that a pass over this batch returned."""
        return read_losses(call, answer, self.weights, make_cross_entropy(self.weights))


class RolloutBatch:
    """Rollouts converted for the service, with an advantage for each token."""

    def __init__(self, rollouts: Sequence[Rollout], advantages: Sequence[npt.NDArray[np.float32]]) -> None:
        self.tokens = sum(map(len, rollouts))
        self.weights = [advantage.astype(np.float32, copy=False) for advantage in advantages]
        self.acted = [rollout.acted.astype(np.float32) for rollout in rollouts]
        self.sampled = [rollout.logprobs for rollout in rollouts]
        self.data = [
            _make_rollout_datum(rollout, advantage) for rollout, advantage in zip(rollouts, advantages, strict=True)
        ]

    def read(self, loss: str, config: Mapping[str, float], answer: Any) -> PassResult:
        """Read the losses that a pass over this batch returned.

        Every token that the model itself wrote must have a finite log-probability, even with an advantage of 0.
        """
        loss_function = make_policy_loss(loss, config, self.sampled, self.weights)
        return read_losses("forward_backward", answer, self.acted, loss_function)


# An example is sent many times; its constant part is converted once.
_converted: WeakKeyDictionary[Example, tuple[tinker.ModelInput, tinker.TensorData]] = WeakKeyDictionary()


def _make_datum(example: Example, weights: npt.NDArray[np.float32]) -> tinker.Datum:
    model_input, targets = _converted.get(example) or _convert(example)
    loss_weights = tinker.TensorData.from_numpy(weights)
    return tinker.Datum(model_input=model_input, loss_fn_inputs={"target_tokens": targets, "weights": loss_weights})


def _make_rollout_datum(rollout: Rollout, advantages: npt.NDArray[np.float32]) -> tinker.Datum:
    inputs: dict[str, npt.NDArray[Any]] = {
        "target_tokens": rollout.tokens[1:].astype(np.int64),
        "logprobs": rollout.logprobs,
        "advantages": advantages,
    }
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(rollout.tokens[:-1].tolist()),
        loss_fn_inputs={name: tinker.TensorData.from_numpy(values) for name, values in inputs.items()},
    )


def _convert(example: Example) -> tuple[tinker.ModelInput, tinker.TensorData]:
    converted = (
        tinker.ModelInput.from_ints(example.tokens[:-1].tolist()),
        tinker.TensorData.from_numpy(example.tokens[1:].astype(np.int64)),
    )
    _converted[example] = converted
    return converted
