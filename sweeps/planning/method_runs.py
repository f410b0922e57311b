"""Plan methods to compare: the same start, seeds and items, and the same amount of what `equal` names.

A chain gets as much as any other method: its parts have the shares of it that the file gives them, or else equal ones.
The untrained model is a row of its own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from sweeps.cost import Usage
from sweeps.errors import PlanError
from sweeps.planning.cells import Variant
from sweeps.planning.data_validation import refuse_unsuited
from sweeps.planning.duration import PASSES
from sweeps.planning.measured_places import Place, list_places
from sweeps.planning.rl_stages import EpisodeStages
from sweeps.planning.run_rows import CountedRun, NaiveCount
from sweeps.planning.stage_builder import StageBuilder
from sweeps.planning.stage_requests import EvaluationRequest, TrainingRequest
from sweeps.records import Dataset
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.sections import Equal
from sweeps.spec.train_section import Method
from sweeps.stage import MICRO, Json, Run, Stage


def plan_methods(builder: StageBuilder, variant: Variant) -> Iterator["MethodRun"]:
    """Plan the untrained model, then every method that is compared, at every seed."""
    seeds, methods = builder.sweep.seed_values, variant.methods
    yield MethodRun(builder, variant, {"method": None, **variant.cell}, seeds[0], ())
    for name, method in methods.items():
        if not method.compared:
            continue
        parts = tuple(MethodPart(methods[part], share) for part, share in method.chain) or (MethodPart(method),)
        for seed in seeds:
            yield MethodRun(builder, variant, {"method": name, **variant.cell}, seed, parts)


class MethodPart(NamedTuple):
    """A training of a method, and its share of the method's length; None: the same as the other parts."""

    method: Method
    share: float | None = None


@dataclass(frozen=True, slots=True)
class MethodRun:
    """A method at one seed: its parts, one after the other. Without parts it is the untrained model."""

    builder: StageBuilder
    variant: Variant
    cell: Mapping[str, Json]
    seed: int
    parts: tuple[MethodPart, ...]

    def row(self) -> CountedRun:
        scope = self.builder.scope(self.cell, self.seed)
        chain: list[Stage] = []
        for part in self.parts:
            chain.append(self.builder.train(self._training(part, chain[-1] if chain else None, scope)))
        *before, last = [None, *(stage.id for stage in chain)]
        measures = dict(self._measures(chain[-1] if chain else None, scope))
        run = Run(self.cell, self.seed, last, measures, before=tuple(filter(None, before)))
        return run, NaiveCount(len(chain), sum(stage.examples for stage in chain))

    def _training(self, part: MethodPart, source: Stage | None, scope: str | None) -> TrainingRequest:
        method = part.method
        dataset = None if method.data is None else self._dataset(method.data)
        if dataset is not None:
            refuse_unsuited(dataset, method.method)
        sized = method.model_copy(update=self._length(method, self._divide(part.share), dataset))
        label = f", method={self.cell['method']}{self.variant.label}"  # of stages that methods share, the first one
        variant = replace(self.variant, train=sized, label=label)
        return TrainingRequest(variant, dataset, len(dataset.train) if dataset else 1, self.seed, scope, source)

    def _divide(self, share: float | None) -> Callable[[float], float]:
        """Make a function from what a method gets to what a part with this share gets."""
        parts = len(self.parts)
        return (lambda whole: whole / parts) if share is None else (lambda whole: whole * share)

    def _length(self, part: Method, divide: Callable[[float], float], dataset: Dataset | None) -> dict[str, int]:
        """Compute the steps, or tokens, nearest to the share of this part; at least one step."""
        equal = self.variant.equal
        assert equal is not None
        if equal.examples is not None:
            per_step = part.own("groups") if dataset is None else min(part.batch_size, len(dataset.train))
            return {"steps": max(1, round(divide(equal.examples) / per_step))}
        if dataset is None:
            return {"tokens": max(1, round(divide(self._tokens_of_acting(part, equal))))}
        usage = self._step(part, dataset)
        if equal.tokens is not None:
            return {"steps": max(1, round(divide(equal.tokens) / usage.tokens))}
        return {"steps": max(1, round(divide(self._dollars(equal)) / self._price(usage)))}

    def _tokens_of_acting(self, part: Method, equal: Equal) -> float:
        """Convert dollars to tokens, at the mean of their cost in short and in long episodes."""
        if equal.tokens is not None:
            return equal.tokens
        low, high = EpisodeStages(self.builder.data).iteration(part, self.variant.model)
        rates = [self._price(usage) / usage.tokens for usage in (low, high)]
        return self._dollars(equal) / (sum(rates) / len(rates))

    def _step(self, part: Method, dataset: Dataset) -> Usage:
        """Compute what a step uses on average, over all examples."""
        data, model = self.builder.data, self.variant.model
        batch = min(part.batch_size, len(dataset.train))
        tokens = round(batch * data.tokens(dataset.train, model) / len(dataset.train))
        usage = Usage(training=tokens)
        looks = PASSES.get(part.method, 1) - 1
        return usage.plus(self.builder.prices.rates(model).passed(looks * tokens))

    def _dollars(self, equal: Equal) -> float:
        return (equal.usd or 0) * MICRO

    def _price(self, usage: Usage) -> int:
        rates = self.builder.prices.rates(self.variant.model)
        if not rates.know(usage) or not rates.price(usage):
            problem = f"no price for {self.variant.model} in {self.builder.prices.name}"
            raise PlanError(f"equal.usd: {problem}; add a row there, or make `tokens` or `examples` equal")
        return rates.price(usage)

    def _measures(self, stage: Stage | None, scope: str | None) -> Iterator[tuple[str, str]]:
        for evaluation in self.builder.sweep.evaluate:
            for place in self._places(evaluation):
                records = place.records if place else None
                on = place.on if place else str(evaluation.options["environment"])
                asked = EvaluationRequest(self.variant.model, records, evaluation, stage, on, scope)
                prefix = place.prefix if place else ""
                # All are told from the untrained model: that is the one start that they share.
                yield f"{prefix}{evaluation.measure}", self.builder.evaluate(asked, None).id

    def _places(self, evaluation: Evaluation) -> Iterator[Place | None]:
        """List every place that suits the evaluation; the names of several data sets come before their metrics."""
        if not evaluation.evaluator.formats:
            yield None
            return
        every = {name: list_places(self._dataset(name), evaluation) for name in self.variant.data}
        suits = self.builder.places.suits
        fitting = {name: [place for place in there if suits(evaluation, place)] for name, there in every.items()}
        several = sum(map(bool, fitting.values())) > 1
        for name, places in fitting.items():
            before = f"{name}." if several else ""
            yield from (place._replace(prefix=f"{before}{place.prefix}") for place in places)

    def _dataset(self, name: str) -> Dataset:
        return self.builder.data.dataset(name, self.variant.data[name])
