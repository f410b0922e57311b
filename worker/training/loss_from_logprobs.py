"""Compute a loss from log-probabilities, for a service that does not return it.

With p the probability of a target now, q when it was sampled, A its advantage and r = p / q, as the
SDK documents it:

    cross_entropy        -weight · log p
    importance_sampling  -r · A
    ppo                  -min(r · A, clip(r) · A)         r clipped to 0.8 … 1.2 by default
    cispo                -clip(r) · log p · A             r clipped to 0 … 4 by default
    dro                  -log p · A + beta / 2 · (log r)²  at every position, also where A is 0

`gspo` is missing: its aggregation is not documented. Pure functions.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
LossFunction = Callable[[Sequence[Floats]], float | None]
"""Returns the summed loss of all data from the log-probabilities of each; None if it cannot be computed."""

COMPUTABLE = ("importance_sampling", "ppo", "cispo", "dro")
CLIPPED: Mapping[str, tuple[float, float]] = {"ppo": (0.8, 1.2), "cispo": (0.0, 4.0)}


def make_cross_entropy(weights: Sequence[Floats]) -> LossFunction:
    """Return the cross-entropy with these target weights."""

    def compute(logprobs: Sequence[Floats]) -> float:
        return -sum(float(_widen(weight) @ _widen(values)) for weight, values in zip(weights, logprobs, strict=True))

    return compute


def make_policy_loss(
    name: str, config: Mapping[str, float], sampled: Sequence[Floats], advantages: Sequence[Floats]
) -> LossFunction:
    """Return a policy loss on rollouts; `name` is the service's name for it."""

    def compute(logprobs: Sequence[Floats]) -> float | None:
        if name not in COMPUTABLE:
            return None
        data = zip(logprobs, sampled, advantages, strict=True)
        return sum(_compute_datum_loss(name, config, *(_widen(column) for column in datum)) for datum in data)

    return compute


def _compute_datum_loss(name: str, config: Mapping[str, float], now: "Wide", then: "Wide", advantage: "Wide") -> float:
    if name == "dro":
        return float((config["beta"] / 2 * np.square(now - then) - now * advantage).sum())
    acted = advantage != 0  # elsewhere `then` may be anything
    now, advantage = now[acted], advantage[acted]
    ratio = np.exp(now - then[acted])
    if name == "importance_sampling":
        return -float(ratio @ advantage)
    low, high = CLIPPED[name]
    clipped = np.clip(ratio, config.get("clip_low_threshold", low), config.get("clip_high_threshold", high))
    if name == "cispo":
        return -float((clipped * now) @ advantage)
    return -float(np.minimum(ratio * advantage, clipped * advantage).sum())


Wide = npt.NDArray[np.float64]


def _widen(values: Floats) -> Wide:
    return values.astype(np.float64)
