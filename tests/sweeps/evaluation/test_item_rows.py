"""The rows of items: written and read back, files of earlier versions, and what is no row."""

import gzip
import json
import math
from typing import Any

import pytest

from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ModelAnswer, ScoredAnswers
from sweeps.evaluation.item_rows import ItemRow, cluster_by_passage, read_rows, write_rows
from sweeps.evaluation.registry import EVALUATORS
from sweeps.records import Records
from sweeps.stats.paired_items import compare_items, read_scores

ROWS = [
    ItemRow(0, {"accuracy": 1.0, "confidence": 0.5}, "passage", {"said": ["a", "b"], "failed": "why"}),
    ItemRow("q1", {"nll": 3.5, "tokens": 2}),
]


def test_rows_are_read_back_as_they_were_written() -> None:
    content = write_rows(ROWS)
    assert read_rows(content) == ROWS
    assert write_rows(read_rows(content)) == content
    assert read_rows(gzip.decompress(content)) == ROWS
    assert [row.details for row in read_rows(content, details=False)] == [{}, {}]
    assert [row.values for row in read_rows(content, details=False)] == [row.values for row in ROWS]


def test_a_file_of_an_earlier_version_is_read() -> None:
    """Four evaluators wrote plain objects, numbers and texts side by side; the keys are the same ones."""
    old: list[dict[str, Any]] = [
        {"item": 0, "margin": -1.5, "chosen": -3.0, "rejected": -2.0, "tokens": [4, 5]},
        {"item": 0, "text": "ab", "reward": 1.0, "turns": 2, "solved": True},
        {"item": 1, "accuracy": 1.0, "confidence": 0.9, "right": 1.0, "said": "no", "cut_answers": 0.0},
    ]
    rows = read_rows(gzip.compress("".join(json.dumps(row) + "\n" for row in old).encode()))
    assert [row.item for row in rows] == [0, 0, 1]
    assert [row.group for row in rows] == [0, 0, 1]
    assert rows[0].values == {"margin": -1.5, "chosen": -3.0, "rejected": -2.0}
    assert rows[0].details == {"tokens": [4, 5]}
    assert (rows[1].values["solved"], rows[1].details) == (1, {"text": "ab"})
    assert [row.to_json() for row in rows] == old


@pytest.mark.parametrize("content", [b"[1]", b'{"nobody": 1}', b'{"item": null}', b'{"item": 1, "cluster": [1]}', b"{"])
def test_what_is_no_row_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected|Expecting"):
        read_rows(content)


def test_questions_about_one_passage_are_one_cluster() -> None:
    first, none, again, other, without = cluster_by_passage(["p", None, "p", "q", None])
    assert first == again
    assert first is not None
    assert (none, other, without) == (None, None, None), "an item that shares nothing is its own cluster"


@pytest.mark.parametrize("name", ["answers", "reliability", "rag"])
def test_the_passage_reaches_the_statistics(name: str) -> None:
    """Four questions about two passages: eight copies say no more than two, so the interval is of two clusters."""
    questions = tuple(
        {"question": f"q{at}", "answers": [f"a{at}"], "variants": [f"Q{at}"], "context": f"passage {at // 2}"}
        for at in range(4)
    )
    evaluator = EVALUATORS[name]
    assert isinstance(evaluator, AnswerEvaluator)
    asks = evaluator.list_prompts(Records("questions", questions), {"abstain": "unknown"})

    def rows(right: float) -> list[ItemRow]:
        answered = [ScoredAnswers(ask, [ModelAnswer("x", 0.5)], [right]) for ask in asks]
        return list(evaluator.measure(answered, {"abstain": "unknown"}).rows)

    metric = {"answers": "accuracy", "reliability": "mean_accuracy", "rag": "open_book"}[name]
    sides = [read_rows(write_rows(rows(right)), details=False) for right in (0.0, 1.0)]
    difference = compare_items(*({0: read_scores(side, metric)} for side in sides))
    assert difference is not None
    assert (difference.items, difference.clusters) == (4, 2)


def test_a_value_that_is_no_number_is_left_out_of_the_mean() -> None:
    rows = [ItemRow(0, {"score": math.nan}), ItemRow.from_json({"item": 1, "score": None}), ItemRow(2, {"score": 1})]
    assert read_scores(read_rows(write_rows(rows)), "score").amounts == {2: 1.0}
