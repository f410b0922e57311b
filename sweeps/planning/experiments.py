"""The runs of each kind of experiment: which cells it has, what each trains, and what is measured on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sweeps.planning.cells import Variant, expand_variants, list_exclusions
from sweeps.planning.compare import plan_methods
from sweeps.planning.data_validation import refuse_too_large, refuse_unsuited, select_records
from sweeps.planning.run_rows import CountedRun, NaiveCount
from sweeps.planning.stage_builder import StageBuilder
from sweeps.planning.stage_requests import EvaluationRequest, TrainingRequest
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation
from sweeps.stage import Json, Run, Stage


class PlannedRun(Protocol):
    """A run before its stages are made: an excluded one makes none."""

    @property
    def cell(self) -> Mapping[str, Json]: ...
    def row(self) -> CountedRun: ...


def plan_runs(foundry: StageBuilder) -> Iterator[CountedRun]:
    """Every run of the sweep, its stages made on the way."""
    checked: Variant | None = None
    left_out = list_exclusions(foundry.sweep)
    for variant in expand_variants(foundry.sweep, left_out):
        foundry.shelf.name_tokenizer(variant.model, variant.tokenizer)
        if checked is None or (checked.data, checked.source_size) != (variant.data, variant.source_size):
            checked = _check_sizes(foundry, variant)
        for wanted in _wanted(foundry, variant):
            if not left_out.hold(wanted.cell):
                yield wanted.row()
    left_out.refuse_unmet()


def _wanted(foundry: StageBuilder, variant: Variant) -> Iterator[PlannedRun]:
    match foundry.sweep.experiment:
        case "grid":
            return _grid(foundry, variant)
        case "data_scaling":
            return _data_scaling(foundry, variant)
        case "transfer":
            return _transfer(foundry, variant)
        case "compare":
            return plan_methods(foundry, variant)


class Place(NamedTuple):
    """What is measured on: some records, under a name for people."""

    on: str
    records: Records


@dataclass(frozen=True, slots=True)
class DatasetRun:
    """A run on one data set; or on none, where everything is done by acting."""

    foundry: StageBuilder
    variant: Variant
    cell: Mapping[str, Json]
    seed: int
    dataset: Dataset | None  # that is trained on and measured
    size: int  # 0: nothing is trained here
    source: Dataset | None = None
    source_seed: int = 0

    def row(self) -> CountedRun:
        scope = self.foundry.scope(self.cell, self.seed)
        acts = self.variant.train.method == "rl"
        method = None if acts else self.variant.train.method
        for dataset in filter(None, (self.dataset, self.source)):
            refuse_unsuited(dataset, method, self.foundry.sweep.evaluate)
        source = self._source(scope)
        stage = source
        if self.size:
            trained_on = None if acts else self.dataset
            stage = self.foundry.train(TrainingRequest(self.variant, trained_on, self.size, self.seed, scope, source))
        measures = self._measures(stage, scope)
        naive = NaiveCount(int(self.size > 0) + int(source is not None), self.size + (source.examples if source else 0))
        return Run(self.cell, self.seed, stage.id if stage else None, measures), naive if self.size else NaiveCount()

    def _source(self, scope: str | None) -> Stage | None:
        if self.source is None:
            return None
        size = self.variant.source_size or len(self.source.train)
        return self.foundry.train(TrainingRequest(self.variant, self.source, size, self.source_seed, scope))

    def _measures(self, stage: Stage | None, scope: str | None) -> dict[str, str]:
        foundry, model = self.foundry, self.variant.model
        since = foundry.start_of(stage)
        found: dict[str, str] = {}
        for evaluation in foundry.sweep.evaluate:
            for prefix, place in self._places(evaluation):
                records, on = (place.records, place.on) if place else (None, str(evaluation.options["environment"]))
                asked = EvaluationRequest(model, records, evaluation, stage, on, scope)
                found[f"{prefix}{evaluation.name}"] = foundry.evaluate(asked, since).id
        return found

    def _places(self, evaluation: Evaluation) -> Iterator[tuple[str, Place | None]]:
        """Where an evaluation is made, and the prefix of its metrics; in episodes there is one place, and no data."""
        if evaluation.name == "task_completion" or self.dataset is None:
            yield "", None
            return
        yield "", Place(self.dataset.name, select_records(self.dataset, evaluation))
        looked = evaluation.name != "rag"  # the validation set is what training reads, with one context or none
        if self.foundry.sweep.experiment == "grid" and self.dataset.validation is not None and looked:
            yield "validation.", Place(f"{self.dataset.name} validation", self.dataset.validation)
        if self.source is not None:
            yield "source.", Place(self.source.name, select_records(self.source, evaluation))


def _check_sizes(foundry: StageBuilder, variant: Variant) -> Variant:
    sweep = foundry.sweep
    sizes = {name: set(sweep.size_values) for name in sweep.target_names}
    for name in sweep.source_names if variant.source_size else ():
        sizes.setdefault(name, set()).add(variant.source_size or 0)
    refuse_too_large(sizes, {name: foundry.shelf.dataset(name, variant.data[name]) for name in sizes})
    return variant


def _grid(foundry: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Every data set on all its examples; without any, what is learnt by acting."""
    sweep = foundry.sweep
    if not variant.data:
        yield from (DatasetRun(foundry, variant, variant.cell, seed, None, 1) for seed in sweep.seed_values)
    for name, spec in variant.data.items():
        dataset = foundry.shelf.dataset(name, spec)
        cell = {**variant.cell, "data": name} if len(sweep.data) > 1 else variant.cell
        for seed in sweep.seed_values:
            yield DatasetRun(foundry, variant, cell, seed, dataset, len(dataset.train))


def _data_scaling(foundry: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Every size of every data set; and the untrained base, size 0, once."""
    for name, spec in variant.data.items():
        yield from _sized(foundry, variant, {"data": name}, foundry.shelf.dataset(name, spec))


def _sized(
    foundry: StageBuilder, variant: Variant, named: Mapping[str, Json], dataset: Dataset
) -> Iterator[DatasetRun]:
    """The zero-shot reference and every size from the base model."""
    sweep = foundry.sweep
    for size in (0, *sweep.size_values):
        cell = {**named, "size": size, **variant.cell}
        for seed in sweep.seed_values if size else sweep.seed_values[:1]:
            yield DatasetRun(foundry, variant, cell, seed, dataset, size)


def _transfer(foundry: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Targets alone, sources alone (size 0), and every pair at every size."""
    sweep, shelf = foundry.sweep, foundry.shelf
    for name in sweep.target_names:
        target = shelf.dataset(name, variant.data[name])
        yield from _sized(foundry, variant, {"source": None, "target": name}, target)
        for other in sweep.source_names:
            if other != name:
                source = shelf.dataset(other, variant.data[other])
                yield from _pair(foundry, variant, source, target)


def _pair(foundry: StageBuilder, variant: Variant, source: Dataset, target: Dataset) -> Iterator[DatasetRun]:
    """A source is trained once per seed; with `share_sources: sweep` once, and so measured alone once."""
    seeds = foundry.sweep.seed_values
    shared = foundry.sweep.share_sources == "sweep"
    for size in (0, *foundry.sweep.size_values):
        cell = {"source": source.name, "target": target.name, "size": size, **variant.cell}
        for seed in seeds[:1] if shared and not size else seeds:
            first = seeds[0] if shared else seed
            yield DatasetRun(foundry, variant, cell, seed, target, size, source, first)
