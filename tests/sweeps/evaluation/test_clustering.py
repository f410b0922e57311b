"""Items are grouped by the probabilities of their candidates, whatever the groups are called."""

import math

import pytest

from sweeps.evaluation.clustering import CLUSTERING, score_clusters
from sweeps.records import Records

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
