"""Two small sweeps of a real model whose means would mislead: what few episodes tell, and labels without sense."""

import json
import random
import re

import pytest

from tests.acceptance.command import Desk

METHODS = """
sweep: recovering
experiment: compare
model: offline/ngram-s
equal: {tokens: 3e4}
methods:
  sl: {method: sl, data: demos, learning_rate: 0.02, batch_size: 32}
data: {demos: {source: "offline:tool_use_demos", holdout: 32}}
seeds: 2
evaluate: [{task_completion: {environment: "offline:tool_use", episodes: 40}}]
best: {metric: episode.recovered, mode: max}
"""
LABELS = """
sweep: labels
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 16, steps: 8}
data: {claims: {source: claims.jsonl, holdout: 40}}
sizes: [16, 32, 64]
seeds: 2
evaluate: [{answers: {check: exact, most: 4}}]
target: {metric: accuracy, above: 0.8}
"""


@pytest.fixture(scope="module")
def labels() -> str:
    """Claims of which nothing in their words tells the label; half of them are N."""
    dice = random.Random(8)
    rows = [{"question": f"claim {dice.randrange(10**6)}: ", "answer": dice.choice("NNEC")} for _ in range(420)]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_what_few_episodes_tell_carries_its_denominator(fleet_desk: Desk) -> None:
    fleet_desk.write("recovering.yaml", METHODS)
    ran = fleet_desk.call("run", "recovering.yaml")
    assert ran.status == 0, ran.err
    cells = fleet_desk.call("-f", "json", "results", "recovering").json["cells"]
    counts = {cell["cell"]["method"]: cell["metrics"].get("episode.recovered", {}).get("told") for cell in cells}
    assert counts["sl"]
    assert 0 < counts["sl"]["items"] < counts["sl"]["of"] == 80
    assert counts[None] is None or counts[None]["items"] < 20
    table = fleet_desk.call("results", "recovering").out
    assert f"({counts['sl']['items']} of 80)" in table


def test_labels_without_sense_are_no_better_than_always_saying_the_commonest(fleet_desk: Desk, labels: str) -> None:
    fleet_desk.write("claims.jsonl", labels)
    fleet_desk.write("labels.yaml", LABELS)
    ran = fleet_desk.call("run", "labels.yaml")
    assert ran.status == 0, ran.err
    results = fleet_desk.call("-f", "json", "results", "labels").json
    (fit,) = results["fits"]
    assert fit["law"] is None
    share = re.search(r"always saying 'N' \((0\.\d+)\)", fit["refused"])
    assert share
    assert 0.4 < float(share[1]) < 0.6
