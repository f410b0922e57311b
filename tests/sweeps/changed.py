"""Simulated evaluations before and after a training, with a known change or none: what is claimed can be counted.

Items have difficulties of their own that all runs share; a run adds its own luck, on all items alike (`luck`, of the
seed) and on each of them. Answers of two runs to one item go together (`TIED`), as those of real checkpoints do.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr

from sweeps.analysis.change_estimate import Change, change
from sweeps.evaluation.item_rows import ItemRow

Floats = npt.NDArray[np.float64]
Side = dict[int, list[ItemRow]]
TIED = 0.7
SAMPLES, MEANINGS = 5, 4


@dataclass(frozen=True)
class Model:
    """What a checkpoint is: `luck` is the sd of a seed, in the unit of the effect."""

    effect: float = 0.0
    luck: float = 0.0
    sharp: float = 1.5  # the sd over items of the logit of being right


@dataclass(frozen=True)
class Kind:
    """Two sides, each asked the same items; `once` where the first is one checkpoint for all seeds."""

    name: str
    metric: str
    rows: Callable[[Model, "Asked"], list[ItemRow]]
    before: Model
    after: Model
    once: bool = False
    seeds: int = 3
    items: int = 100
    together: int = 1  # items in a cluster

    def found(self, chance: int) -> Change:
        """The simulated experiment of this number."""
        random = np.random.default_rng(chance)
        shared = Asked(random, random.normal(size=self.items), random.normal(size=self.items), self.together)
        if self.together > 1:
            shared = shared.clustered()
        sides: list[Side] = [
            {seed: self.rows(model, shared) for seed in range(count)}
            for model, count in ((self.before, 1 if self.once else self.seeds), (self.after, self.seeds))
        ]
        difference = change(sides[0], sides[1], metric=self.metric)
        assert difference
        return difference

    def claimed(self, experiments: int, start: int = 0) -> float:
        """The share of the experiments in which a change is claimed."""
        return sum(self.found(chance).clear for chance in range(start, start + experiments)) / experiments


@dataclass(frozen=True)
class Asked:
    """The items: how hard each is, and what is particular in it for all runs; standard normal."""

    random: np.random.Generator
    hard: Floats
    odd: Floats
    together: int

    def clustered(self) -> "Asked":
        """Items of a cluster have most in common."""
        places = np.arange(len(self.hard)) // self.together
        own = np.random.default_rng(0)
        hard, odd = (
            np.sqrt(0.5) * (effects[places] + own.normal(size=len(effects))) for effects in (self.hard, self.odd)
        )
        return replace(self, hard=hard, odd=odd)

    def own(self) -> Floats:
        """Uniform, and tied to what other runs draw for the same item."""
        fresh = self.random.normal(size=len(self.odd))
        return np.asarray(ndtr(np.sqrt(TIED) * self.odd + np.sqrt(1 - TIED) * fresh))

    def rows(self, **columns: Floats) -> list[ItemRow]:
        listed = {name: values.tolist() for name, values in columns.items()}
        return [
            ItemRow(at, {name: values[at] for name, values in listed.items()}, cluster=at // self.together)
            for at in range(len(self.hard))
        ]


def answers(model: Model, asked: Asked) -> list[ItemRow]:
    """Right as often as it is likely; what is said of it is more by the effect."""
    likely = expit(0.7 + model.sharp * asked.hard)
    right = asked.own() < likely
    confidence = np.clip(likely + model.effect + model.luck * asked.random.normal(), 0, 1)
    return asked.rows(confidence=confidence, right=right.astype(float), brier=(confidence - right) ** 2)


def samples(model: Model, asked: Asked) -> list[ItemRow]:
    """Several answers to each item: the effect is on the logit of the commonest meaning."""
    own = model.effect + model.luck * asked.random.normal() + 0.3 * asked.random.normal(size=len(asked.hard))
    common = expit(asked.hard + own)[:, None]
    shares = np.hstack([common, np.repeat((1 - common) / (MEANINGS - 1), MEANINGS - 1, axis=1)])
    counts = asked.random.multinomial(SAMPLES, shares) / SAMPLES
    entropy = -(counts * np.log(np.where(counts, counts, 1))).sum(axis=1)
    return asked.rows(agreement=counts.max(axis=1), semantic_entropy=entropy)


def losses(model: Model, asked: Asked) -> list[ItemRow]:
    """Nats over the tokens of a document: the effect is on each token."""
    tokens = np.round(40 * np.exp(0.4 * asked.odd)) + 5
    per_token = 2 + 0.4 * asked.hard + 0.1 * asked.random.normal(size=len(tokens))
    return asked.rows(nll=tokens * (per_token + model.effect + model.luck * asked.random.normal()), tokens=tokens)


STEADY, LUCKY = Model(), Model(luck=0.05)
NULLS = (  # a false claim is meant in 5 of 100, and in 8 at most
    Kind("calibration, a single seed", "ece", answers, STEADY, STEADY, seeds=1),
    Kind("calibration, seeds that differ", "ece", answers, LUCKY, LUCKY),
    Kind("consistency, seeds that differ", "agreement", samples, Model(luck=0.2), Model(luck=0.2), items=60),
    Kind("consistency, one base for all seeds", "semantic_entropy", samples, STEADY, STEADY, once=True, items=60),
    Kind("forgetting, seeds that differ", "nll", losses, Model(luck=0.02), Model(luck=0.02), items=60),
)
MORE_NULLS = (
    Kind("calibration, the same checkpoint", "ece", answers, STEADY, STEADY),
    Kind("calibration, sharp before and flat after", "ece", answers, Model(sharp=2.5), Model(sharp=0.3)),
    Kind("adaptive, sharp before and flat after", "adaptive_ece", answers, Model(sharp=2.5), Model(sharp=0.3)),
    Kind("calibration, one base for all seeds", "ece", answers, STEADY, STEADY, once=True),
    Kind("calibration, in clusters of four", "ece", answers, STEADY, STEADY, together=4),
    Kind("calibration, .05 too little and .05 too much", "ece", answers, Model(-0.05), Model(0.05)),
    Kind("AURC, seeds that differ", "aurc", answers, LUCKY, LUCKY),
    Kind("Brier, seeds that differ", "brier", answers, LUCKY, LUCKY),
    Kind("forgetting, two seeds that differ", "nll", losses, Model(luck=0.02), Model(luck=0.02), seeds=2, items=60),
    Kind("the same, of documents that are more", "nll", losses, Model(luck=0.02), Model(luck=0.02), seeds=2, items=200),
)
PLANTED = (  # to be found in 90 of 100
    Kind("calibration, overstated by .15", "ece", answers, Model(luck=0.01), Model(0.15, luck=0.01), items=600),
    Kind("consistency, 1 in the logit", "agreement", samples, Model(luck=0.1), Model(1.0, luck=0.1), items=200),
    Kind("forgetting, .1 nats per token", "nll", losses, Model(luck=0.01), Model(0.1, luck=0.01), items=200),
)
