"""Plan the runs of a sweep: what each trains, and what is measured on it. Its kind says which cells there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sweeps.errors import PlanError
from sweeps.evaluation.metric_prefixes import SOURCE, VALIDATION
from sweeps.experiments.experiment_registry import find_experiment
from sweeps.experiments.kind import PlannedRun
from sweeps.planning.cells import Variant, expand_variants, list_exclusions
from sweeps.planning.data_validation import find_too_large, refuse_unsuited
from sweeps.planning.measured_places import Place, add_candidates, list_places
from sweeps.planning.run_rows import CountedRun, NaiveCount
from sweeps.planning.stage_builder import StageBuilder
from sweeps.planning.stage_requests import EvaluationRequest, TrainingRequest
from sweeps.records import Dataset, canonicalize_row
from sweeps.spec.evaluation_section import Evaluation
from sweeps.stage import Json, Run, Stage


def plan_runs(builder: StageBuilder) -> Iterator[CountedRun]:
    """Plan every run of the sweep, and make its stages on the way."""
    kind = find_experiment(builder.sweep.experiment)
    checked: Variant | None = None
    left_out, shared = list_exclusions(builder.sweep), dict[bytes, tuple[Variant, PlannedRun]]()
    for variant in expand_variants(builder.sweep, left_out):
        builder.data.name_tokenizer(variant.model, variant.tokenizer)
        if checked is None or (checked.data, checked.source_size) != (variant.data, variant.source_size):
            checked = _check_sizes(builder, variant)
        for run in kind.plan_runs(builder, variant):
            if not left_out.hold(run.cell):
                yield run.row()
        for run in kind.plan_shared_runs(builder, variant):
            if not left_out.hold(run.cell):
                shared.setdefault(canonicalize_row(run.cell), (variant, run))
    for variant, run in shared.values():
        builder.data.name_tokenizer(variant.model, variant.tokenizer)
        yield run.row()
    left_out.refuse_unmet()


@dataclass(frozen=True, slots=True)
class DatasetRun:
    """A run on one data set; or on none, if all training is by acting."""

    builder: StageBuilder
    variant: Variant
    cell: Mapping[str, Json]
    seed: int
    dataset: Dataset | None  # that is trained on and measured
    size: int  # 0: nothing is trained here
    source: Dataset | None = None
    source_seed: int = 0

    def row(self) -> CountedRun:
        scope = self.builder.scope(self.cell, self.seed)
        acts = self.variant.train.method == "rl"
        method = None if acts else self.variant.train.method
        for dataset in filter(None, (self.dataset, self.source)):
            refuse_unsuited(dataset, method)
        source = self._source(scope)
        stage, rows = source, self._count_rows(self.dataset, self.seed, self.size)
        if self.size:
            trained_on = None if acts else self.dataset
            stage = self.builder.train(TrainingRequest(self.variant, trained_on, rows, self.seed, scope, source))
        measures = self._measures(stage, scope)
        naive = NaiveCount(int(self.size > 0) + int(source is not None), rows + (source.examples if source else 0))
        return Run(self.cell, self.seed, stage.id if stage else None, measures), naive if self.size else NaiveCount()

    def _count_rows(self, dataset: Dataset | None, seed: int, size: int) -> int:
        return size if dataset is None else self.builder.data.count_rows(dataset.train, seed, size)

    @property
    def _chooses(self) -> bool:
        return find_experiment(self.builder.sweep.experiment).chooses

    def _source(self, scope: str | None) -> Stage | None:
        if self.source is None:
            return None
        size = self.variant.source_size or self.source.train.units
        size = self._count_rows(self.source, self.source_seed, size)
        return self.builder.train(TrainingRequest(self.variant, self.source, size, self.source_seed, scope))

    def _measures(self, stage: Stage | None, scope: str | None) -> dict[str, str]:
        builder, model = self.builder, self.variant.model
        since = builder.start_of(stage)
        measures: dict[str, str] = {}
        for evaluation in builder.sweep.evaluate:
            for place in self._places(evaluation):
                records, on = (place.records, place.on) if place else (None, str(evaluation.options["environment"]))
                asked = EvaluationRequest(model, records, evaluation, stage, on, scope)
                measures[f"{place.prefix if place else ''}{evaluation.measure}"] = builder.evaluate(asked, since).id
        return measures

    def _places(self, evaluation: Evaluation) -> Iterator[Place | None]:
        """List where an evaluation is made; episodes have one place and no data."""
        if not evaluation.evaluator.formats or self.dataset is None:
            yield None
            return
        holdout, *tests = list_places(self.dataset, evaluation)
        suits = self.builder.places.suits
        if suits(evaluation, holdout):
            yield holdout
            looked = not evaluation.evaluator.reads_whole_context  # the validation set is only what training reads
            if self._chooses and self.size and self.dataset.validation is not None and looked:
                records = add_candidates(self.dataset, evaluation, self.dataset.validation)
                on = f"{self.dataset.name} validation"
                validation = holdout._replace(prefix=VALIDATION, on=on, records=records)
                self.builder.places.list_undefined(evaluation, validation)
                yield validation
        if self.source is not None:
            source = list_places(self.source, evaluation)[0]._replace(prefix=SOURCE)
            if suits(evaluation, source):
                yield source
        yield from (place for place in tests if suits(evaluation, place))


def _check_sizes(builder: StageBuilder, variant: Variant) -> Variant:
    """Raise PlanError that names every data set with fewer rows, or groups, than a size."""
    sweep, named = builder.sweep, dict[str, tuple[set[int], tuple[str, ...]]]()
    named["sizes"] = {*sweep.size_values}, sweep.target_names
    if variant.source_size:
        named["source_size"] = {variant.source_size}, sweep.source_names
    problems = [
        find_too_large(key, sizes, [builder.data.dataset(name, variant.data[name]) for name in names])
        for key, (sizes, names) in named.items()
    ]
    if any(problems):
        raise PlanError("\n".join(filter(None, problems)))
    return variant


def plan_sizes(
    builder: StageBuilder, variant: Variant, named: Mapping[str, Json], dataset: Dataset
) -> Iterator[DatasetRun]:
    """Plan the zero-shot reference and every size from the base model."""
    sweep = builder.sweep
    for size in (0, *sweep.size_values):
        cell = {**named, "size": size, **variant.cell}
        for seed in sweep.seed_values if size else sweep.seed_values[:1]:
            yield DatasetRun(builder, variant, cell, seed, dataset, size)
