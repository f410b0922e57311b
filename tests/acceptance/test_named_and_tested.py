"""Evaluations with names of the user's, two environments and two test sets in one sweep, from the file to each face."""

import csv
import io
import json
import re
from typing import Any

import pytest

from sweeps.evaluation.registry import find_metric
from tests.acceptance.command import Desk, until

SPEC = """
sweep: hospitals
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.05, batch_size: 8, steps: 12}
data:
  ecg:
    source: windows.jsonl
    holdout: 24
    tests: {new_hospital: other.jsonl, letters: letters.txt}
sizes: [64]
seeds: 2
evaluate:
  - nll
  - rhythm: {answers: {check: choice}}
  - short: {answers: {check: "my_checks:begins", most: 2}}
  - sums: {task_completion: {environment: "offline:arithmetic", episodes: 8}}
  - tools: {task_completion: {environment: "offline:tool_use", episodes: 8}}
target: {metric: rhythm.accuracy, above: 0.9}
"""
CHECK = """
def begins(said: str, answers: list[str]) -> bool:
    return said.strip()[:1] == answers[0][:1]
"""
MEASURED = {"", "new_hospital.", "letters."}


def write_files(desk: Desk) -> None:
    """A window ends in a mark of its class; at the other hospital half of the marks are wrong."""

    def write(name: str, count: int, start: int, turned: int) -> None:
        rows = []
        for at in range(start, start + count):
            answers = ("no.", "af.") if at % turned else ("af.", "no.")
            answer = answers[at % 3 == 0]
            mark = "ab"[at % 3 == 0]
            rows.append({"question": f"w{at * 7919 % 9973:04} {mark}=", "answer": answer})
        desk.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    write("windows.jsonl", 160, 0, 10**9)
    write("other.jsonl", 30, 500, 2)
    desk.write("letters.txt", "\n\n".join(f"Dear doctor {at}, the patient has no. {at}" for at in range(12)))
    desk.write("my_checks.py", CHECK)
    desk.write("hospitals.yaml", SPEC)


@pytest.fixture
def measured(home_desk: Desk) -> Desk:
    write_files(home_desk)
    done = home_desk.call("run", "hospitals.yaml")
    assert done.status == 0, done.err
    return home_desk


def check_plan(plan: dict[str, Any]) -> None:
    """One stage for each evaluation on each of its places, and what does not fit is said."""
    measures = {measure for run in plan["runs"] for measure in run["evaluations"]}
    on_data = {f"{place}{name}" for place in MEASURED for name in ("nll", "rhythm.answers", "short.answers")}
    left_out = {f"letters.{name}.answers" for name in ("rhythm", "short")}
    assert measures == on_data - left_out | {"sums.task_completion", "tools.task_completion"}
    assert {(omission["evaluation"], omission["on"]) for omission in plan["left_out"]} == {
        ("rhythm", "ecg letters"),
        ("short", "ecg letters"),
    }
    for name in ("rhythm", "short"):
        assert any(note.startswith(f"{name} is not measured on ecg letters") for note in plan["notes"])
    assert any("tests.new_hospital" in note and "30 rows" in note for note in plan["notes"])
    stages = [run["evaluations"] for run in plan["runs"]]
    assert all(len({*ids.values()}) == len(ids) for ids in stages)


def check_results(results: dict[str, Any]) -> None:
    """Each name has its own metrics, and the table of test sets has those of the rows."""
    trained = [run["metrics"] for run in results["runs"] if run["cell"]["size"] == 64]
    assert len(trained) == 2
    for metrics in trained:
        assert metrics["rhythm.accuracy"] != metrics["new_hospital.rhythm.accuracy"]
        assert {"rhythm.macro_f1", "rhythm.f1_no", "short.accuracy", "short.unchecked_answers"} <= metrics.keys()
        assert {"sums.task_completion", "tools.task_completion", "sums.turns", "letters.nll"} <= metrics.keys()
        assert not {"accuracy", "task_completion", "letters.rhythm.accuracy", "short.macro_f1"} & metrics.keys()
    estimates = {
        (estimate["test"], estimate["metric"], estimate["cell"]["size"]): estimate for estimate in results["tests"]
    }
    assert {test for test, metric, _ in estimates if metric == "nll"} == {"holdout", "new_hospital", "letters"}
    assert {test for test, metric, _ in estimates if metric == "rhythm.accuracy"} == {"holdout", "new_hospital"}
    for test, prefix in (("holdout", ""), ("new_hospital", "new_hospital."), ("letters", "letters.")):
        estimate = estimates[test, "nll", 64]
        assert estimate["mean"] == pytest.approx(sum(metrics[f"{prefix}nll"] for metrics in trained) / 2)
        assert estimate["low"] <= estimate["mean"] <= estimate["high"]
    for metric in ("rhythm.f1_no", "rhythm.auroc", "rhythm.macro_f1", "rhythm.ece", "short.accuracy"):
        for test, prefix in (("holdout", ""), ("new_hospital", "new_hospital.")):
            estimate = estimates[test, metric, 64]
            mean = sum(metrics[f"{prefix}{metric}"] for metrics in trained) / 2
            assert estimate["mean"] == pytest.approx(mean, abs=1e-9)
            assert estimate["low"] is None or estimate["low"] <= estimate["mean"] <= estimate["high"]
    assert estimates["new_hospital", "rhythm.accuracy", 64]["items"] == 30
    assert estimates["holdout", "rhythm.accuracy", 64]["items"] == 24
    assert [omission["evaluation"] for omission in results["left_out"]] == ["rhythm", "short"]
    assert {"rhythm.accuracy", "new_hospital.rhythm.accuracy"} <= {change["metric"] for change in results["changes"]}
    assert {matrix["measure"] for matrix in results["confusion"]} == {"rhythm.answers", "new_hospital.rhythm.answers"}


def check_faces(desk: Desk, results: dict[str, Any]) -> None:
    page, text = desk.folder / "page.html", desk.folder / "page.md"
    assert desk.call("report", "hospitals", "-o", str(page)).status == 0
    assert desk.call("report", "hospitals", "--format", "md", "-o", str(text)).status == 0
    shown = desk.call("results", "hospitals").out
    means = [
        f"{estimate['mean']:.4f}"
        for estimate in results["tests"]
        if estimate["cell"]["size"] == 64 and not ((known := find_metric(estimate["metric"])) and known.detail)
    ]
    assert len(means) > 10
    for face in (shown, page.read_text(), text.read_text()):
        assert [mean for mean in means if mean not in face] == []
        assert "rhythm.accuracy" in face
        assert re.search(r"rhythm[\w, ]* on ecg letters", face), "what does not suit is named"
    rows = list(csv.DictReader(io.StringIO(desk.call("export", "hospitals").out)))
    assert {"rhythm.accuracy", "new_hospital.short.accuracy", "tools.reward"} <= rows[0].keys()

    samples = desk.call("-f", "json", "samples", "hospitals").json
    assert {"rhythm.answers", "short.answers", "new_hospital.short.answers", "sums.task_completion"} <= {
        evaluation["measure"] for evaluation in samples["evaluations"]
    }
    chosen = desk.call("-f", "json", "samples", "hospitals", "--metric", "new_hospital.rhythm.accuracy").json
    assert [evaluation["measure"] for evaluation in chosen["evaluations"]] == ["new_hospital.rhythm.answers"]
    asked = {prompt["question"] for sample in chosen["evaluations"][0]["worst"] for prompt in sample["prompts"]}
    there = (desk.folder / "other.jsonl").read_text()
    assert asked
    assert [question for question in asked if json.dumps(question) not in there] == []


def test_two_named_evaluations_two_environments_and_two_test_sets_in_one_sweep(measured: Desk) -> None:
    check_plan(measured.call("-f", "json", "plan", "hospitals.yaml").json)
    results = measured.call("-f", "json", "results", "hospitals").json
    assert {run["state"] for run in results["runs"]} == {"succeeded"}
    check_results(results)
    check_faces(measured, results)

    # Other names for the same evaluations: nothing is measured again.
    renamed = SPEC.replace("hospitals", "renamed").replace("rhythm", "beat").replace("short:", "first:")
    measured.write("renamed.yaml", renamed)
    assert measured.call("run", "renamed.yaml").status == 0
    again = measured.call("-f", "json", "results", "renamed").json
    status = measured.call("-f", "json", "status", "renamed").json
    assert [row["tokens"] for row in status["sweeps"] if row["sweep"] == "renamed"] == [0]
    names = {"beat.": "rhythm.", "first.": "short."}
    for old, new in zip(results["runs"], again["runs"], strict=True):
        metrics = dict(new["metrics"])
        for name, before in names.items():
            metrics = {key.replace(name, before): value for key, value in metrics.items()}
        assert metrics == old["metrics"]
        assert new["stage"] == old["stage"]


PROSE = """
sweep: prose
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.05, batch_size: 4, steps: 8}
data: {prose: {source: prose.txt, holdout: 6}}
sizes: [16]
seeds: 1
"""


def test_what_was_trained_on_text_is_asked_questions_afterwards(fleet_desk: Desk) -> None:
    fleet_desk.write("prose.txt", "\n\n".join(f"hut {at % 10}=b{at % 10}. {at}" for at in range(40)))
    asked = [{"question": f"hut {at}=", "answer": f"b{at}."} for at in range(10)]
    fleet_desk.write("quiz.jsonl", "".join(json.dumps(row) + "\n" for row in asked))
    fleet_desk.write("prose.yaml", PROSE)
    assert fleet_desk.call("run", "prose.yaml").status == 0
    refused = fleet_desk.call("evaluate", "prose", "answers")
    assert refused.status == 1
    for fact in ("data.prose", "answers", "text records"):
        assert fact in refused.err
    wrong = fleet_desk.call("evaluate", "prose", "answers", "data.prose.source=other.txt")
    assert wrong.status == 1
    assert "data" in wrong.err
    quiz = ("{quiz: {answers: {most: 3}}}", "data.prose.tests={hard: quiz.jsonl}", "--as", "asked")
    done = fleet_desk.call("evaluate", "prose", *quiz)
    assert done.status == 0, done.err

    def is_finished() -> bool:
        (row,) = fleet_desk.call("-f", "json", "status", "asked").json["sweeps"]
        return bool(row["state"] == "finished")

    until(is_finished, "asked to be finished", seconds=120)
    again = fleet_desk.call("evaluate", "prose", *quiz).out
    assert "sweep results asked" in again
    assert "sweep up" not in again, "nothing is left to run"
    results = fleet_desk.call("-f", "json", "results", "asked").json
    assert {omission["on"] for omission in results["left_out"]} == {"prose"}
    for run in results["runs"]:
        assert "hard.quiz.accuracy" in run["metrics"]
        assert "quiz.accuracy" not in run["metrics"]
    before = fleet_desk.call("-f", "json", "results", "prose").json
    assert [run["stage"] for run in results["runs"]] == [run["stage"] for run in before["runs"]]
    assert {estimate["test"] for estimate in results["tests"]} == {"hard"}
    assert "hard.quiz.accuracy" in fleet_desk.call("results", "asked").out.partition("Which")[0]
    assert [fit["metric"] for fit in results["fits"]] == ["hard.quiz.accuracy"]
