"""Define the losses that a client can request by name.

A loss gets the log-probability of every position's target and the inputs of these positions, and
returns its value at each position and its derivative by the log-probability. The client sets all
weights: nothing is averaged here, and the one metric is the sum, `loss:sum`.

With p the probability of a target now, q when it was sampled (`logprobs` is log q), A its advantage
and r = p / q, the value at a position is, as the service documents it (its pages on losses, read in
November 2026):

    cross_entropy         -weight · log p
    importance_sampling   -r · A
    ppo                   -min(r · A, clip(r) · A)               r clipped to 0.8 … 1.2 by default
    cispo                 -clip(r) · log p · A                   clip(r) is a constant; 0 … 4 by default
    dro                   -log p · A + beta / 2 · (log r)²       at every position, also where A is 0

`gspo` is not documented, `stable_reinforce` needs what the service recorded while sampling, and
`custom` runs code of the client: these are not offered, because a guess would teach the wrong
thing.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np

from tinker_offline.errors import Refusal
from tinker_offline.model.ngram import Floats

Inputs = Mapping[str, Floats]
Config = Mapping[str, float]
Part = Callable[[Floats, Inputs, Config], Floats]


class Loss(NamedTuple):
    """One loss: its inputs and configuration with their defaults, its values and its slopes.

    A default of None means that the entry is required. A `strict` loss refuses data with other inputs.
    """

    inputs: Mapping[str, float | None]
    config: Mapping[str, float | None]
    values: Part
    slopes: Part
    strict: bool = True


def find_loss(name: str) -> Loss:
    """Return the loss of this name. Raises Refusal that lists the losses offered."""
    if name not in LOSSES:
        why = f"is not offered offline: {_WHY_NOT[name]}" if name in _WHY_NOT else "is not known here"
        raise Refusal(f"loss {name!r} {why}; expected one of {', '.join(LOSSES)}")
    return LOSSES[name]


def resolve_config(name: str, asked: Mapping[str, float | str]) -> Config:
    """Return the numbers of a request's loss_fn_config, with defaults. Raises Refusal for other entries."""
    known = LOSSES[name].config
    for key, value in asked.items():
        if key not in known:
            raise Refusal(f"loss_fn_config of {name}: expected {', '.join(known) or 'nothing'}, got {key!r}")
        if isinstance(value, str) or not isfinite(value) or value < 0:
            raise Refusal(f"{key} of {name}: expected a number of at least 0, got {value!r}")
    config = {**known, **asked}
    given = {key: float(value) for key, value in config.items() if value is not None}
    if missing := config.keys() - given.keys():
        raise Refusal(f"loss_fn_config of {name}: expected {', '.join(sorted(missing))}; no default is documented")
    if "clip_low_threshold" in given and given["clip_low_threshold"] > given["clip_high_threshold"]:
        raise Refusal(f"loss_fn_config of {name}: clip_low_threshold is above clip_high_threshold")
    return given


def _cross_entropy(logprobs: Floats, inputs: Inputs, _: Config) -> Floats:
    return -logprobs * inputs["weights"]


def _cross_entropy_slopes(_: Floats, inputs: Inputs, __: Config) -> Floats:
    return -inputs["weights"]


def _ratio(logprobs: Floats, inputs: Inputs) -> Floats:
    """Return p / q; 1 where the advantage is 0, because a prompt's `logprobs` can be anything."""
    log_ratio: Floats = np.where(inputs["advantages"] == 0, np.float32(0), logprobs - inputs["logprobs"])
    return np.exp(log_ratio)


def _clip(ratio: Floats, config: Config) -> Floats:
    low, high = np.float32(config["clip_low_threshold"]), np.float32(config["clip_high_threshold"])
    return np.clip(ratio, low, high)


def _importance_sampling(logprobs: Floats, inputs: Inputs, _: Config) -> Floats:
    """Return the value, which is also its own derivative: dr / d log p = r."""
    return -_ratio(logprobs, inputs) * inputs["advantages"]


def _ppo(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    ratio, advantages = _ratio(logprobs, inputs), inputs["advantages"]
    objective: Floats = np.minimum(ratio * advantages, _clip(ratio, config) * advantages)
    return -objective


def _ppo_slopes(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    """Return the slopes: zero where the clipped term is smaller."""
    ratio, advantages = _ratio(logprobs, inputs), inputs["advantages"]
    kept = ratio * advantages <= _clip(ratio, config) * advantages
    slopes: Floats = np.where(kept, -ratio * advantages, np.float32(0))
    return slopes


def _cispo(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    return _cispo_slopes(logprobs, inputs, config) * logprobs


def _cispo_slopes(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    return -_clip(_ratio(logprobs, inputs), config) * inputs["advantages"]


def _dro(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    half = np.float32(config["beta"] / 2)
    penalty: Floats = half * np.square(logprobs - inputs["logprobs"])
    return penalty - logprobs * inputs["advantages"]


def _dro_slopes(logprobs: Floats, inputs: Inputs, config: Config) -> Floats:
    return np.float32(config["beta"]) * (logprobs - inputs["logprobs"]) - inputs["advantages"]


_SAMPLED: Mapping[str, float | None] = {"logprobs": None, "advantages": None}
LOSSES = {
    "cross_entropy": Loss({"weights": 1.0}, {}, _cross_entropy, _cross_entropy_slopes, strict=False),
    "importance_sampling": Loss(_SAMPLED, {}, _importance_sampling, _importance_sampling),
    "ppo": Loss(_SAMPLED, {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}, _ppo, _ppo_slopes),
    "cispo": Loss(_SAMPLED, {"clip_low_threshold": 0.0, "clip_high_threshold": 4.0}, _cispo, _cispo_slopes),
    "dro": Loss(_SAMPLED, {"beta": None}, _dro, _dro_slopes),
}

_WHY_NOT = {
    "gspo": "its aggregation and its clipping are not documented",
    "stable_reinforce": "it needs what the service records while sampling",
    "custom": "it runs code on the server; use forward_backward_custom, which runs it at the client",
}
