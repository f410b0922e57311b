"""The example `biosignal` needs more than a few subjects, shows that a split by record flatters, and finds no null."""

import csv
import re
from collections import defaultdict
from typing import Any, cast

import pytest

from scheduler.prepare import prepare
from scheduler.settings import read_settings
from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import EXAMPLES, copy_new, run_example

SHORT = (
    *("sizes=[96]", "seeds=2", "target=null", "train.steps=60"),
    *("data.subjects.holdout=40", "data.shuffled.holdout=40"),
)


def read_auroc(results: dict[str, object], name: str, size: int, metric: str = "auroc") -> list[float]:
    """Read a metric of each seed of one data set at one size."""
    runs = results["runs"]
    assert isinstance(runs, list)
    return [run["metrics"][metric] for run in runs if run["cell"] == {"data": name, "size": size}]


@IN_SHORT
def test_new_subjects_are_told_and_a_split_by_record_flatters(desk: Desk) -> None:
    results = run_example(desk, "biosignal", *SHORT)
    assert results["conclusion"]["metric"] == "auroc"
    assert min(read_auroc(results, "subjects", 96)) > 0.7
    same, new = (read_auroc(results, "records", 96, name) for name in ("auroc", "new_people.auroc"))
    assert sum(same) > sum(new)
    assert max(read_auroc(results, "shuffled", 96)) < 0.62
    fits = {fit["data"]: fit for fit in results["fits"] if fit["metric"] == "auroc"}
    assert fits["shuffled"]["minimum_data"] is None


def test_nobody_is_on_two_sides_at_any_size_and_seed(desk: Desk) -> None:
    """Each size and seed is a part of the training rows of its data set, which share no group with the holdout."""
    folder = copy_new(desk, "biosignal")
    prepared = prepare(folder / "sweep.yaml", (), read_settings({"SWEEP_HOME": str(desk.home)}))
    rows, recipes = prepared.records, {stage.id: cast("dict[str, Any]", stage.recipe) for stage in prepared.plan.stages}
    trained = {name: recipe["data"]["records"] for name, recipe in recipes.items() if recipe["kind"] == "train"}
    measured = [recipe for recipe in recipes.values() if recipe.get("parent") in trained]
    assert len(trained) == 45
    assert len(measured) == 60, "15 of subjects, 30 of records, 15 of the null twin"
    for recipe in measured:
        known, held = ({*rows[address].groups} for address in (trained[recipe["parent"]], recipe["items"]))
        assert known
        assert known.isdisjoint(held)


def test_records_share_subjects_and_new_people_are_new() -> None:
    people: dict[str, set[str]] = defaultdict(set)
    for name in ("beats.csv", "new_people.csv", "shuffled.csv"):
        with (EXAMPLES / "biosignal" / name).open() as table:
            people[name] = {row["subject"] for row in csv.DictReader(table)}
    assert people["beats.csv"].isdisjoint(people["new_people.csv"])
    assert people["beats.csv"] == people["shuffled.csv"]


def test_windows_of_the_users_own_take_the_place_of_its_data(desk: Desk) -> None:
    folder = copy_new(desk, "biosignal")
    (shown,) = re.findall(r"```csv\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    header, row = shown.splitlines()
    signal, label, subject, record = row.split(",")
    rows = [f"{signal} x{number},{label},{subject}{number // 3},{record}{number // 2}" for number in range(900)]
    (folder / "beats.csv").write_text("\n".join([header, *rows]) + "\n")
    planned = Desk(folder).call("-f", "json", "plan", "sweep.yaml")
    assert planned.status == 0, planned.err
    assert any("900 rows" in note for note in planned.json["notes"])


@IN_FULL
@pytest.mark.timeout(600)
def test_in_full_the_split_by_record_flatters_beyond_its_interval(desk: Desk) -> None:
    results = run_example(desk, "biosignal")
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"]) == ("minimum_data", "auroc")
    assert 8 <= conclusion["effect"] <= 128
    same, new = (read_auroc(results, "records", 128, name) for name in ("auroc", "new_people.auroc"))
    gaps = [known_subjects - other for known_subjects, other in zip(same, new, strict=True)]
    mean = sum(gaps) / 3
    spread = (sum((gap - mean) ** 2 for gap in gaps) / 2) ** 0.5
    assert mean > 4.303 * spread / 3**0.5, gaps


@IN_FULL
@pytest.mark.timeout(600)
def test_beats_and_prose_that_share_nothing_do_not_help_each_other(desk: Desk) -> None:
    results = run_example(desk, "biosignal", file="transfer.yaml")
    assert results["conclusion"]["claim"] != "helps"
    assert {pair["verdict"] for pair in results["transfer"][0]["overall"]} <= {"hurts", "unclear"}
