"""Requests for a stage: a training, or an evaluation."""

from dataclasses import dataclass

from sweeps.planning.cells import Variant
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation
from sweeps.stage import Stage


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Train on the first `size` examples, from the stage `source` or from the base model; rl has no data set."""

    variant: Variant
    dataset: Dataset | None
    size: int
    seed: int
    scope: str | None = None
    source: Stage | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Evaluate a trained stage, or the base model, on all or a part of `records`; or in episodes, without records."""

    model: str
    records: Records | None
    evaluation: Evaluation
    of: Stage | None
    on: str
    scope: str | None
    against: Stage | None = None  # the stage with the log-probabilities of the reference
    part: tuple[int, str, int] | None = None  # size, hash and seed of a subset
