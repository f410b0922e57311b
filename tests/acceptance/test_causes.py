"""Why an environment lost its episodes and a check its answers: named where people look, with the user's own line."""

import re
from typing import Any

import pytest

from tests.acceptance.command import Desk

ENVIRONMENT = """
import json
from sweeps.environments import EpisodeShape, Turn

class Shop:
    version, shape, stop = 1, EpisodeShape((1, 1), (1, 2)), ()
    def episode(self, seed, split):
        return Visit(seed, split)

class Visit:
    prompt = "so: "
    def __init__(self, seed, split):
        self.seed, self.split = seed, split
    def step(self, action):
        {body}
"""
ALWAYS = 'return Turn("", json.loads("{no json"), True)'  # raised in a module of Python
SOMETIMES = 'return Turn("", float("inf") if self.seed % 8 == 1 else 0.5, True)'
NEVER_FINITE = 'return Turn("", float("nan"), True)'
CHECK = """
def precision(said, answers):
    if answers == ["a1"]:
        return 1 / 0
    return said in answers
"""
PLAYED = """
sweep: {name}
experiment: grid
model: offline/ngram-s
train: {{method: rl, environment: "{module}:Shop", rank: 2, learning_rate: 0.01, groups: 4, group_size: 4, steps: 2}}
seeds: 1
evaluate: [task_completion: {{environment: "{module}:Shop", episodes: 16}}]
"""
CHECKED = """
sweep: checked
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 2, learning_rate: 0.01, batch_size: 2, steps: 2}
data: {mine: {source: mine.jsonl, holdout: held.jsonl}}
seeds: 1
evaluate: [answers: {check: "ratio_checks:precision", most: 2}]
"""
BODIES = {"breaks": ALWAYS, "bends": SOMETIMES, "blurs": NEVER_FINITE}


def list_causes(desk: Desk, name: str) -> list[dict[str, Any]]:
    causes: list[dict[str, Any]] = desk.call("-f", "json", "status", name).json["causes"]
    return causes


@pytest.mark.timeout(300)
def test_what_other_peoples_code_lost_is_named_in_run_and_status(home_desk: Desk) -> None:
    for name, body in BODIES.items():
        home_desk.write(f"my_{name}.py", ENVIRONMENT.replace("{body}", body))
        home_desk.write(f"{name}.yaml", PLAYED.format(name=name, module=f"my_{name}"))
    home_desk.write("ratio_checks.py", CHECK)
    for part, first in (("mine", 10), ("held", 0)):
        rows = (f'{{"question": "q{at}? ", "answer": "a{at}"}}\n' for at in range(first, first + 6))
        home_desk.write(f"{part}.jsonl", "".join(rows))
    home_desk.write("checked.yaml", CHECKED)
    done = home_desk.call("run", *(f"{name}.yaml" for name in (*BODIES, "checked")))
    assert done.status == 1

    (broke,) = list_causes(home_desk, "breaks")
    assert (broke["kind"], broke["name"]) == ("environment", "my_breaks:Shop")
    assert (broke["lost"], broke["among"]) == (32, 32), "of a training and of the untrained model"
    assert (broke["failed_stages"], broke["stages"]) == (2, 2)
    line = ENVIRONMENT.partition("{body}")[0].count("\n") + 1
    place = rf"\(my_breaks\.py, line {line}, in decoder\.py, line \d+\)"
    assert re.search(f"raised JSONDecodeError: .* {place}", broke["cause"])
    (blurred,) = list_causes(home_desk, "blurs")
    assert (blurred["lost"], blurred["failed_stages"], "nan" in blurred["cause"]) == (32, 2, True)
    (bent,) = list_causes(home_desk, "bends")
    assert 0 < bent["lost"] < bent["among"] / 2
    assert (bent["failed_stages"], "inf" in bent["cause"]) == (0, True)
    assert re.search(r"seed \d+", bent["first"])
    (checked,) = list_causes(home_desk, "checked")
    assert (checked["kind"], checked["name"], checked["lost"], checked["among"]) == (
        "check",
        "ratio_checks:precision",
        2,
        12,
    )
    assert re.search(r"raised ZeroDivisionError: .* \(ratio_checks\.py, line 4\)", checked["cause"])

    failed, others = done.err, done.out
    for cause, expected in ((broke, failed), (blurred, failed), (bent, others), (checked, others)):
        sweep = next(name for name in (*BODIES, "checked") if cause in list_causes(home_desk, name))
        for text in (expected, home_desk.call("status", sweep).out):
            words = " ".join(text.split())
            for fact in (cause["name"], cause["cause"], f"{cause['lost']} of {cause['among']}"):
                assert fact in words, (sweep, fact)
