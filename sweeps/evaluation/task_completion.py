"""The evaluator `task_completion`: how often episodes in an environment succeed, and what it says of them."""

from collections.abc import Sequence

import numpy as np

from sweeps.evaluation.episode_evaluator import EpisodeEvaluator, PlayedEpisode
from sweeps.evaluation.evaluator import ANY_NUMBER, FROM_ZERO, Measured, Metric, Options, Values, average
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.metric_prefixes import FACT_PREFIX
from sweeps.metrics import consistency, trading

RETURN = "return"  # the fact by which it says what an episode earned, as a share of the wealth
OF_ATTEMPTS = ("task_pass_at_k", "task_pass_hat_k")  # of several attempts at each task
RETURN_SHARPE = "return_sharpe"
RECOVERY = "recovery_rate"
EFFORT = "calls_over_fewest"
OF_RETURNS = {
    RETURN_SHARPE: trading.split_sharpe,
    "return_sortino": trading.split_sortino,
    "return_cvar": trading.split_cvar,
}  # of the returns of all episodes together: each item has what it contributes
SUMMED = (*OF_ATTEMPTS, *OF_RETURNS, RECOVERY, EFFORT)  # whose mean is over the episodes that tell them
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
        Metric("turns", None, FROM_ZERO, detail=True),
        *(Metric(name, "higher") for name in OF_ATTEMPTS),
        *(Metric(name, "higher", ANY_NUMBER, conditional=True) for name in OF_RETURNS),
        Metric(RECOVERY, "higher", conditional=True),
        Metric(EFFORT, "lower", FROM_ZERO, conditional=True),
    )

    def list_metrics(self, options: Options) -> tuple[str, ...]:
        several = self.complete(options)["attempts"] > 1
        return tuple(name for name in self.metric_names if several or name not in OF_ATTEMPTS)

    def measure(self, episodes: Sequence[PlayedEpisode], options: Options) -> Measured:
        added = [
            {**tried, **earned, **_score_agent(episode)}
            for episode, tried, earned in zip(
                episodes, _score_attempts(episodes), _split_returns(episodes), strict=True
            )
        ]
        rows = [
            ItemRow(
                episode.task,
                {**more, **episode.facts, "reward": episode.reward, "turns": episode.turns},
                details={"text": episode.text},
                stratum=episode.regime or None,
            )
            for episode, more in zip(episodes, added, strict=True)
        ]
        names = sorted({name for episode in episodes for name in episode.facts} - {SOLVED})
        facts = {name: [episode.facts[name] for episode in episodes if name in episode.facts] for name in names}
        metrics = {
            "task_completion": _mean([_read_success(episode) for episode in episodes]),
            "reward": _mean([episode.reward for episode in episodes]),
            "turns": _mean([episode.turns for episode in episodes]),
            **average(rows, [metric for metric in self.metrics if metric.name in SUMMED]),
            **{f"{FACT_PREFIX}{name}": _mean(values) for name, values in facts.items()},
        }
        return Measured(metrics, rows)


def _read_success(episode: PlayedEpisode) -> float:
    return float(episode.facts.get(SOLVED, episode.reward > 0))


def _score_attempts(episodes: Sequence[PlayedEpisode]) -> list[dict[str, float]]:
    """Score for each attempt whether one of those at its task succeeded, and whether all did; not of single ones."""
    tasks: dict[int, list[float]] = {}
    for episode in episodes:
        tasks.setdefault(episode.task, []).append(_read_success(episode))
    if all(len(tried) == 1 for tried in tasks.values()):
        return [{} for _ in episodes]
    passed = {
        task: (len(tried), round(sum(tried)), len(tried)) for task, tried in tasks.items() if {*tried} <= {0.0, 1.0}
    }
    functions = (consistency.pass_at_k, consistency.pass_all_k)
    scores = {
        task: {name: score(*counts) for name, score in zip(OF_ATTEMPTS, functions, strict=True)}
        for task, counts in passed.items()
    }
    return [scores.get(episode.task, {}) for episode in episodes]


def _score_agent(episode: PlayedEpisode) -> dict[str, float]:
    """Score whether an error was got over, and the calls of a solved task by the fewest that solve it.

    An episode without errors says nothing of recovery, and one that is not solved nothing of the calls it took.
    """
    facts, solved, scores = episode.facts, _read_success(episode), dict[str, float]()
    recovered = facts.get("recovered")
    if facts["errors"] > 0 if "errors" in facts else recovered is not None:
        scores[RECOVERY] = min(1.0, max(0.0, solved if recovered is None else recovered))
    if solved > 0 and "calls" in facts and facts.get("fewest_calls", 0) > 0:
        scores[EFFORT] = facts["calls"] / facts["fewest_calls"]
    return scores


def _split_returns(episodes: Sequence[PlayedEpisode]) -> list[dict[str, float]]:
    """Split what the returns say together among the episodes that tell one."""
    by_episode: list[dict[str, float]] = [{} for _ in episodes]
    telling = [place for place, episode in enumerate(episodes) if RETURN in episode.facts]
    returns = [episodes[place].facts[RETURN] for place in telling]
    for name, split in OF_RETURNS.items():
        for place, value in zip(telling, split(returns).tolist() if returns else (), strict=False):
            by_episode[place][name] = value
    return by_episode


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


EVALUATOR = TASK_COMPLETION = TaskCompletion()
