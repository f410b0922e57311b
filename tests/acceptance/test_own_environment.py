"""An environment of the user's own, from its demonstrations to the comparison: what an agent did, in each regime."""

import json
import os
from typing import Any

import pytest

from tests.acceptance.command import Desk

pytestmark = pytest.mark.skipif(os.environ.get("METHODS") != "all", reason="a minute of training: METHODS=all")

CALLS = '''
"""Call the tool that the last digit asks for: `o` for odd, `e` for even. A wrong call meets an error."""

import random

from sweeps.environments import EpisodeShape, Turn


class Call:
    def __init__(self, seed, split):
        dice = random.Random(f"{split} {seed}")
        numbers = [n for n in range(1000, 10000) if (n // 10 % 4 == 0) == (split == "test")]
        self.number = dice.choice(numbers)
        self.prompt, self.calls, self.errors = f"item {self.number}: call ", 0, 0

    def expert(self):
        return "eo"[self.number % 2]

    def step(self, action):
        self.calls += 1
        right = action.strip() == self.expert()
        self.errors += not right
        done = right or self.calls == 3
        facts = {"solved": float(right), "errors": self.errors, "calls": self.calls, "fewest_calls": 1,
                 "regime": ("even", "odd")[self.number % 2]}
        if self.errors:
            facts["recovered"] = float(right)
        return Turn("" if done else f" error {self.number}: call ", float(right) / self.calls, done, facts)


class Calls:
    version, stop = 1, ()
    shape = EpisodeShape(turns=(1, 3), action=(1, 1), observation=(18, 20))

    def episode(self, seed, split):
        return Call(seed, split)
'''
SPEC = """
sweep: calls
experiment: compare
model: offline/ngram-s
equal: {examples: 800}
methods:
  sl: {method: sl, data: demos, rank: 16, learning_rate: 0.05, batch_size: 16}
  rl: {method: rl, environment: "calls:Calls", rank: 16, learning_rate: 0.05, groups: 16, group_size: 4}
  both: {then: [{sl: 0.25}, {rl: 0.75}]}
data: {demos: {source: demos.jsonl, holdout: 40}}
seeds: 2
evaluate: [nll, {task_completion: {environment: "calls:Calls", episodes: 80}}]
metrics: [task_completion, recovery_rate, calls_over_fewest, {episode.errors: min}]
"""
NAMED = ["task_completion", "recovery_rate", "calls_over_fewest", "episode.errors"]


@pytest.fixture
def compared(desk: Desk) -> Desk:
    desk.write("calls.py", CALLS)
    desk.write("calls.yaml", SPEC)
    played = desk.sweep("-f", "json", "play", "calls:Calls", "--demos", "200", "-o", "demos.jsonl", "--episodes", "4")
    assert (played.status, played.json["demos"]["rows"]) == (0, 200), played.err
    done = desk.sweep("run", "calls.yaml")
    assert done.status == 0, done.err
    return desk


def read_means(results: dict[str, Any]) -> dict[str | None, dict[str, float]]:
    """The mean of each metric by method."""
    return {
        cell["cell"]["method"]: {name: estimate["mean"] for name, estimate in cell["metrics"].items()}
        for cell in results["cells"]
    }


def check_lengths(plan: dict[str, Any]) -> None:
    """A quarter of the 800 examples of `both` is imitation, in steps of 16; the rest are iterations of 16 tasks."""
    both = {run["stage"] for run in plan["runs"] if run["cell"]["method"] == "both"}
    stages = {stage["id"]: stage for stage in plan["stages"]}
    for stage in both:
        (parent,) = stages[stage]["parents"]
        assert (stages[parent]["steps"], stages[stage]["steps"]) == (round(200 / 16), round(600 / 16))


def test_demonstrations_are_the_arm_of_a_comparison_and_what_agents_did_is_told_by_regime(compared: Desk) -> None:
    check_lengths(compared.call("-f", "json", "plan", "calls.yaml").json)
    results = compared.call("-f", "json", "results", "calls").json
    means = read_means(results)
    assert means["sl"]["task_completion"] > means[None]["task_completion"] + 0.3, "imitation was learnt"
    assert means["sl"]["episode.errors"] < means[None]["episode.errors"]
    assert list(dict.fromkeys(difference["metric"] for difference in results["differences"])) == NAMED

    regimes = {
        (stratum["metric"], stratum["stratum"]) for stratum in results["strata"] if stratum["column"] == "regime"
    }
    assert {("task_completion", "even"), ("task_completion", "odd"), ("recovery_rate", "odd")} <= regimes
    for stratum in (stratum for stratum in results["strata"] if stratum["metric"] == "task_completion"):
        assert stratum["low"] is None or stratum["low"] <= stratum["mean"] <= stratum["high"]

    shown = compared.call("results", "calls").out
    page = compared.folder / "page.html"
    assert compared.call("report", "calls", "-o", str(page)).status == 0
    text = compared.folder / "page.md"
    assert compared.call("report", "calls", "--format", "md", "-o", str(text)).status == 0
    for face in (shown, page.read_text(), text.read_text()):
        assert "Results by regime" in face
        assert all(name in face for name in NAMED)
    head = shown[: shown.index("recovery_rate")]
    assert "nll" not in head, "the table shows the metrics that the file names, first to last"
    header = compared.call("-f", "csv", "results", "calls").out.partition("\n")[0].split(",")
    assert {*NAMED, "nll", "turns"} <= {*header}, "programs get all of them"


def test_each_row_of_the_demonstrations_is_an_episode_that_the_expert_solved(desk: Desk) -> None:
    desk.write("calls.py", CALLS)
    played = desk.sweep("play", "calls:Calls", "--demos", "20", "-o", "demos.jsonl", "--episodes", "2")
    assert played.status == 0, played.err
    rows = [json.loads(line) for line in (desk.folder / "demos.jsonl").read_text().splitlines()]
    assert len(rows) == 20
    for row in rows:
        prompt, action = row["parts"]
        assert (prompt["loss"], action["loss"]) == (False, True)
        assert action["text"] == "eo"[int(prompt["text"].split()[1][:-1]) % 2]
