"""The example `reliability` finds the recipe that loses calibration; of labels by a coin it claims nothing."""

import json
from typing import Any

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_results import find_difference, read_means
from tests.acceptance.community.example_runs import EXAMPLES, run_example

FOLDER = EXAMPLES / "reliability"
NO_CLAIMS = {"no_clear_difference", "nothing_learnt", "at_chance", "at_majority"}
BY_CHOICE = "evaluate=[{answers: {check: choice}}]"
START = "start: {method: sl, data: messages, rank: 16, batch_size: 16, learning_rate: 0.02, compared: false}"
SL = "sl: {method: sl, data: messages, rank: 16, batch_size: 16, learning_rate: 0.02}"
RL = (
    'rl: {method: rl, environment: "environment:Triage", rank: 16, groups: 16, group_size: 4, learning_rate: 0.01, '
    "compared: false}"
)
TWO = f"methods={{{START}, {RL}, {SL}, sl_rl: {{then: [{{start: 0.1}}, {{rl: 0.9}}]}}}}"


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def read_room(row: dict[str, Any]) -> str:
    return next(word for word in str(row["question"]).split() if word.isdecimal())


def test_no_room_that_is_asked_about_is_learnt_from() -> None:
    learnt, asked = ({read_room(row) for row in read_rows(name)} for name in ("messages.jsonl", "messages_asked.jsonl"))
    assert not learnt & asked
    assert (len(learnt), len(asked)) == (1600, 300)


def test_the_pairs_have_the_labels_of_the_messages() -> None:
    messages, pairs = read_rows("messages.jsonl"), read_rows("pairs.jsonl")
    assert [(row["question"], row["answer"]) for row in messages] == [(row["prompt"], row["chosen"]) for row in pairs]


@IN_SHORT
def test_rewards_lose_calibration_and_no_accuracy(desk: Desk) -> None:
    """Reduced: SL against SL → RL by the probabilities of the labels."""
    results = run_example(desk, "reliability", TWO, BY_CHOICE, "metrics=[ece, brier]", "seeds=2", "equal={tokens: 1e5}")
    accuracy = read_means(results, "accuracy")
    assert find_difference(results, "ece", "sl_rl", "sl")["mean"] > 0
    assert min(accuracy["sl"], accuracy["sl_rl"]) > 0.72, "both know what the clerk mostly does"
    assert results["conclusion"]["metric"] == "ece"


@IN_SHORT
def test_of_a_coins_labels_nothing_is_claimed(desk: Desk) -> None:
    cut = [TWO, BY_CHOICE, "metrics=[accuracy]", "seeds=2", "equal={tokens: 5e4}"]
    conclusion = run_example(desk, "reliability", *cut, make=["coin"])["conclusion"]
    assert conclusion["claim"] in NO_CLAIMS, conclusion


@IN_FULL
def test_the_full_form_keeps_the_calibrated_recipe_apart(desk: Desk) -> None:
    results = run_example(desk, "reliability", wait=900)
    conclusion = results["conclusion"]
    assert (conclusion["metric"], "one_of_several" in conclusion["caveats"]) == ("ece", True)
    for metric in ("ece", "adaptive_ece"):
        difference = find_difference(results, metric, "sl_rl", "sl")
        assert difference["mean"] > 0
        assert difference["after_holm"], metric
    for metric in ("said.accuracy", "said.agreement"):
        difference = find_difference(results, metric, "sl_rl", "sl")
        assert difference["mean"] > 0
        assert difference["clear"], metric
