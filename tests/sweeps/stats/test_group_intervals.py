"""Intervals over items that come in groups: with the groups they hold the truth, without them they do not."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import linalg, stats

from sweeps.evaluation.item_rows import ItemRow, label_rows, read_rows, write_rows
from sweeps.stats.clusters import average_clusters, guard_error, number_clusters
from sweeps.stats.paired_items import estimate_error, read_scores
from tests.sweeps.grouped import COVERED, INTERVALS, MISSED, OF_FEW, Ends, count_covered

EXPERIMENTS = 200  # the short form: `make bench-statistics` has 1,000


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_hold_over_groups_and_would_not_without_them(interval: Callable[..., Ends]) -> None:
    assert count_covered(interval, EXPERIMENTS, grouped=True) >= COVERED
    assert count_covered(interval, EXPERIMENTS, grouped=False) < MISSED


@pytest.mark.parametrize("interval", OF_FEW)
def test_intervals_hold_over_five_groups(interval: Callable[..., Ends]) -> None:
    """The long form has 4, 5, 6 and 8 groups."""
    assert count_covered(interval, EXPERIMENTS, groups=5) >= COVERED


def draw_grouped() -> tuple[np.ndarray, np.ndarray]:
    """42 values in 12 groups of 2 to 6, and the group of each."""
    random = np.random.default_rng(3)
    group_of_row = np.repeat(np.arange(12), random.integers(2, 7, 12))
    return random.normal(size=12)[group_of_row] + 0.3 * random.normal(size=len(group_of_row)), group_of_row


def adjust_by_matrices(values: np.ndarray, group_of_row: np.ndarray) -> tuple[float, float]:
    """The error of a mean and its degrees of freedom as Bell and McCaffrey (2002) write them, with whole matrices.

    A_c = (I - H_cc)^-1/2 for each cluster; the error is √Σ(x'A_c e_c)²/m², and f = tr(G'G)² / tr((G'G)²), where the
    columns of G are (I - H)_c A_c x_c / m.
    """
    count = len(values)
    hat = np.full((count, count), 1 / count)
    residuals, columns, square = values - values.mean(), [], 0.0
    for group in np.unique(group_of_row):
        own = group_of_row == group
        root = linalg.inv(linalg.sqrtm(np.eye(int(own.sum())) - hat[np.ix_(own, own)]))
        square += float(root.sum(axis=0) @ residuals[own]) ** 2
        columns.append((np.eye(count) - hat)[:, own] @ root.sum(axis=1) / count)
    inner = np.stack(columns).real @ np.stack(columns).real.T
    return np.sqrt(square) / count, float(np.trace(inner) ** 2 / np.trace(inner @ inner))


def test_an_error_over_groups_and_its_freedom_are_those_of_the_matrices() -> None:
    values, group_of_row = draw_grouped()
    error, freedom = adjust_by_matrices(values, group_of_row)
    known = average_clusters(values, number_clusters(group_of_row.tolist(), len(values)))
    assert (known.error, known.freedom) == pytest.approx((error, freedom), rel=1e-9)
    assert 8 < freedom < 10, "the groups are not equal"
    rows = [ItemRow(at, {"reward": float(value)}) for at, value in enumerate(values)]
    grouped = label_rows(rows, range(42), [f"g{group}" for group in group_of_row], ())
    assert estimate_error(read_scores(grouped, "reward")) == pytest.approx(error)


def test_an_error_over_equal_groups_is_that_of_their_means() -> None:
    """By scipy: the standard error of the mean of 12 group means, and 11 degrees of freedom."""
    values = draw_grouped()[0][:36]
    known = average_clusters(values, number_clusters(np.repeat(np.arange(12), 3).tolist(), 36))
    assert known.error == pytest.approx(float(stats.sem(values.reshape(12, 3).mean(axis=1))))
    assert known.freedom == pytest.approx(11)


@pytest.mark.parametrize("groups", [4, 8, 12, 20])
def test_few_groups_are_guarded_and_many_are_not(groups: int) -> None:
    """One group of ten has one wrong item, all others none: a few groups may have missed one that would differ."""
    right = np.ones(10 * groups)
    right[0] = 0.0
    places = np.repeat(np.arange(groups), 10)
    error = average_clusters(right, places).error
    assert error
    guarded = guard_error(error, right, places)
    assert (guarded > 1.1 * error) == (groups < 20)
    assert guarded == pytest.approx(error) or groups < 20
    alone = np.arange(groups)
    assert guard_error(0.1, right[:groups], alone) == 0.1, "items that are no groups are known one by one"


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
