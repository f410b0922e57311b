"""The evaluator `task_completion`: how often episodes in an environment succeed, and what it says of them."""

from collections.abc import Sequence

import numpy as np

from sweeps.evaluation.episode_evaluator import EpisodeEvaluator, PlayedEpisode
from sweeps.evaluation.evaluator import ANY_NUMBER, FROM_ZERO, Measured, Metric, Options, Values
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.metric_prefixes import FACT_PREFIX

SOLVED = "solved"  # the fact by which an environment says whether a task is done


def read_solved(values: Values) -> tuple[float, float] | None:
    """Read what the environment says of an episode; if it says nothing, whether there was a reward."""
    if SOLVED in values:
        return float(values[SOLVED]), 1.0
    return (float(values["reward"] > 0), 1.0) if "reward" in values else None


class TaskCompletion(EpisodeEvaluator):
    """The share of tasks that are done; reward and turns; the mean of each fact over the episodes that tell it."""

    name = "task_completion"
    metrics = (
        Metric("task_completion", "higher", law=True, read=read_solved),
        Metric("reward", "higher", ANY_NUMBER),
        Metric("turns", None, FROM_ZERO),
    )

    def measure(self, episodes: Sequence[PlayedEpisode], options: Options) -> Measured:
        rows = [
            ItemRow(
                episode.task,
                {**episode.facts, "reward": episode.reward, "turns": episode.turns},
                details={"text": episode.text},
            )
            for episode in episodes
        ]
        names = sorted({name for episode in episodes for name in episode.facts} - {SOLVED})
        facts = {name: [episode.facts[name] for episode in episodes if name in episode.facts] for name in names}
        metrics = {
            "task_completion": _mean([float(episode.facts.get(SOLVED, episode.reward > 0)) for episode in episodes]),
            "reward": _mean([episode.reward for episode in episodes]),
            "turns": _mean([episode.turns for episode in episodes]),
            **{f"{FACT_PREFIX}{name}": _mean(values) for name, values in facts.items()},
        }
        return Measured(metrics, rows)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


EVALUATOR = TASK_COMPLETION = TaskCompletion()
