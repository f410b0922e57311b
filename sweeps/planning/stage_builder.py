"""Build the stages of a plan: equal recipes are one stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.cost import Usage
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.episode_evaluator import EpisodeEvaluator
from sweeps.evaluation.forward_evaluator import ForwardEvaluator
from sweeps.evaluation.preference import PREFERENCE
from sweeps.identity import fingerprint
from sweeps.planning import recipe_parts
from sweeps.planning.answer_stages import plan_answers
from sweeps.planning.duration import PASSES
from sweeps.planning.measured_places import MeasuredPlaces
from sweeps.planning.plan_data import PlanData
from sweeps.planning.prices import PriceBook
from sweeps.planning.recipe_parts import RecipePart
from sweeps.planning.rl_stages import EpisodeStages
from sweeps.planning.stage_requests import EvaluationRequest, TrainingRequest
from sweeps.planning.unused_settings import UnusedSettings
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.model import SweepFields
from sweeps.stage import Json, Stage
from sweeps.training.data_order import count_units
from sweeps.training.schedule import count_warmup, resolve_steps

REFERENCE = Evaluation(name=PREFERENCE.name)  # what a starting point gives the pairs of a training


@dataclass(frozen=True)
class StageBuilder:
    """Builds the stages of one sweep, and keeps them in the order of their first request."""

    sweep: SweepFields
    data: PlanData
    prices: PriceBook
    unused: UnusedSettings
    stages: dict[str, Stage] = field(default_factory=dict)
    places: MeasuredPlaces = field(default_factory=MeasuredPlaces)

    def scope(self, cell: Mapping[str, Json], seed: int) -> str | None:
        """Choose who may share a stage: all sweeps, this sweep, or this run."""
        if self.sweep.reuse == "all":
            return None
        run = "" if self.sweep.reuse == "sweep" else f":{fingerprint({'cell': cell, 'seed': seed})}"
        return f"{self.sweep.sweep}{run}"

    def train(self, asked: TrainingRequest) -> Stage:
        """Build the stage of a training."""
        if asked.dataset is None:
            return self._train_by_rl(asked)
        train, records = asked.variant.train, asked.dataset.train
        self.data.read_through(asked.dataset, asked.variant.model)
        steps = self._steps(asked, records)
        batch = min(train.batch_size, asked.size)
        prefix = self.data.prefix(records, asked.seed, asked.size)
        reference = self._reference(asked, asked.dataset, prefix) if train.method == "dpo" else None
        parts = (
            recipe_parts.describe_training(train),
            *((recipe_parts.describe_reference(reference.id),) if reference else ()),
            recipe_parts.describe_length(steps, count_warmup(train.warmup, steps), batch),
            recipe_parts.describe_subset(records.sha256, asked.size, prefix, asked.seed),
            self._reading(asked.variant.model, records),
            recipe_parts.describe_place(asked.source.id if asked.source else None, asked.scope),
        )
        key = recipe_parts.identify("train", parts)
        if key not in self.stages:
            self.unused.look(train, steps=steps, examples=asked.size)
        return self.stages.get(key) or self._keep(
            self._train_on_data(key, asked, dataset=asked.dataset, parts=parts, steps=steps, reference=reference)
        )

    def _train_by_rl(self, asked: TrainingRequest) -> Stage:
        train, model = asked.variant.train, asked.variant.model
        parts, length = EpisodeStages(self.data).training(asked)
        key = recipe_parts.identify("train", parts)
        if key not in self.stages:
            self.unused.look(train, steps=length.steps)
        return self.stages.get(key) or self._keep(
            Stage(
                id=key,
                kind="train",
                parents=_ids(asked.source),
                recipe=recipe_parts.join_parts(parts),
                label=_label(asked, str(train.environment)),
                steps=length.steps,
                examples=length.steps * int(train.own("groups")),
                **self._estimate(model, low=length.low, high=length.high),
                execution=recipe_parts.describe_execution(
                    self.sweep.checkpoint, None, None, train.diverged_above, length.turns
                ),
            )
        )

    def start_of(self, stage: Stage | None) -> Stage | None:
        """Return the stage that a training started from; None: the base model."""
        return None if stage is None else self.stages.get(str(stage.recipe["parent"]))

    def evaluate(self, asked: EvaluationRequest, since: Stage | None) -> Stage:
        """Make the stage that measures a trained stage or the base model; `since` is where its training began."""
        evaluator, records = asked.evaluation.evaluator, asked.records
        if isinstance(evaluator, EpisodeEvaluator):
            parts, bounds, turns = EpisodeStages(self.data).measuring(asked, evaluator)
            return self._keep_evaluation(asked, parts, asked.evaluation.completed["episodes"], bounds, turns=turns)
        assert records is not None, f"{evaluator.name} needs data"
        if isinstance(evaluator, AnswerEvaluator):
            return self._evaluate_answers(asked, records, evaluator)
        assert isinstance(evaluator, ForwardEvaluator)
        if evaluator.compares_with_start and asked.of is not None:
            # The starting point is measured once for all trainings that begin there.
            asked = replace(asked, against=self._evaluate_records(replace(asked, of=since), records, evaluator))
        return self._evaluate_records(asked, records, evaluator)

    def _evaluate_answers(self, asked: EvaluationRequest, records: Records, evaluator: AnswerEvaluator) -> Stage:
        options = asked.evaluation.completed
        self.data.look_ahead(records, asked.model, evaluator, options, asked.on)
        part, low, high = plan_answers(self.data, asked, records, evaluator, options)
        place = recipe_parts.describe_place(asked.of.id if asked.of else None, asked.scope)
        parts = (part, self._reading(asked.model, records), place)
        return self._keep_evaluation(asked, parts, len(records), (low, high), turns=1)

    def _keep_evaluation(
        self,
        asked: EvaluationRequest,
        parts: tuple[RecipePart, ...],
        examples: int,
        bounds: tuple[Usage, Usage],
        *,
        turns: int = 0,
    ) -> Stage:
        """Build the stage of an evaluation: `examples` items, with bounds on the usage, in `turns` turns."""
        key = recipe_parts.identify("evaluate", parts)
        if key in self.stages:
            return self.stages[key]
        low, high = bounds
        stage = Stage(
            id=key,
            kind="evaluate",
            parents=_ids(asked.of, asked.against),
            recipe=recipe_parts.join_parts(parts),
            label=_label_of(asked),
            steps=0,
            examples=examples,
            **self._estimate(asked.model, low=low, high=high),
            execution={"turns": turns} if turns else {},
        )
        return self._keep(stage)

    def _reference(self, asked: TrainingRequest, dataset: Dataset, prefix: str) -> Stage:
        """Build the stage that measures the pairs of a training with the starting point, before the first step.

        It is a stage of its own, so that all trainings from there share it. All pairs are the same for every seed.
        """
        records = dataset.train
        whole = asked.size == len(records)
        on = f"{dataset.name} training{'' if whole else f', size={asked.size}, seed {asked.seed}'}"
        part = None if whole else (asked.size, prefix, asked.seed)
        model = asked.variant.model
        request = EvaluationRequest(model, records, REFERENCE, asked.source, on, asked.scope, part=part)
        return self._evaluate_records(request, records, PREFERENCE)

    def _evaluate_records(self, asked: EvaluationRequest, records: Records, evaluator: ForwardEvaluator) -> Stage:
        model, trained, options = asked.model, asked.of, asked.evaluation.completed
        self.data.look_ahead(records, model, evaluator, options, asked.on)
        identity = tuple(evaluator.identify(options).items())
        parts = (
            recipe_parts.describe_evaluator(evaluator.name, evaluator.version, identity, records.sha256),
            *((recipe_parts.describe_reference(asked.against.id),) if asked.against else ()),
            *((recipe_parts.describe_part(*asked.part),) if asked.part else ()),
            self._reading(model, records),
            recipe_parts.describe_place(trained.id if trained else None, asked.scope),
        )
        usage = self.prices.rates(model).passed(self._items_tokens(asked, self.data.inputs(records, evaluator)))
        return self._keep_evaluation(asked, parts, asked.part[0] if asked.part else len(records), (usage, usage))

    def _items_tokens(self, asked: EvaluationRequest, records: Records) -> int:
        if asked.part is None:
            return self.data.tokens(records, asked.model)
        size, _, seed = asked.part
        return int(self.data.subset_lengths(records, asked.model, size, seed).sum())

    def _train_on_data(
        self,
        key: str,
        asked: TrainingRequest,
        *,
        dataset: Dataset,
        parts: tuple[RecipePart, ...],
        steps: int,
        reference: Stage | None,
    ) -> Stage:
        train, model = asked.variant.train, asked.variant.model
        validation = dataset.validation if train.eval_every else None
        visited = self.data.visited(
            dataset.train, model, size=asked.size, batch_size=train.batch_size, steps=steps, seed=asked.seed
        )
        usage = Usage(training=visited)
        if reference is not None:  # each step has a forward pass over its pairs first
            usage = usage.plus(self.prices.rates(model).passed(visited))
        if validation is not None and train.eval_every:
            looks = steps // train.eval_every * self.data.tokens(validation, model)
            usage = usage.plus(self.prices.rates(model).passed(looks))
        watched = validation.sha256 if validation is not None else None
        size = count_units(asked.size, asked.seed, dataset.train.groups)
        return Stage(
            id=key,
            kind="train",
            parents=_ids(asked.source, reference),
            recipe=recipe_parts.join_parts(parts),
            label=_label(asked, f"data={dataset.name}, size={size}"),
            steps=steps,
            examples=asked.size,
            **self._estimate(model, low=usage, high=usage),
            execution=recipe_parts.describe_execution(
                self.sweep.checkpoint, train.eval_every, watched, train.diverged_above
            ),
        )

    def _steps(self, asked: TrainingRequest, records: Records) -> int:
        train = asked.variant.train
        mean = 0.0
        if train.tokens is not None:  # tokens of more than one pass count as often
            lengths = self.data.subset_lengths(records, asked.variant.model, asked.size, asked.seed)
            mean = float(lengths.mean()) * PASSES.get(train.method, 1)
        return resolve_steps(train, size=asked.size, mean_tokens=mean)

    def _reading(self, model: str, records: Records) -> RecipePart:
        renderer = self.data.renderer(records, model)
        return recipe_parts.describe_reading(
            model, self.data.tokenizer(model).name, renderer, self.data.loss_mask(records)
        )

    def _keep(self, stage: Stage) -> Stage:
        return self.stages.setdefault(stage.id, stage)

    def _estimate(self, model: str, *, low: Usage, high: Usage) -> dict[str, Any]:
        """Estimate a stage: bounds of its tokens, and of its cost if all of it has a price."""
        rates = self.prices.rates(model)
        least, most = ((rates.price(usage) if rates.know(usage) else None) for usage in (low, high))
        return {"tokens": high.tokens, "low_tokens": low.tokens, "micro_usd": most, "low_micro_usd": least}


def _ids(*parents: Stage | None) -> tuple[str, ...]:
    return tuple(parent.id for parent in parents if parent)


def _label(asked: TrainingRequest, what: str) -> str:
    """Label a training for people: "data=code, size=2048, then data=legal, size=128, seed 1, rank=4"."""
    before = f"{asked.source.label.rpartition(', seed ')[0]}, then " if asked.source else ""
    return f"{before}{what}, seed {asked.seed}{asked.variant.label}"


def _label_of(asked: EvaluationRequest) -> str:
    trained = f"trained on {asked.of.label}" if asked.of else f"{asked.model} untrained"
    return f"{asked.evaluation.title} on {asked.on}, {trained}"
