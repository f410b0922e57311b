"""The losses that a client can ask for by name.

A loss sees the log-probability of every position's target and the inputs of the same positions, one after another,
and says its value at each position and its derivative by that log-probability. What it weighs comes from the
client: nothing is averaged here.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tinker_offline.ngram import Floats

Inputs = Mapping[str, Floats]


class Loss(NamedTuple):
    """`inputs` names what a datum carries beside its target tokens, with the default where one may be left out."""

    inputs: Mapping[str, float | None]
    values: Callable[[Floats, Inputs], Floats]
    slopes: Callable[[Floats, Inputs], Floats]


def _cross_entropy(logprobs: Floats, inputs: Inputs) -> Floats:
    return -logprobs * inputs["weights"]


def _cross_entropy_slopes(logprobs: Floats, inputs: Inputs) -> Floats:  # noqa: ARG001 (other losses need it)
    return -inputs["weights"]


LOSSES = {"cross_entropy": Loss({"weights": 1.0}, _cross_entropy, _cross_entropy_slopes)}
