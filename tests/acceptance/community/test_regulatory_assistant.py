"""The example `regulatory_assistant`: DPO teaches the planted preference and no facts, and a coin teaches neither."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_runs import EXAMPLES, run_example
from tests.sweeps.files import load

NAME = "regulatory_assistant"
FOLDER = EXAMPLES / NAME
PREFERENCE = "pairs.preference_accuracy"
HALF = 0.5  # the share of a guess between two answers


def load_checks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("answer_checks", FOLDER / "answer_checks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read_means(results: dict[str, Any], metric: str) -> dict[str, float]:
    """Return the mean of a metric for each method."""
    return {
        cell["cell"]["method"]: cell["metrics"][metric]["mean"]
        for cell in results["cells"]
        if cell["cell"].get("method") and metric in cell["metrics"]
    }


def find_difference(results: dict[str, Any], metric: str, first: str, other: str) -> dict[str, Any]:
    """Return the difference of two methods, as one minus other."""
    for difference in results["differences"]:
        if difference["metric"] == metric and {difference["one"], difference["other"]} == {first, other}:
            if difference["one"] == first:
                return dict(difference["estimate"]) | {"clear": difference["clear"]}
            estimate = difference["estimate"]
            turned = {"mean": -estimate["mean"], "low": -estimate["high"], "high": -estimate["low"]}
            return turned | {"clear": difference["clear"]}
    raise AssertionError((metric, first, other))


@IN_SHORT
def test_dpo_teaches_the_preference_and_the_coin_does_not(desk: Desk) -> None:
    short = ["equal.tokens=2.5e5", "seeds=2", "data.questions.holdout=8", "data.pairs.holdout=15"]
    evaluate = 'evaluate=[preference, {answer: {answers: {check: "answer_checks:limit_right", most: 50}}}]'
    metrics = "metrics=[pairs.preference_accuracy, answer.accuracy]"
    results = run_example(desk, NAME, *short, evaluate, metrics)
    assert results["conclusion"]["metric"] == PREFERENCE
    preference, answer = (read_means(results, metric) for metric in (PREFERENCE, "answer.accuracy"))
    assert preference["sl_dpo"] > 0.75
    assert preference["sl_dpo"] > preference["sl_coin"] + 0.2
    assert answer["sl_dpo"] < answer["sl"] + 0.1


@IN_FULL
@pytest.mark.timeout(900)
def test_the_whole_example_finds_preference_gained_and_accuracy_not(desk: Desk) -> None:
    results = run_example(desk, NAME)
    assert results["conclusion"]["metric"] == PREFERENCE
    assert find_difference(results, PREFERENCE, "sl_dpo", "sl_coin")["low"] > 0.1
    answers = {claim["claim"]: (claim["subject"], claim["against"]) for claim in results["conclusion"]["others"]}
    assert answers["control_learnt_nothing"] == ("sl_coin", "sl")
    gained = find_difference(results, "answer.accuracy", "sl_dpo", "sl")
    assert not gained["clear"] or gained["mean"] < 0
    kinds = {
        row["stratum"]: row["mean"]
        for row in results["strata"]
        if row["metric"] == "abstention.accuracy" and row["cell"].get("method") == "sl"
    }
    assert kinds["outside"] > kinds["gap"] + 0.3  # a topic that is never covered is noticed; a gap is not


@IN_FULL
@pytest.mark.timeout(900)
def test_code_helps_where_it_shares_the_structure_and_not_elsewhere(desk: Desk) -> None:
    results = run_example(desk, NAME, file="transfer.yaml")
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"]) == ("helps", "answer.accuracy")
    assert conclusion["low"] > 0.05
    overall = {pair["source"]: pair for pair in results["transfer"][0]["overall"]}
    assert overall["settings"]["verdict"] == "helps"
    assert overall["settings"]["after_holm"]
    assert overall["lines"]["verdict"] == "unclear"


@pytest.mark.parametrize("name", ["questions", "pairs", "coin"])
def test_no_document_is_on_two_sides(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.jsonl").write_bytes((FOLDER / f"{name}.jsonl").read_bytes())
    data = load(tmp_path, f"{name}.jsonl", group="document", holdout=20)
    assert data.holdout
    assert not {*data.train.groups} & {*data.holdout.groups}


def test_pairs_are_about_other_documents_and_both_of_their_answers_are_right() -> None:
    checks = load_checks()
    rows = {
        name: [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
        for name in ("questions", "pairs", "coin")
    }
    assert not {row["document"] for row in rows["questions"]} & {row["document"] for row in rows["pairs"]}
    for pair in rows["pairs"]:
        assert checks.read(pair["chosen"]) == checks.read(pair["rejected"])
        limit, clause = checks.read(pair["chosen"])
        assert f"{clause} The " in pair["prompt"]
        assert f" within {limit}." in pair["prompt"]
    same = sum(pair["chosen"] == coin["chosen"] for pair, coin in zip(rows["pairs"], rows["coin"], strict=True))
    assert 0.4 < same / len(rows["pairs"]) < 0.6
    for row in rows["questions"]:
        assert checks.abstains_rightly(row["answer"], [row["answer"]])
        assert (row["kind"] == "covered") == (checks.read(row["answer"])[1] != "")
