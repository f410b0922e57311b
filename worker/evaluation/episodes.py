"""Evaluations by episodes: tasks that training never sees, the same ones for every model."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sweeps.evaluation.episode_evaluator import EpisodeEvaluator, PlayedEpisode
from sweeps.evaluation.evaluator import Measured
from sweeps.rendering.renderers import Renderer
from sweeps.training.rollout_cost import EpisodeCosts, bound_usage
from sweeps.training.rollouts import Rollout
from worker.attempt import Attempt
from worker.outcome import StageError, Stopped
from worker.rollouts.play import EpisodePlayer, RolloutTask
from worker.sdk.session import Trainer


def evaluate_episodes(
    this: Attempt, trainer: Trainer, evaluator: EpisodeEvaluator, renderer: Renderer
) -> Measured | Stopped:
    """Play all tasks of an evaluation. Their seeds count from 0, and so do the seeds of sampling."""
    recipe = cast(Mapping[str, Any], this.recipe)
    attempts, temperature = recipe["evaluator"]["attempts"], recipe["evaluator"]["temperature"]
    with EpisodePlayer(this, "test", renderer, temperature=temperature) as player:
        tasks = player.open([RolloutTask(seed, 0, seed, 0) for seed in range(recipe["episodes"])], attempts)
        _, whole = bound_usage(EpisodeCosts(player.shape, attempts, trained=False), tasks.count_prompts())
        if stop := this.stop_before_start(whole):
            return stop
        played = player.play(tasks, this.wait(trainer.create_sampler()), this.spending.add)
        episodes = _list_episodes(player, played)
        if not episodes:
            raise StageError(f"every episode was lost; {player.first_cause}")
        return evaluator.measure(episodes, recipe["evaluator"])


def _list_episodes(player: EpisodePlayer, played: Sequence[Sequence[Rollout]]) -> list[PlayedEpisode]:
    return [
        PlayedEpisode(task, rollout.reward, rollout.turns, rollout.facts, player.transcribe(rollout), rollout.regime)
        for task, group in enumerate(played)
        for rollout in group
    ]
