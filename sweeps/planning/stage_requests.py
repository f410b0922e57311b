"""What a stage is asked for: a training, or a measurement."""

from dataclasses import dataclass

from sweeps.planning.cells import Variant
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation
from sweeps.stage import Stage


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Of the first `size` examples, from `source` or from the base model; one that acts has no data set."""

    variant: Variant
    dataset: Dataset | None
    size: int
    seed: int
    scope: str | None = None
    source: Stage | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Of a trained stage, or of the base model, on all of `records` or a part; or in episodes, which need none."""

    model: str
    records: Records | None
    evaluation: Evaluation
    of: Stage | None
    on: str
    scope: str | None
    against: Stage | None = None  # what the starting point gave the same pairs
    part: tuple[int, str, int] | None = None  # size, hash and seed of a subset
