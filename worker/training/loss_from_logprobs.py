"""What a loss amounts to, by the log-probabilities of its targets, for a service that does not say it itself.

With p the probability of a target now, q when it was sampled, A its advantage and r = p / q, as the SDK documents it:

    cross_entropy        -weight · log p
    importance_sampling  -r · A
    ppo                  -min(r · A, clip(r) · A)         r clipped to 0.8 … 1.2, unless the request says otherwise
    cispo                -clip(r) · log p · A             0 … 4
    dro                  -log p · A + beta / 2 · (log r)²  at every position, also where A is 0

`gspo` is left out: nobody says how it adds up.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
LossFunction = Callable[[Sequence[Floats]], float | None]
"""The loss of all data, summed, by the log-probabilities of each; None where it cannot be told."""

TOLD = ("importance_sampling", "ppo", "cispo", "dro")
CLIPPED: Mapping[str, tuple[float, float]] = {"ppo": (0.8, 1.2), "cispo": (0.0, 4.0)}


def make_cross_entropy(weights: Sequence[Floats]) -> LossFunction:
    """Of the weight that each target bears."""

    def worth(logprobs: Sequence[Floats]) -> float:
        return -sum(
            float(_to_double(each) @ _to_double(values)) for each, values in zip(weights, logprobs, strict=True)
        )

    return worth


def make_policy_loss(
    name: str, config: Mapping[str, float], sampled: Sequence[Floats], advantages: Sequence[Floats]
) -> LossFunction:
    """Of a loss on what was acted, by the name that the service gives it."""

    def worth(logprobs: Sequence[Floats]) -> float | None:
        if name not in TOLD:
            return None
        data = zip(logprobs, sampled, advantages, strict=True)
        return sum(_datum_loss(name, config, *(_to_double(each) for each in one)) for one in data)

    return worth


def _datum_loss(name: str, config: Mapping[str, float], now: "Wide", then: "Wide", advantage: "Wide") -> float:
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


def _to_double(values: Floats) -> Wide:
    return values.astype(np.float64)
