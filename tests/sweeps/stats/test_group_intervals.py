"""Intervals over items that come in groups: with the groups they hold the truth, without them they do not."""

from collections.abc import Callable

import numpy as np
import pytest

from sweeps.evaluation.item_rows import ItemRow, label_rows, read_rows, write_rows
from sweeps.stats.paired_items import estimate_error, read_scores
from tests.sweeps.grouped import COVERED, INTERVALS, MISSED, Ends, count_covered

EXPERIMENTS = 200  # the short form: `make bench-statistics` has 1,000


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_hold_over_groups_and_would_not_without_them(interval: Callable[..., Ends]) -> None:
    assert count_covered(interval, EXPERIMENTS, grouped=True) >= COVERED
    assert count_covered(interval, EXPERIMENTS, grouped=False) < MISSED


def test_an_error_over_groups_is_that_of_statsmodels() -> None:
    """statsmodels 0.15.0: OLS on a constant, cov_type="cluster", of 42 values in 12 groups of 2 to 6."""
    random = np.random.default_rng(3)
    group_of_row = np.repeat(np.arange(12), random.integers(2, 7, 12))
    values = random.normal(size=12)[group_of_row] + 0.3 * random.normal(size=len(group_of_row))
    rows = [ItemRow(at, {"reward": float(value)}) for at, value in enumerate(values)]
    grouped = label_rows(rows, range(42), [f"g{group}" for group in group_of_row], ())
    assert values.mean() == pytest.approx(-0.28544572, abs=1e-7)
    assert estimate_error(read_scores(grouped, "reward")) == pytest.approx(0.36933553, abs=1e-7)


def test_the_error_that_a_scaling_law_gets_is_that_over_groups() -> None:
    """By hand: 2 groups of 2 equal items at 0 and 1: the mean .5, SE √(2/1·(1 + 1))/4 = .5; as 4 items it is .2887."""
    rows = [ItemRow(at, {"accuracy": float(at > 1)}) for at in range(4)]
    grouped = label_rows(rows, range(4), ["a", "a", "b", "b"], ())
    assert estimate_error(read_scores(grouped, "accuracy")) == pytest.approx(0.5)
    assert estimate_error(read_scores(rows, "accuracy")) == pytest.approx(0.288675, abs=1e-6)


def test_group_and_stratum_of_an_item_survive_its_file() -> None:
    rows = label_rows(
        [ItemRow(at, {"accuracy": 1.0}, cluster="passage") for at in range(2)], [1, 0], ["a", "b"], ["x", "y"]
    )
    assert [(row.cluster, row.stratum) for row in rows] == [("b", "y"), ("a", "x")]
    assert read_rows(write_rows(rows)) == rows
    (alone,) = label_rows([ItemRow(0, {}, cluster="passage")], [0], (), ["x"])
    assert alone.cluster == "passage"
