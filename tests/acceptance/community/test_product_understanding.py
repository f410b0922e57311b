"""The example `product_understanding` learns to categorise, rank and group; shuffled categories teach nothing."""

import json
import re

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import EXAMPLES, copy_new, run_example

SHORT = ("sizes=[96]", "seeds=1", "target=null", "data.searches.holdout=24")


def check_values(results: dict[str, list[dict[str, dict[str, object]]]], size: int) -> None:
    """Check what the largest size must show: learnt on all three tasks, and nothing from shuffled categories."""
    cells = {(cell["cell"]["data"], cell["cell"]["size"]): cell["metrics"] for cell in results["cells"]}

    def read(data: str, metric: str, at: int = size) -> float:
        value = cells[data, at][metric]
        assert isinstance(value, dict)
        return float(value["mean"])

    assert read("listings", "macro_f1") > 0.75
    assert read("searches", "ndcg") > read("searches", "ndcg", 0) + 0.2
    assert read("searches", "mrr") > 0.8
    assert read("listings", "new_categories.accuracy") < 0.1, "it cannot name what it was not taught"
    assert read("listings", "new_categories.adjusted_rand") > read("listings", "new_categories.adjusted_rand", 0) + 0.15
    assert read("shuffled", "macro_f1") < 0.3
    assert abs(read("shuffled", "adjusted_rand")) < 0.15


@IN_SHORT
def test_it_categorises_ranks_and_groups_and_the_null_does_not(desk: Desk) -> None:
    results = run_example(desk, "product_understanding", *SHORT)
    assert results["conclusion"]["metric"] == "macro_f1"
    check_values(results, 96)
    assert any(left["evaluation"] == "clustering" and "searches" in left["on"] for left in results["left_out"])


def test_new_categories_are_in_no_training_and_each_search_has_ten_products() -> None:
    folder = EXAMPLES / "product_understanding"
    rows = {path.stem: [json.loads(line) for line in path.read_text().splitlines()] for path in folder.glob("*.jsonl")}
    known = {row["category"] for row in rows["listings"]}
    assert known.isdisjoint(row["category"] for row in rows["new_categories"])
    assert all(len(row["candidates"]) == 10 and {*row["answers"]} < {*row["candidates"]} for row in rows["searches"])
    assert [row["text"] for row in rows["listings"]] == [row["text"] for row in rows["shuffled"]]


def test_listings_of_the_users_own_take_the_place_of_its_data(desk: Desk) -> None:
    folder = copy_new(desk, "product_understanding")
    (shown,) = re.findall(r"```json\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    row = json.loads(shown)
    rows = [row | {"text": f"{row['text']} {at}", "product": f"M{at // 2}"} for at in range(400)]
    (folder / "listings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    planned = Desk(folder).call("-f", "json", "plan", "sweep.yaml")
    assert planned.status == 0, planned.err
    assert any("400 rows" in note for note in planned.json["notes"])


@IN_FULL
@pytest.mark.timeout(600)
def test_in_full_it_says_how_many_products_are_needed(desk: Desk) -> None:
    results = run_example(desk, "product_understanding")
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"]) == ("minimum_data", "macro_f1")
    assert 16 <= conclusion["effect"] <= 128
    check_values(results, 128)
