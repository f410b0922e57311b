"""Sweeps side by side: joined where the conditions are equal, and paired by seed."""

from dataclasses import replace

import pytest

from sweeps.analysis.across_sweeps import join_sweeps
from sweeps.analysis.told_items import Told
from sweeps.evaluation.item_rows import ItemRow
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import item_key
from tests.sweeps.reports import row


def test_conditions_are_joined_by_their_cells_and_differences_are_paired() -> None:
    """0.1, 0.2 and 0.3 apart: mean 0.2, sd 0.1, t(.975, 2) = 4.303."""
    first = [row({"size": 8}, seed, nll=2.0 + seed) for seed in range(3)] + [row({"size": 16}, 0, nll=1.0)]
    other = [row({"size": 8}, seed, nll=2.1 + seed * 1.1) for seed in range(3)] + [row({"size": 32}, 0, nll=1.0)]
    both, left, right = join_sweeps({"one": first, "other": other})
    assert [cell.cell["size"] for cell in (both, left, right)] == [8, 16, 32]
    assert set(both.found) == {"one", "other"}
    assert set(left.found) == {"one"}
    difference = both.differences["nll"]["other"]
    assert difference.mean == pytest.approx(0.2)
    assert difference.half_width == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_what_one_lacks_is_no_difference() -> None:
    first = [row({"size": 8}, 0, nll=2.0), row({"size": 8}, 1, "failed")]
    other = [row({"size": 8}, 1, nll=2.0), row({"size": 8}, 2, nll=float("nan"))]
    (joined,) = join_sweeps({"one": first, "other": other})
    assert joined.differences == {}
    assert (joined.found["one"].count, joined.found["other"].count) == (1, 2)


def test_three_are_each_compared_to_the_first() -> None:
    rows = {name: [row({"size": 8}, 0, nll=loss)] for name, loss in (("a", 1.0), ("b", 2.0), ("c", 4.0))}
    (joined,) = join_sweeps(rows)
    assert {name: difference.mean for name, difference in joined.differences["nll"].items()} == {"b": 1.0, "c": 3.0}


def test_shares_that_differ_by_the_same_by_chance_are_not_certain() -> None:
    """Of 20 items each: two seeds that are both .1 apart, where values lie .05 apart."""
    first = [row({"size": 8}, seed, accuracy=value) for seed, value in enumerate((0.5, 0.55))]
    other = [row({"size": 8}, seed, accuracy=value) for seed, value in enumerate((0.6, 0.65))]
    (joined,) = join_sweeps({"one": first, "other": other})
    estimate = joined.differences["accuracy"]["other"]
    assert estimate.mean == pytest.approx(0.1)
    assert estimate.half_width == pytest.approx(12.7062 * 0.05 / 12**0.5 / 2**0.5, rel=1e-4)


def test_the_same_trainings_differ_by_nothing() -> None:
    runs = [replace(row({"size": 8}, seed, accuracy=0.5 + seed / 20), stage=f"train-{seed}") for seed in range(2)]
    (joined,) = join_sweeps({"one": runs, "other": runs})
    assert joined.differences["accuracy"]["other"] == Estimate(0.0, 0.0, 2, span=(-1.0, 1.0))


def test_shares_that_are_all_the_same_say_nothing_of_their_spread() -> None:
    first, other = ([row({"size": 8}, seed, accuracy=1.0) for seed in range(2)] for _ in range(2))
    (joined,) = join_sweeps({"one": first, "other": [replace(run, stage="another") for run in other]})
    assert joined.differences["accuracy"]["other"] == Estimate(0.0, None, 2, span=(-1.0, 1.0))


def test_what_few_items_tell_is_compared_over_those_that_both_tell() -> None:
    """The first sweep's 60 tasks tell it for the first 40, the other's for the last 45: 25 in common, all worse."""
    measured = replace(row({"size": 8}, 0), metrics={"episode.recovered": 0.5})
    runs = {name: [measured] for name in ("one", "other", "few")}
    telling = {"one": range(40), "other": range(15, 60), "few": range(39, 60)}
    value = {"one": 1.0, "other": 0.0, "few": 1.0}
    items = {
        name: {
            "task_completion": {
                item_key({"size": 8}, 0): [
                    ItemRow(at, {"recovered": value[name]} if at in telling[name] else {}) for at in range(60)
                ]
            }
        }
        for name in runs
    }
    (joined,) = join_sweeps(runs, items)
    assert joined.told["episode.recovered"] == {"one": Told(40, 60), "other": Told(45, 60), "few": Told(21, 60)}
    assert {name: difference.mean for name, difference in joined.differences["episode.recovered"].items()} == {
        "other": -1.0
    }
