"""Stages made, each once: the recipe is what a stage is, and equal recipes are one stage."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sweeps.cells import Variant
from sweeps.cost import PriceBook, Usage
from sweeps.identity import fingerprint
from sweeps.planning import pieces
from sweeps.planning.pieces import Piece
from sweeps.planning.shelf import Shelf
from sweeps.records import Dataset, Records
from sweeps.sections import Evaluation
from sweeps.spec import Sweep
from sweeps.stage import Json, Stage
from sweeps.steps import resolve_steps, warmup_steps

PREFERENCE = Evaluation(name="preference")


@dataclass(frozen=True, slots=True)
class Training:
    """A training that is asked for: the first `size` examples, from `source` or from the base model."""

    variant: Variant
    dataset: Dataset
    size: int
    seed: int
    scope: str | None = None
    source: Stage | None = None


@dataclass(frozen=True, slots=True)
class Measuring:
    """A measurement that is asked for: of a trained stage, or of the base model, on all of `records` or a part."""

    model: str
    records: Records
    evaluation: Evaluation
    of: Stage | None
    on: str
    scope: str | None
    against: Stage | None = None  # what the starting point gave the same pairs
    part: tuple[int, str, int] | None = None  # size, hash and seed of a subset


@dataclass(frozen=True)
class Foundry:
    """Makes the stages of one sweep, and keeps them in the order in which they were first asked for."""

    sweep: Sweep
    shelf: Shelf
    prices: PriceBook
    stages: dict[str, Stage] = field(default_factory=dict)

    def scope(self, cell: Mapping[str, Json], seed: int) -> str | None:
        """Who may share a stage: everybody, the sweep, or this one run."""
        if self.sweep.reuse == "all":
            return None
        run = "" if self.sweep.reuse == "sweep" else f":{fingerprint({'cell': cell, 'seed': seed})}"
        return f"{self.sweep.sweep}{run}"

    def train(self, asked: Training) -> Stage:
        """The stage that does this training."""
        train, records = asked.variant.train, asked.dataset.train
        steps = self._steps(asked)
        batch = min(train.batch_size, asked.size)
        prefix = self.shelf.prefix(records, asked.seed, asked.size)
        reference = self._reference(asked, prefix) if train.method == "dpo" else None
        parts = (
            pieces.training(train),
            *((pieces.reference(reference.id),) if reference else ()),
            pieces.length(steps, warmup_steps(train.warmup, steps), batch),
            pieces.subset(records.sha256, asked.size, prefix, asked.seed),
            self._reading(asked.variant.model, records),
            pieces.place(asked.source.id if asked.source else None, asked.scope),
        )
        key = pieces.identity("train", parts)
        return self.stages.get(key) or self._keep(self._trained(key, asked, parts, steps, reference))

    def evaluate(
        self, model: str, records: Records, evaluation: Evaluation, *, of: Stage | None, on: str, scope: str | None
    ) -> Stage:
        """The stage that measures a trained stage, or the base model, on all of `records`."""
        asked = Measuring(model, records, evaluation, of, on, scope)
        if of is not None and evaluation.name == PREFERENCE.name:
            # How far it has moved is told from where its training began: measured once for all that begin there.
            start = self.stages.get(str(of.recipe["parent"]))
            asked = replace(asked, against=self._measured(replace(asked, of=start)))
        return self._measured(asked)

    def _reference(self, asked: Training, prefix: str) -> Stage:
        """The stage that says what the starting point gives the pairs of a training, before any step is made.

        It is one of its own, so that all trainings from there share it and none can take its own weights for it. All
        pairs are the same pairs for every seed.
        """
        records = asked.dataset.train
        whole = asked.size == len(records)
        on = f"{asked.dataset.name} training{'' if whole else f' n={asked.size} seed {asked.seed}'}"
        part = None if whole else (asked.size, prefix, asked.seed)
        model = asked.variant.model
        return self._measured(Measuring(model, records, PREFERENCE, asked.source, on, asked.scope, part=part))

    def _measured(self, asked: Measuring) -> Stage:
        model, records, of = asked.model, asked.records, asked.of
        via = str(asked.evaluation.options.get("via", "forward"))
        parts = (
            pieces.measuring(asked.evaluation.name, via, records.sha256),
            *((pieces.reference(asked.against.id),) if asked.against else ()),
            *((pieces.part(*asked.part),) if asked.part else ()),
            self._reading(model, records),
            pieces.place(of.id if of else None, asked.scope),
        )
        key = pieces.identity("evaluate", parts)
        if key in self.stages:
            return self.stages[key]
        usage = self.prices.rates(model).passed(self._items_tokens(asked))
        stage = Stage(
            id=key,
            kind="evaluate",
            parents=_ids(of, asked.against),
            recipe=pieces.recipe(parts),
            label=f"{asked.evaluation.name} on {asked.on}: {of.label if of else f'{model} untrained'}",
            steps=0,
            examples=asked.part[0] if asked.part else len(records),
            **self._estimate(model, low=usage, high=usage),
        )
        return self._keep(stage)

    def _items_tokens(self, asked: Measuring) -> int:
        if asked.part is None:
            return self.shelf.tokens(asked.records, asked.model)
        size, _, seed = asked.part
        return int(self.shelf.subset_lengths(asked.records, asked.model, size, seed).sum())

    def _trained(
        self, key: str, asked: Training, parts: tuple[Piece, ...], steps: int, reference: Stage | None
    ) -> Stage:
        train, model = asked.variant.train, asked.variant.model
        validation = asked.dataset.validation if train.eval_every else None
        visited = self.shelf.visited(
            asked.dataset.train, model, size=asked.size, batch_size=train.batch_size, steps=steps, seed=asked.seed
        )
        usage = Usage(training=visited)
        if reference is not None:  # each step looks at its pairs before it moves
            usage = usage.plus(self.prices.rates(model).passed(visited))
        if validation is not None and train.eval_every:
            looks = steps // train.eval_every * self.shelf.tokens(validation, model)
            usage = usage.plus(self.prices.rates(model).passed(looks))
        watched = validation.sha256 if validation is not None else None
        return Stage(
            id=key,
            kind="train",
            parents=_ids(asked.source, reference),
            recipe=pieces.recipe(parts),
            label=_label(asked),
            steps=steps,
            examples=asked.size,
            **self._estimate(model, low=usage, high=usage),
            execution=pieces.execution(self.sweep.checkpoint, train.eval_every, watched, train.diverged_above),
        )

    def _steps(self, asked: Training) -> int:
        mean = 0.0
        if asked.variant.train.tokens is not None:
            records, model = asked.dataset.train, asked.variant.model
            mean = float(self.shelf.subset_lengths(records, model, asked.size, asked.seed).mean())
        return resolve_steps(asked.variant.train, size=asked.size, mean_tokens=mean)

    def _reading(self, model: str, records: Records) -> Piece:
        renderer = self.shelf.renderer(records, model)
        return pieces.reading(model, self.shelf.tokenizer(model).name, renderer, records.format)

    def _keep(self, stage: Stage) -> Stage:
        return self.stages.setdefault(stage.id, stage)

    def _estimate(self, model: str, *, low: Usage, high: Usage) -> dict[str, Any]:
        """What a stage will use at least and at most, as its fields: tokens, and money where all of it has a price."""
        rates = self.prices.rates(model)
        least, most = ((rates.price(usage) if rates.know(usage) else None) for usage in (low, high))
        return {"tokens": high.tokens, "low_tokens": low.tokens, "micro_usd": most, "low_micro_usd": least}


def _ids(*parents: Stage | None) -> tuple[str, ...]:
    return tuple(parent.id for parent in parents if parent)


def _label(asked: Training) -> str:
    """For people: "code n=2048 then legal n=128 seed 1 rank=4"."""
    before = f"{asked.source.label.rpartition(' seed ')[0]} then " if asked.source else ""
    return f"{before}{asked.dataset.name} n={asked.size} seed {asked.seed}{asked.variant.label}"
