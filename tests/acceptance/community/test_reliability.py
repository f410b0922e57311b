"""The example `reliability` finds the recipe that loses calibration; of labels by a coin it claims nothing."""

import json
import re
from collections import Counter
from typing import Any

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_results import find_difference, read_means
from tests.acceptance.community.example_runs import EXAMPLES, run_example

FOLDER = EXAMPLES / "reliability"
NO_CLAIMS = {"no_clear_difference", "nothing_learnt", "at_chance", "at_majority"}
BY_CHOICE = "evaluate=[{answers: {check: choice}}]"
SL = "method: sl, data: messages, rank: 16, batch_size: 8, learning_rate: 0.01"
RL = (
    'rl: {method: rl, environment: "environment:Triage", rank: 16, groups: 16, group_size: 4, learning_rate: 0.01, '
    "compared: false}"
)
START = f"start: {{{SL}, compared: false}}"
TWO = f"methods={{{START}, {RL}, sl: {{{SL}}}, sl_rl: {{then: [{{start: 0.4}}, {{rl: 0.6}}]}}}}"


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def read_room(row: dict[str, Any]) -> str:
    return str(re.findall(r"[0-9]{4}", str(row["question"]))[0])


def test_no_room_that_is_asked_about_is_learnt_from() -> None:
    learnt, asked = ({read_room(row) for row in read_rows(name)} for name in ("messages.jsonl", "messages_asked.jsonl"))
    assert not learnt & asked
    assert (len(learnt), len(asked)) == (4800, 160)


def test_of_each_topic_three_of_four_messages_have_its_usual_label() -> None:
    """What is planted, in what is learnt and in what is asked: nobody can be right more often, or surer."""
    for name in ("messages.jsonl", "messages_asked.jsonl"):
        counts = Counter(
            (topic, row["answer"])
            for row in read_rows(name)
            for topic in ("fire", "leak", "noise", "dust")
            if topic in row["question"]
        )
        assert len(counts) == 8
        for topic, label in (("fire", "urgent"), ("leak", "urgent"), ("noise", "routine"), ("dust", "routine")):
            assert 4 * counts[topic, label] == 3 * sum(counts[topic, other] for other in ("urgent", "routine"))


def test_the_pairs_have_the_labels_of_the_messages() -> None:
    messages, pairs = read_rows("messages.jsonl"), read_rows("pairs.jsonl")
    assert [(row["question"], row["answer"]) for row in messages] == [(row["prompt"], row["chosen"]) for row in pairs]


@IN_SHORT
def test_rewards_lose_calibration_and_know_no_more(desk: Desk) -> None:
    """Reduced: SL against SL → RL by the probabilities of the labels."""
    results = run_example(desk, "reliability", TWO, BY_CHOICE, "metrics=[ece, brier]", "seeds=2")
    accuracy = read_means(results, "accuracy")
    for metric, least in (("ece", 0.08), ("brier", 0.01)):
        assert find_difference(results, metric, "sl_rl", "sl")["mean"] > least, metric
    assert min(accuracy["sl"], accuracy["sl_rl"]) > 0.7
    assert max(accuracy["sl"], accuracy["sl_rl"]) < 0.8, "nobody can know more than three of four"
    assert results["conclusion"]["metric"] == "ece"


@IN_SHORT
def test_of_a_coins_labels_nothing_is_claimed(desk: Desk) -> None:
    cut = [TWO, BY_CHOICE, "metrics=[accuracy]", "seeds=2", "equal={tokens: 5e4}"]
    conclusion = run_example(desk, "reliability", *cut, make=["coin"])["conclusion"]
    assert conclusion["claim"] in NO_CLAIMS, conclusion


@IN_FULL
def test_rewards_gain_accuracy_and_lose_calibration(desk: Desk) -> None:
    results = run_example(desk, "reliability")
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"], conclusion["against"]) == ("worse", "ece", "sl")
    assert {conclusion["subject"], conclusion["others"][0]["subject"]} == {"sl_rl", "sl_dpo"}
    assert conclusion["high"] < -0.02
    assert "one_of_several" in conclusion["caveats"]
    for metric, least in (("ece", 0.1), ("adaptive_ece", 0.05), ("brier", 0), ("said.accuracy", 0.03)):
        difference = find_difference(results, metric, "sl_rl", "sl")
        assert difference["mean"] > least, metric
        assert difference["after_holm"], metric
    assert find_difference(results, "said.agreement", "sl_rl", "sl")["mean"] > 0.08
    assert abs(find_difference(results, "accuracy", "sl_rl", "sl")["mean"]) < 0.03, "it knows no more"
