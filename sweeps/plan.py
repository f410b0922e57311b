"""The frozen plan of a sweep: its stages, its runs, what they should cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Stage:
    """The unit of work: one training or one evaluation, known by what it is."""

    id: str  # "train-<16 hex>" or "evaluate-<16 hex>": the fingerprint of `recipe`
    kind: Literal["train", "evaluate"]
    parents: tuple[str, ...]
    recipe: Mapping[str, Json]  # everything that a worker needs to do it, and everything that identifies it
    label: str  # for people: "code n=128 seed 1"
    steps: int  # optimizer steps (train), else 0
    tokens: int  # that will be billed, exact for supervised training and held-out NLL
    examples: int  # distinct training examples (train) or items (evaluate)
    micro_usd: int | None  # at the price book's price, rounded up; None where the model has no price


@dataclass(frozen=True, slots=True)
class Run:
    """One cell at one seed: a row of the results."""

    cell: Mapping[str, Json]
    seed: int
    stage: str | None  # the last train stage; None for the untrained base
    measures: Mapping[str, str]  # metric prefix ("", "source.", "validation.") + evaluator name -> evaluate stage
