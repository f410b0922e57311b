"""The example `rag_decision_support` finds what each kind of training rows does; its twin finds nothing."""

import json
from typing import Any

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT
from tests.acceptance.community.example_results import find_difference, read_means
from tests.acceptance.community.example_runs import EXAMPLES, run_example

FOLDER = EXAMPLES / "rag_decision_support"
NO_CLAIMS = {"no_clear_difference", "nothing_learnt"}


def read_rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def test_no_device_that_is_asked_about_is_in_a_file_that_is_learnt_from() -> None:
    """The field's law: a held-out question is about a document that was never read in training."""
    asked = {row["question"].split("about ")[1].rstrip(": ") for row in read_rows("book.jsonl")}
    assert len(asked) == 32
    for file in sorted(FOLDER.glob("*.jsonl")):
        if file.name != "book.jsonl":
            assert not [device for device in asked if device in file.read_text()], file.name


def test_every_right_answer_is_in_its_passage_and_in_no_other() -> None:
    for row in read_rows("book.jsonl"):
        assert row["answer"] in row["context"]
        assert not [text for text in row["distractors"] if row["answer"] in text]


def test_the_three_kinds_of_rows_are_of_the_same_questions() -> None:
    forms = [read_rows(f"manual_{form}.jsonl") for form in ("closed", "passages", "grounded")]
    asked = [[row["prompt"].splitlines()[-1] for row in rows] for rows in forms]
    assert asked[0] == asked[1] == asked[2]
    unanswered = [sum(row["completion"] == "unknown" for row in rows) for rows in forms]
    assert unanswered[:2] == [0, 0]
    assert unanswered[2] > 60


@IN_SHORT
def test_rows_without_passages_destroy_reading(desk: Desk) -> None:
    """Reduced: the model before against the one after questions without passages."""
    reader = "{method: sl, data: office, rank: 16, batch_size: 16, learning_rate: 0.02}"
    closed = "{method: sl, data: closed, rank: 16, batch_size: 16, learning_rate: 0.02, compared: false}"
    chain = "{then: [{reader: 0.7}, {closed: 0.3}]}"
    results = run_example(
        desk,
        "rag_decision_support",
        f"methods={{reader: {reader}, closed: {closed}, after_closed: {chain}}}",
        "data={book: {source: book.jsonl, holdout: 12}, office: {source: office.jsonl, holdout: 10}, "
        "closed: {source: manual_closed.jsonl, holdout: 10}}",
        "evaluate=[{rag: {most: 28}}]",
        "metrics=[mixed]",
    )
    means = read_means(results, "mixed")
    assert means["reader"] > 0.7
    assert means["after_closed"] < 0.2
    assert max(read_means(results, "closed_book").values()) == 0, "facts drawn by chance cannot be known"
    conclusion = results["conclusion"]
    assert conclusion["metric"] == "mixed"
    assert (conclusion["claim"], conclusion["subject"], conclusion["against"]) == ("worse", "after_closed", "reader")
    assert conclusion["high"] < -0.3


@IN_SHORT
def test_the_null_twin_claims_nothing(desk: Desk) -> None:
    conclusion = run_example(
        desk, "rag_decision_support", "data.book.holdout=12", "equal={tokens: 6e4}", "seeds=2", file="null.yaml"
    )["conclusion"]
    assert conclusion["claim"] in NO_CLAIMS, conclusion


@IN_FULL
def test_what_is_read_in_training_decides(desk: Desk) -> None:
    results = run_example(desk, "rag_decision_support")
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"]) == ("worse", "mixed")
    assert (conclusion["subject"], conclusion["against"]) == ("after_closed", "reader")
    fallen = {(claim["subject"], claim["metric"]) for claim in conclusion["others"] if claim["claim"] == "worse"}
    assert ("after_closed", "cites.mixed") in fallen
    assert ("after_passages", "abstention") not in fallen, "its seeds differ too much"
    assert "one_of_several" in conclusion["caveats"]
    assert max(read_means(results, "closed_book").values()) == 0
    for metric in ("mixed", "cites.mixed"):
        hurt = find_difference(results, metric, "after_closed", "reader")
        assert hurt["mean"] < -0.5
        assert hurt["after_holm"], metric
    abstention, precision = (read_means(results, name) for name in ("abstention", "abstention_precision"))
    invented = read_means(results, "false_answers")
    assert min(abstention["reader"], abstention["after_grounded"], precision["after_grounded"]) > 0.8
    assert invented["after_grounded"] < invented["reader"] < 0.5 < invented["after_passages"]
