"""How a model does in an environment: episodes that training never sees, the same for all that are measured."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.spec.metric_names import OF_EPISODES
from sweeps.stage import Json
from sweeps.training.rollout_cost import EpisodeCosts, bound_usage
from sweeps.training.rollouts import Rollout
from worker.attempt import Attempt
from worker.outcome import Outcome, StageError, Succeeded
from worker.rollouts.play import EpisodePlayer, RolloutTask, open_sandbox
from worker.sdk.session import Trainer


def evaluate_episodes(this: Attempt, trainer: Trainer) -> Outcome:
    """Play all tasks of a measurement. Their seeds are counted from 0, and so are their chances."""
    recipe = cast(Mapping[str, Any], this.recipe)
    attempts = recipe["evaluator"]["attempts"]
    with open_sandbox(this, "test") as sandbox:
        players = EpisodePlayer(this, sandbox, temperature=recipe["evaluator"]["temperature"])
        tables = players.open([RolloutTask(seed, 0, seed, 0) for seed in range(recipe["episodes"])], attempts)
        _, whole = bound_usage(EpisodeCosts(sandbox.shape, attempts, trained=False), tables.prompts())
        if stop := this.stop_before_start(whole):
            return stop
        played = players.play(tables, this.wait(trainer.create_sampler()), this.spending.add)
        return Succeeded(_result(this, players, played), steps=0)


def _result(this: Attempt, players: EpisodePlayer, played: Sequence[Sequence[Rollout]]) -> dict[str, Json]:
    rollouts = [rollout for group in played for rollout in group]
    if not rollouts:
        raise StageError(f"every episode was lost; {players.first_cause}")
    described = ((item, each) for item, group in enumerate(played) for each in players.describe(group))
    rows = [ItemRow.from_json({**each, "item": item}) for item, each in described]
    return {
        "metrics": {
            "task_completion": _mean([_solved(rollout) for rollout in rollouts]),
            "reward": _mean([rollout.reward for rollout in rollouts]),
            "turns": _mean([rollout.turns for rollout in rollouts]),
            **{f"{OF_EPISODES}{name}": value for name, value in _facts(rollouts).items()},
        },
        "items": this.write_artefact("items.jsonl.gz", write_rows(rows)),
        "count": len(rollouts),
        "usage": this.spending.usage.document(),
    }


def _solved(rollout: Rollout) -> float:
    """What the environment says of it; where it says nothing, whether there was a reward."""
    return float(rollout.facts.get("solved", rollout.reward > 0))


def _facts(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """The mean of each fact over the episodes that tell it: not every episode has an error to recover from."""
    names = sorted({name for rollout in rollouts for name in rollout.facts} - {"solved"})
    return {name: _mean([one.facts[name] for one in rollouts if name in one.facts]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
