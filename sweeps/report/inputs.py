"""The inputs of a report as plain values; `scheduler/report_inputs.py` reads them from Redis and the store."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.cost import KindCosts
from sweeps.results import RunResult
from sweeps.stage import Json, LeftOut
from sweeps.stats.paired_items import Items


@dataclass(frozen=True)
class LostStages:
    """Stages that have no result, and why."""

    state: str  # failed, skipped or cancelled
    cause: str
    labels: Sequence[str]


@dataclass(frozen=True)
class BilledAmount:
    """What a service says it bills for the sweep."""

    service: str
    tokens: int
    micro_usd: int | None
    at: str


@dataclass(frozen=True)
class LearningCurve:
    """The curve of one training: `value` at each step that was kept."""

    stage: str
    label: str
    what: str  # nll, dpo_loss, reward
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class DataUse:
    """Data by its content address, and what it was used for."""

    records: str
    what: str  # train, evaluate
    stages: int
    example: str  # the label of one of them


@dataclass(frozen=True)
class Material:
    """Everything that is known about a sweep now."""

    sweep: str
    state: str
    spec: Mapping[str, Json]
    rows: Sequence[RunResult]
    stages: Mapping[str, int] = field(default_factory=dict)  # by state
    troubles: Sequence[LostStages] = ()
    spending: Sequence[KindCosts] = ()
    billed: Sequence[BilledAmount] = ()
    limit: int | None = None  # micro-dollars
    incidents: str = ""  # a sentence on what befell the sweep without ending it
    services: Sequence[str] = ()
    curves: Sequence[LearningCurve] = ()
    learning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # facts of trainings, by stage
    training: Collection[str] = ()  # the stages of `learning` that still run
    items: Mapping[str, Items] = field(default_factory=dict)  # by measure: "source.nll", "answers"
    unread: Sequence[str] = ()  # sentences: which items there may be that are not in `items`, and why
    left_out: Sequence[LeftOut] = ()  # evaluations that do not fit some of the data
    defaults: Mapping[str, Json] | None = None  # of the plan, where they were kept
    data: Sequence[DataUse] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    price_dates: tuple[str, str] | None = None  # of the oldest and the newest price
    submitted: str = ""
    made: str = ""  # when the report was

    @property
    def question(self) -> str:
        return str(self.spec.get("question") or "")

    @property
    def experiment(self) -> str:
        return str(self.spec.get("experiment") or "")
