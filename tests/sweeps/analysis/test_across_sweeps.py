"""Sweeps side by side: joined where the conditions are equal, and paired by seed."""

from dataclasses import replace

import pytest

from sweeps.analysis.across_sweeps import join_sweeps
from sweeps.stats.intervals import Estimate
from tests.sweeps.reports import row


def test_conditions_are_joined_by_their_cells_and_differences_are_paired() -> None:
    """0.1, 0.2 and 0.3 apart: mean 0.2, sd 0.1, t(.975, 2) = 4.303."""
    one = [row({"size": 8}, seed, nll=2.0 + seed) for seed in range(3)] + [row({"size": 16}, 0, nll=1.0)]
    other = [row({"size": 8}, seed, nll=2.1 + seed * 1.1) for seed in range(3)] + [row({"size": 32}, 0, nll=1.0)]
    both, left, right = join_sweeps({"one": one, "other": other})
    assert [each.cell["size"] for each in (both, left, right)] == [8, 16, 32]
    assert set(both.found) == {"one", "other"}
    assert set(left.found) == {"one"}
    found = both.differences["nll"]["other"]
    assert found.mean == pytest.approx(0.2)
    assert found.half_width == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_what_one_lacks_is_no_difference() -> None:
    one = [row({"size": 8}, 0, nll=2.0), row({"size": 8}, 1, "failed")]
    other = [row({"size": 8}, 1, nll=2.0), row({"size": 8}, 2, nll=float("nan"))]
    (found,) = join_sweeps({"one": one, "other": other})
    assert found.differences == {}
    assert (found.found["one"].count, found.found["other"].count) == (1, 2)


def test_three_are_each_compared_to_the_first() -> None:
    rows = {name: [row({"size": 8}, 0, nll=loss)] for name, loss in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    (found,) = join_sweeps(rows)
    assert {name: each.mean for name, each in found.differences["nll"].items()} == {"b": 1.0, "c": 3.0}


def test_shares_that_differ_by_the_same_by_chance_are_not_certain() -> None:
    """Of 20 items each: two seeds that are both .1 apart, where values lie .05 apart."""
    one = [row({"size": 8}, seed, accuracy=value) for seed, value in enumerate((0.5, 0.55))]
    other = [row({"size": 8}, seed, accuracy=value) for seed, value in enumerate((0.6, 0.65))]
    (found,) = join_sweeps({"one": one, "other": other})
    estimate = found.differences["accuracy"]["other"]
    assert estimate.mean == pytest.approx(0.1)
    assert estimate.half_width == pytest.approx(12.7062 * 0.05 / 12**0.5 / 2**0.5, rel=1e-4)


def test_the_same_trainings_differ_by_nothing() -> None:
    runs = [replace(row({"size": 8}, seed, accuracy=0.5 + seed / 20), stage=f"train-{seed}") for seed in range(2)]
    (found,) = join_sweeps({"one": runs, "other": runs})
    assert found.differences["accuracy"]["other"] == Estimate(0.0, 0.0, 2, span=(-1.0, 1.0))
