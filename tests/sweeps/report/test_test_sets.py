"""Test sets are compared with each other over other items: a planted difference is found, and nothing else is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from sweeps.evaluation.item_rows import ItemRow
from sweeps.report.compose import compose, list_facts
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import item_key

SPEC: dict[str, Json] = {
    "experiment": "data_scaling",
    "data": {"ecg": {"source": "a.jsonl", "tests": {"clinic": "b.jsonl", "street": "c.jsonl"}}},
    "metrics": [{"metric": "rhythm.accuracy", "mode": "max"}],
}
PLACES = {"holdout": "", "clinic": "clinic.", "street": "street."}


def plant(shares: Mapping[str, float], items: int = 100, groups: Mapping[str, Sequence[str]] | None = None) -> Material:
    """Three seeds at one size; of each test set such a share is right, at the first numbers in all of them."""
    rows, kept = [], dict[str, dict[Any, list[ItemRow]]]()
    for seed in range(3):
        values = {}
        for place, share in shares.items():
            wrong = round((1 - share) * items)
            scored = [
                ItemRow(item, {"accuracy": float(item >= wrong - seed)}, groups[place][item] if groups else None)
                for item in range(items)
            ]
            values[f"{PLACES[place]}rhythm.accuracy"] = float(np.mean([row.values["accuracy"] for row in scored]))
            key = item_key({"data": "ecg", "size": 8}, seed)
            kept.setdefault(f"{PLACES[place]}rhythm.answers", {})[key] = scored
        rows.append(RunResult({"data": "ecg", "size": 8}, seed, "succeeded", values, stage=f"train-{seed}"))
    return Material("night", "finished", SPEC, rows, items=kept)


def find_pairs(material: Material) -> dict[tuple[str, str], Any]:
    return {(pair["one"], pair["other"]): pair for pair in list_facts(material)["tests_differences"]}


def test_a_planted_difference_is_found_and_no_other() -> None:
    material = plant({"holdout": 0.9, "clinic": 0.9, "street": 0.5})
    pairs = find_pairs(material)
    assert {names: pair["clear"] for names, pair in pairs.items()} == {
        ("holdout", "clinic"): False,
        ("holdout", "street"): True,
        ("clinic", "street"): True,
    }
    assert pairs["holdout", "street"]["mean"] == pytest.approx(0.4)
    assert all(pair["metric"] == "rhythm.accuracy" for pair in pairs.values())
    page = render_html(compose(material), "")
    assert "holdout is above street by 0.4000" in page


def test_items_of_the_same_number_are_not_the_same_item() -> None:
    """By hand: Welch's interval of two samples. If numbers paired the items, the same errors would cancel out."""
    from scipy import stats  # a second

    pair = find_pairs(plant({"holdout": 0.5, "clinic": 0.5}))["holdout", "clinic"]
    assert pair["mean"] == 0
    error = np.sqrt(2 * 0.25 / 99)
    assert pair["high"] == pytest.approx(stats.t.ppf(0.975, 198) * error, rel=0.05)


def test_people_who_are_in_both_are_the_same_people() -> None:
    """Ten who are each right or wrong in both sets differ in nothing; twenty others leave much more open."""
    groups = [f"P{item // 10}" for item in range(100)]
    others = [name.lower() for name in groups]
    widths = [
        find_pairs(plant({"holdout": 0.5, "clinic": 0.5}, groups={"holdout": groups, "clinic": named}))[
            "holdout", "clinic"
        ]["high"]
        for named in (groups, others)
    ]
    assert widths[0] < 0.7 * widths[1]


def test_too_few_items_are_not_compared_and_the_reason_is_told() -> None:
    pair = find_pairs(plant({"holdout": 0.5, "clinic": 0.5}, items=8))["holdout", "clinic"]
    assert (pair["mean"], pair["clear"]) == (None, False)
    assert "8 items" in pair["refused"]


def test_without_items_nothing_is_compared() -> None:
    material = plant({"holdout": 0.9, "clinic": 0.5})
    assert list_facts(Material("night", "finished", SPEC, material.rows))["tests_differences"] == []
