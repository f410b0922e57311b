"""Items are grouped by the probabilities of their candidates, whatever the groups are called."""

import math

import pytest

from sweeps.analysis.item_analysis import list_changes
from sweeps.evaluation.clustering import CLUSTERING, score_clusters
from sweeps.records import Records
from sweeps.results import RunResult
from sweeps.stats.paired_items import item_key

NAMES = ["milk", "bread", "soap"]


def ask(right: list[str], names: list[list[str]] | None = None) -> Records:
    rows = [
        {"question": f"item {at}: ", "answers": [answer], "candidates": names[at] if names else NAMES}
        for at, answer in enumerate(right)
    ]
    return Records("questions", tuple(rows))


def measure(records: Records, shares: list[list[float]]) -> float:
    rows = score_clusters(records, [math.log(share) for item in shares for share in item])
    return sum(row.values["adjusted_rand"] for row in rows) / len(rows)


def test_groups_count_and_not_their_names() -> None:
    """Both kinds are given a wrong name, each its own."""
    right = ["milk", "milk", "milk", "bread", "bread", "bread"]
    shares = [[0.1, 0.1, 0.8]] * 3 + [[0.7, 0.1, 0.2]] * 3
    assert measure(ask(right), shares) == pytest.approx(1)
    assert measure(ask(["milk", "bread"] * 3), shares) < 0


def test_what_training_changed_in_the_groups_is_among_the_changes() -> None:
    """Before, the items are grouped at random; after, as they belong."""
    right = ["milk", "bread", "soap"] * 8
    by_run = {0: [place % 4 % 3 for place in range(24)], 32: [place % 3 for place in range(24)]}
    runs, items = [], {}
    for size, likely in by_run.items():
        shares = [0.8 if place == name else 0.1 for name in likely for place in range(3)]
        rows = score_clusters(ask(right), [math.log(share) for share in shares])
        metric = sum(row.values["adjusted_rand"] for row in rows) / len(rows)
        runs.append(RunResult({"data": "d", "size": size}, 0, "succeeded", {"adjusted_rand": metric}))
        items[item_key(runs[-1].cell, 0)] = rows
    ((change,),) = [changed.changes for changed in list_changes(runs, {"clustering": items})]
    assert (change.metric, change.clear) == ("adjusted_rand", True)
    assert change.after == pytest.approx(1)
    assert change.before < 0.5


def test_candidates_are_known_by_their_text_and_not_by_their_place() -> None:
    orders = [NAMES, [*reversed(NAMES)]] * 2
    shares = [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    assert measure(ask(["milk", "milk", "soap", "soap"], orders), shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("records", "missing"),
    [
        (ask(["milk", "soap"]), ""),
        (ask(["milk", "soap"], [NAMES, NAMES[:2]]), "candidates"),
        (ask(["milk", "milk"]), "two"),
        (Records("questions", ({"question": "q", "answers": ["a"]},)), "candidates"),
        (ask(["milk", "soap"] * 501), "1,000"),
    ],
    ids=["suits", "other candidates", "one group", "none", "too many"],
)
def test_what_does_not_suit_is_said(records: Records, missing: str) -> None:
    assert missing in CLUSTERING.find_missing(records, {})
    assert bool(missing) == bool(CLUSTERING.find_missing(records, {}))
