"""Which evaluator measures a metric, by the metric's full name: a data set may be called anything."""

import pytest

from sweeps.evaluation.registry import find_measure, find_metric


@pytest.mark.parametrize(
    ("metric", "measure"),
    [
        ("accuracy", "answers"),
        ("source.nll", "source.nll"),
        ("episode.drawdown", "task_completion"),
        ("validation.episode.drawdown", "validation.task_completion"),
        ("my_episode.accuracy", "my_episode.answers"),  # the items of this data set were looked for elsewhere
        ("episodes.accuracy", "episodes.answers"),
        ("nonsense", None),
    ],
)
def test_a_metric_is_of_the_evaluator_that_measures_it(metric: str, measure: str | None) -> None:
    assert find_measure(metric) == measure


@pytest.mark.parametrize("metric", ["episode.accuracy", "source.episode.nll"])
def test_what_an_environment_says_is_no_metric_of_ours_whatever_its_name(metric: str) -> None:
    assert find_metric(metric) is None
