"""Which evaluator measures a metric, by the metric's full name: a data set may be called anything."""

import math

import pytest

from sweeps.analysis.targets import choose_side, read_chance
from sweeps.evaluation.registry import (
    EVALUATORS,
    METRICS,
    choose_direction,
    find_measure,
    find_metric,
    has_law,
    is_rising,
)
from sweeps.metrics.ranges import find_range
from sweeps.results import RunResult


@pytest.mark.parametrize(
    ("metric", "measure"),
    [
        ("accuracy", "answers"),
        ("source.nll", "source.nll"),
        ("episode.drawdown", "task_completion"),
        ("validation.episode.drawdown", "validation.task_completion"),
        ("my_episode.accuracy", "my_episode.answers"),  # the items of this data set were looked for elsewhere
        ("episodes.accuracy", "episodes.answers"),
        ("rhythm.accuracy", "rhythm.answers"),
        ("new_hospital.rhythm.f1_N", "new_hospital.rhythm.answers"),
        ("source.rhythm.cut_answers", "source.rhythm.answers"),
        ("drive.episode.drawdown", "drive.task_completion"),
        ("nonsense", None),
    ],
)
def test_a_metric_is_of_the_evaluator_that_measures_it(metric: str, measure: str | None) -> None:
    assert find_measure(metric) == measure


@pytest.mark.parametrize("prefix", ["rhythm.", "new_hospital.", "validation.", "source.new_hospital.rhythm."])
def test_a_metric_keeps_its_definition_behind_any_name(prefix: str) -> None:
    for metric, known in METRICS.items():
        full = f"{prefix}{metric}"
        assert find_metric(full) is known, full
        assert find_range(full) == known.span, full
        assert has_law(full) == known.law, full
        assert is_rising(full) == (known.law and known.better == "higher"), full
        assert known.better is None or choose_direction(full) == known.better, full
        assert choose_side(full) == choose_side(metric), full


def test_a_metric_belongs_to_one_evaluator() -> None:
    names = [name for evaluator in EVALUATORS.values() for name in evaluator.metric_names]
    assert len(names) == len({*names})


def test_guessing_is_read_beside_the_metric_that_it_is_of() -> None:
    def read(**metrics: float) -> float | None:
        return read_chance([RunResult({}, 0, "succeeded", metrics)], "rhythm.accuracy")

    assert read(**{"rhythm.chance": 0.25, "chance": 0.5}) == 0.25
    assert math.isnan(read(**{"rhythm.mrr": 0.25, "chance": 0.5}) or 0)
    assert read(chance=0.5) == METRICS["accuracy"].chance


@pytest.mark.parametrize("metric", ["episode.accuracy", "source.episode.nll"])
def test_what_an_environment_says_is_no_metric_of_ours_whatever_its_name(metric: str) -> None:
    assert find_metric(metric) is None
