"""The example `minimum_data` finds how much data a planted domain needs, and nothing where nothing is to be learnt."""

import math
from typing import Any

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import run_example

SMALL = ["seeds=2"]
NULL = ["sweep=twin", "data={twin: {source: shuffled.jsonl, holdout: 48}}", "sizes=[16, 32, 64, 128, 256]"]
NOTHING = {"nothing_learnt", "at_majority", "at_chance", "no_clear_difference"}


def need_rows(clauses: int, share: float = 0.8) -> float:
    """Return how many rows show this share of equally frequent clauses: what cannot be done with fewer."""
    return math.log(1 - share) / math.log(1 - 1 / clauses)


def find_need(results: dict[str, Any], data: str) -> dict[str, Any]:
    """Find the least data of a domain, by the first of its laws."""
    need: dict[str, Any] = next(fit for fit in results["fits"] if fit["data"] == data)["minimum_data"]
    return need


@IN_SHORT
def test_forty_clauses_need_the_rows_that_show_four_of_five(desk: Desk) -> None:
    data = "data={clauses_40: {source: clauses_40.jsonl, holdout: 48}}"
    results = run_example(desk, "minimum_data", *SMALL, data)
    conclusion, need = results["conclusion"], find_need(results, "clauses_40")
    assert conclusion["claim"] == "minimum_data"
    assert conclusion["metric"] == "accuracy"
    assert conclusion["low"] < need_rows(40) < conclusion["high"]
    assert 16 < conclusion["effect"] < 256
    assert need["status"] == "interpolated"
    assert sum(need["parts"].values()) == pytest.approx(1)


@IN_SHORT
def test_shuffled_answers_conclude_nothing(desk: Desk) -> None:
    conclusion = run_example(desk, "minimum_data", *SMALL, *NULL)["conclusion"]
    assert conclusion["claim"] in NOTHING
    assert conclusion["low"] is None or conclusion["low"] <= 0


@IN_FULL
def test_twice_the_clauses_need_more_and_both_truths_are_found(desk: Desk) -> None:
    results = run_example(desk, "minimum_data")
    short, long = (find_need(results, f"clauses_{count}") for count in (40, 80))
    assert short["low"] < need_rows(40) < short["high"]
    assert long["low"] < need_rows(80)
    assert short["point"] < long["point"]
    assert "one_of_several" in results["conclusion"]["caveats"]
