"""The fields of a spec: every key that a file may have, and what follows from the keys alone.

The rules between the keys are in `rules`; `parse` joins both.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
)

from sweeps.evaluation.nll import NLL
from sweeps.experiments.experiment_registry import EXPERIMENTS
from sweeps.rendering.renderers import check_renderer
from sweeps.spec import axes
from sweeps.spec.axes import Axis, Spread
from sweeps.spec.evaluation_section import Evaluation, read_evaluation
from sweeps.spec.scalars import SWEEP_NAME, Count, Name, Positive, Priority, SpecModel, show
from sweeps.spec.sections import (
    Best,
    Budget,
    CheckpointSettings,
    DataSpec,
    Equal,
    FleetLimits,
    MetricWish,
    Target,
    Until,
    WebhookSettings,
    Window,
    read_metric_wish,
)
from sweeps.spec.train_section import Method, Train


def _seeds(value: Any) -> tuple[int, ...] | int:
    """Accept a count of seeds (0, 1, ...), or a list of different ones."""
    if isinstance(value, list | tuple):
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**31 for seed in value)
        if value and whole and len(set(value)) == len(value):
            return tuple(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError(f"expected a count (3) or a list of different whole numbers from 0, got {show(value)}")


def _moment(value: Any) -> Any:
    """Refuse a number, which pydantic would read as seconds; a deadline is written with its offset."""
    if isinstance(value, int | float):
        expected = "a time with its offset, such as 2026-12-01T08:00:00+01:00"
        raise ValueError(f"expected {expected}, got {show(value)}")  # noqa: TRY004  pydantic collects ValueErrors
    return value


def _experiment(value: Any) -> Any:
    """Accept the name of a registered kind of experiment."""
    if isinstance(value, str) and value in EXPERIMENTS:
        return value
    raise ValueError(f"expected one of {', '.join(f'`{name}`' for name in EXPERIMENTS)}, got {show(value)}")


def _list_values(value: Any) -> str:
    return "<count>" if isinstance(value, int) else "<list>"


Seeds = Annotated[
    Annotated[tuple[int, ...], Tag("<list>")] | Annotated[int, Tag("<count>")],
    Discriminator(_list_values),
    BeforeValidator(_seeds),
]


class SweepFields(SpecModel):
    """A question about fine-tuning, as the file says it. No rule between keys has been checked."""

    sweep: Annotated[str, Field(pattern=SWEEP_NAME, max_length=100)]
    question: str | None = None
    experiment: Annotated[str, BeforeValidator(_experiment)]
    model: Annotated[str, Field(min_length=1)]
    tokenizer: Annotated[str, Field(min_length=1)] | None = (
        None  # a folder or a Hugging Face name; None: the model's own
    )
    renderer: Annotated[str, AfterValidator(check_renderer)] | None = None
    turns: Literal["together", "each"] = "together"  # train on a chat as a whole, or on each of its answers alone
    train: Train | None = None
    data: Mapping[Name, DataSpec] = {}
    sizes: Axis | None = None
    seeds: Seeds = 3
    sources: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    targets: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    source_size: Count | None = None
    share_sources: Literal["run", "sweep"] = "run"
    evaluate: Annotated[tuple[Annotated[Evaluation, BeforeValidator(read_evaluation)], ...], Field(min_length=1)] = (
        Evaluation(name=NLL.name),
    )
    target: Target | None = None
    until: Until | None = None  # spend round by round until the answer is narrow enough
    best: Best | None = None
    metrics: tuple[Annotated[MetricWish, BeforeValidator(read_metric_wish)], ...] = ()  # what the answer is about
    vary: Mapping[str, Axis] = {}
    exclude: tuple[Mapping[str, Any], ...] = ()
    zip: tuple[Annotated[tuple[str, ...], Field(min_length=2)], ...] = ()
    when: Mapping[str, Annotated[Mapping[str, Any], Field(min_length=1)]] = {}
    equal: Equal | None = None
    against: Name | None = None  # the method, or `untrained`, that every other method is told against
    methods: Mapping[Name, Method] | None = None
    budget: Budget | None = None
    limits: FleetLimits = FleetLimits()
    priority: Priority = 0
    weight: Positive = 1.0  # its share among sweeps of the same priority
    window: Window | None = None
    deadline: Annotated[AwareDatetime, BeforeValidator(_moment)] | None = None
    checkpoint: CheckpointSettings = CheckpointSettings()
    reuse: Literal["never", "sweep", "all"] = "all"
    notify: tuple[WebhookSettings, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def seed_values(self) -> tuple[int, ...]:
        return tuple(range(self.seeds)) if isinstance(self.seeds, int) else self.seeds

    @property
    def size_values(self) -> tuple[int, ...]:
        """The sizes of the data, ascending; empty if the experiment has no such axis."""
        made = () if self.sizes is None else axes.list_values(self.sizes, "sizes", integers=True)
        return tuple(sorted(size for size in made if isinstance(size, int)))

    @property
    def all_sizes(self) -> tuple[int, ...]:
        """Every number of examples in the file, for targets and sources."""
        varied = (
            axes.list_values(self.vary["source_size"], "source_size", integers=True)
            if "source_size" in self.vary
            else ()
        )
        named = {*self.size_values, *varied, self.source_size}
        return tuple(sorted(size for size in named if isinstance(size, int)))

    @property
    def source_names(self) -> tuple[str, ...]:
        """The data sets that a transfer trains on first."""
        return self.sources or tuple(self.data)

    @property
    def target_names(self) -> tuple[str, ...]:
        """The data sets that are trained on and measured: all of them, except in a transfer."""
        return self.targets or tuple(self.data)

    @property
    def models(self) -> tuple[str, ...]:
        """Every model that a cell may have."""
        varied = axes.list_values(self.vary["model"], "model") if "model" in self.vary else (self.model,)
        return tuple(str(model) for model in varied)

    @property
    def trainings(self) -> tuple[Train, ...]:
        """Every training that the file describes, before `vary` changes it."""
        return ((self.train,) if self.train else ()) + tuple((self.methods or {}).values())

    def list_unsupported(self) -> tuple[str, ...]:
        """List what the file asks for and this version cannot do, one sentence each. Nothing is ignored."""
        methods = {part.method for part in self.trainings} | {
            str(word) for word in self.list_axis_words("train.method")
        }
        sentences = []
        if "dpo" in methods and (any(part.eval_every for part in self.trainings) or "train.eval_every" in self.vary):
            sentences.append("train.eval_every: dpo does not look at the validation set yet; leave it out")
        if any(entry.options.get("via") == "sampler" for entry in self.evaluate):
            sentences.append("evaluate: nll via the sampler is not measured yet; use via: forward")
        return tuple(sentences)

    def list_axis_words(self, path: str) -> tuple[Any, ...]:
        """List the words on an axis: nothing if there is no axis, or if it is a range of numbers."""
        axis = self.vary.get(path)
        if isinstance(axis, Spread):
            return axis.choice or ()
        return axis or ()
