"""Evaluators that ask by episodes: the model acts in an environment, in tasks that training never sees."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from sweeps.evaluation.evaluator import Evaluator, Measured, Option, Options
from sweeps.evaluation.evaluator_options import check_count, check_environment, check_temperature

EPISODE_OPTIONS: Mapping[str, Option] = {
    "environment": Option(check_environment, example="offline:tool_use"),
    "episodes": Option(check_count, 200),
    "attempts": Option(check_count, 1),
    "temperature": Option(check_temperature, 1.0),
}


class PlayedEpisode(NamedTuple):
    """One finished episode."""

    task: int  # several attempts at one task have the same number
    reward: float
    turns: int
    facts: Mapping[str, float]  # what the environment says of it
    text: str  # everything that was read and written in it
    regime: str = ""  # of which kind it was, if the environment says it


class EpisodeEvaluator(Evaluator):
    """Measures by episodes in an environment, which needs no data."""

    options: ClassVar[Mapping[str, Option]] = EPISODE_OPTIONS

    def identify(self, options: Options) -> dict[str, Any]:
        """Return the options that are part of a stage's identity, beside the environment and the number of tasks."""
        completed = self.complete(options)
        return {"temperature": completed["temperature"], "attempts": completed["attempts"]}

    def measure(self, episodes: Sequence[PlayedEpisode], options: Options) -> Measured:
        """Compute the metrics and a row for each attempt; rows of one task have the same item."""
        raise NotImplementedError
