"""Stages that act: training by reinforcement, and episodes that are measured."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from sweeps.cost import Usage
from sweeps.planning import recipe_parts
from sweeps.planning.plan_data import Shelf
from sweeps.planning.recipe_parts import Piece
from sweeps.planning.stage_requests import Measuring, Training
from sweeps.spec.evaluation_section import written
from sweeps.spec.train_section import Train
from sweeps.training.rollout_cost import Play, over, times

WITHIN = 5  # times the low estimate: a high one above it says little
LOOKED_AT = 64  # prompts from which the length of all is estimated


class Length(NamedTuple):
    """How long a training is, and what it uses at least and at most."""

    steps: int  # iterations, as far as can be told
    tokens: int | None  # all that it may use, where that ends it
    warmup: int  # in iterations, or in tokens
    low: Usage
    high: Usage
    turns: int  # of an episode, at most


@dataclass(frozen=True)
class Acting:
    """What is done in episodes, as a plan knows it."""

    shelf: Shelf

    def training(self, asked: Training) -> tuple[tuple[Piece, ...], Length]:
        """The parts of the recipe of a training by acting, and its length."""
        train, model = asked.variant.train, asked.variant.model
        name, length = train.own("environment"), self.length(train, model)
        parts = (
            recipe_parts.training(train),
            recipe_parts.environment(*self.shelf.environment(name)[:2]),
            recipe_parts.iterations(None if length.tokens else length.steps, length.tokens, length.warmup),
            recipe_parts.playing(asked.seed),
            recipe_parts.acting(model, self.shelf.tokenizer(model).name, self.shelf.voice(name, model)),
            recipe_parts.place(asked.source.id if asked.source else None, asked.scope),
        )
        return parts, length

    def length(self, train: Train, model: str) -> Length:
        low, high = self.iteration(train, model)
        turns = self.shelf.environment(train.own("environment")).environment.shape.turns[1]
        middle = (low.tokens + high.tokens) / 2
        if train.tokens is None:
            steps = train.steps if isinstance(train.steps, int) else 1
            warmup = _warmup(train.warmup, steps, 1)
            return Length(steps, None, warmup, times(low, steps, up=False), times(high, steps, up=True), turns)
        # It ends where it is nearest to them, so within half an iteration; and there is one at least.
        least, most = train.tokens - high.tokens / 2, train.tokens + high.tokens
        steps = max(1, round(train.tokens / middle))
        return Length(
            steps,
            train.tokens,
            _warmup(train.warmup, train.tokens, middle),
            times(low, max(1.0, least / low.tokens), up=False),
            times(high, max(1.0, most / high.tokens), up=True),
            turns,
        )

    def iteration(self, train: Train, model: str) -> tuple[Usage, Usage]:
        """At least and at most, of one iteration."""
        groups, environment = int(train.own("groups")), self.shelf.environment(train.own("environment"))
        prompts = self.shelf.prompts(environment.name, model, "train", LOOKED_AT)
        play = Play(environment.environment.shape, train.own("group_size"), True, train.own("kl_penalty") > 0)
        low, _ = over(play, prompts)
        return times(low, groups / len(prompts), up=False), times(play.most(max(prompts)), groups, up=True)

    def measuring(self, asked: Measuring) -> tuple[tuple[Piece, ...], tuple[Usage, Usage], int]:
        """The parts of the recipe of a measurement in episodes; what it uses at least and at most; turns at most."""
        options = written(asked.evaluation)
        environment = self.shelf.environment(options["environment"])
        parts = (
            recipe_parts.measuring_episodes(options["temperature"], options["attempts"]),
            recipe_parts.environment(environment.name, environment.code),
            recipe_parts.episodes(options["episodes"]),
            recipe_parts.acting(
                asked.model,
                self.shelf.tokenizer(asked.model).name,
                self.shelf.voice(environment.name, asked.model),
            ),
            recipe_parts.place(asked.of.id if asked.of else None, asked.scope),
        )
        prompts = self.shelf.prompts(environment.name, asked.model, "test", options["episodes"])
        play = Play(environment.environment.shape, options["attempts"], trained=False)
        return parts, over(play, prompts), environment.environment.shape.turns[1]


def _warmup(warmup: float, whole: int, each: float) -> int:
    """A share of the whole, or a count of iterations, each so long."""
    count = warmup * each if isinstance(warmup, int) else warmup * whole
    return min(whole, math.floor(count + 0.5))
