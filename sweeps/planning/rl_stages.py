"""Stages that play episodes: training by reinforcement, and evaluation in an environment."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from sweeps.cost import Usage
from sweeps.evaluation.episode_evaluator import EpisodeEvaluator
from sweeps.planning import recipe_parts
from sweeps.planning.plan_data import PlanData
from sweeps.planning.recipe_parts import RecipePart
from sweeps.planning.stage_requests import EvaluationRequest, TrainingRequest
from sweeps.spec.train_section import Train
from sweeps.training.rollout_cost import EpisodeCosts, bound_usage, scale

WITHIN = 5  # times the low estimate: a higher one is too imprecise to help
LOOKED_AT = 64  # prompts from which the length of all prompts is estimated


class TrainingLength(NamedTuple):
    """The length of a training, and the bounds of its usage."""

    steps: int  # iterations; an estimate if `tokens` is set
    tokens: int | None  # the tokens after which it ends, if the file says so
    warmup: int  # in iterations, or in tokens
    low: Usage
    high: Usage
    turns: int  # of an episode, at most


@dataclass(frozen=True)
class EpisodeStages:
    """Plans stages that play episodes."""

    data: PlanData

    def training(self, asked: TrainingRequest) -> tuple[tuple[RecipePart, ...], TrainingLength]:
        """Describe a training by reinforcement, and its length."""
        train, model = asked.variant.train, asked.variant.model
        name, length = train.own("environment"), self.length(train, model)
        parts = (
            recipe_parts.describe_training(train),
            recipe_parts.describe_environment(*self.data.environment(name)[:2]),
            recipe_parts.describe_iterations(None if length.tokens else length.steps, length.tokens, length.warmup),
            recipe_parts.describe_playing(asked.seed),
            recipe_parts.describe_acting(model, self.data.tokenizer(model).name, self.data.voice(name, model)),
            recipe_parts.describe_place(asked.source.id if asked.source else None, asked.scope),
        )
        return parts, length

    def length(self, train: Train, model: str) -> TrainingLength:
        low, high = self.iteration(train, model)
        turns = self.data.environment(train.own("environment")).environment.shape.turns[1]
        middle = (low.tokens + high.tokens) / 2
        if train.tokens is None:
            steps = train.steps if isinstance(train.steps, int) else 1
            warmup = _warmup(train.warmup, steps, 1)
            return TrainingLength(steps, None, warmup, scale(low, steps, up=False), scale(high, steps, up=True), turns)
        # It ends where it is nearest to them, so within half an iteration; and there is one at least.
        least, most = train.tokens - high.tokens / 2, train.tokens + high.tokens
        steps = max(1, round(train.tokens / middle))
        return TrainingLength(
            steps,
            train.tokens,
            _warmup(train.warmup, train.tokens, middle),
            scale(low, max(1.0, least / low.tokens), up=False),
            scale(high, max(1.0, most / high.tokens), up=True),
            turns,
        )

    def iteration(self, train: Train, model: str) -> tuple[Usage, Usage]:
        """Bound the usage of one iteration."""
        groups, environment = int(train.own("groups")), self.data.environment(train.own("environment"))
        prompts = self.data.prompts(environment.name, model, "train", LOOKED_AT)
        play = EpisodeCosts(environment.environment.shape, train.own("group_size"), True, train.own("kl_penalty") > 0)
        low, _ = bound_usage(play, prompts)
        return scale(low, groups / len(prompts), up=False), scale(play.most(max(prompts)), groups, up=True)

    def measuring(
        self, asked: EvaluationRequest, evaluator: EpisodeEvaluator
    ) -> tuple[tuple[RecipePart, ...], tuple[Usage, Usage], int]:
        """Describe an evaluation in episodes; bound its usage, and the turns of an episode."""
        options = asked.evaluation.completed
        environment = self.data.environment(options["environment"])
        parts = (
            recipe_parts.describe_evaluator(
                evaluator.name, evaluator.version, tuple(evaluator.identify(options).items())
            ),
            recipe_parts.describe_environment(environment.name, environment.code),
            recipe_parts.describe_episodes(options["episodes"]),
            recipe_parts.describe_acting(
                asked.model,
                self.data.tokenizer(asked.model).name,
                self.data.voice(environment.name, asked.model),
            ),
            recipe_parts.describe_place(asked.of.id if asked.of else None, asked.scope),
        )
        prompts = self.data.prompts(environment.name, asked.model, "test", options["episodes"])
        play = EpisodeCosts(environment.environment.shape, options["attempts"], trained=False)
        return parts, bound_usage(play, prompts), environment.environment.shape.turns[1]


def _warmup(warmup: float, whole: int, per_iteration: float) -> int:
    """Resolve a warm-up: a share of the whole, or a count of iterations of this length."""
    count = warmup * per_iteration if isinstance(warmup, int) else warmup * whole
    return min(whole, math.floor(count + 0.5))
