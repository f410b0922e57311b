"""What is decided before anything is asked is refused where it must come out so, and said where it may."""

from collections.abc import Sequence
from typing import Any

import pytest

from sweeps.errors import PlanError, SpecError
from sweeps.evaluation.registry import find_evaluator
from sweeps.planning.predetermined_metrics import PlannedQuestions, list_predetermined
from sweeps.records import Records
from sweeps.spec.parse import parse
from tests.sweeps.questions import HEAD

LONG = "It takes forty-two days from the order to the door."


def rows(answers: Sequence[str], **more: Any) -> list[dict[str, Any]]:
    return [{"question": f"{place}?", "answers": [answer], **more} for place, answer in enumerate(answers)]


def said(
    asked: Sequence[dict[str, Any]], name: str = "answers", stops: Sequence[str] = (), **options: Any
) -> list[str]:
    given = {"check": "exact", "most": 8, **({"abstain": "unknown"} if name == "rag" else {}), **options}
    evaluator, records = find_evaluator(name, given), Records("questions", tuple(asked))
    return list(list_predetermined(PlannedQuestions(name, evaluator, given, records, len, stops)))


NUMBERS = [str(number) for number in range(20)]


def test_of_what_can_be_answered_nothing_is_said() -> None:
    for check in ("exact", "f1", "numeric", "regex", "my_checks:is_right"):
        assert said(rows(NUMBERS), check=check) == []


@pytest.mark.parametrize(("long", "most"), [(1, 8), (3, 50), (19, 8)])
def test_right_answers_that_are_longer_than_what_may_be_written_are_counted(long: int, most: int) -> None:
    (note,) = said(rows([*NUMBERS[long:], *(f"{LONG} {place}" for place in range(long))]), most=most)
    assert f"{long:,} of 20 right answers" in note
    assert f"most: {most}" in note


@pytest.mark.parametrize("most", [1, 8, 32, 40])
def test_where_all_are_longer_it_is_refused_with_what_is_right(most: int) -> None:
    asked = rows([LONG] * 3)
    with pytest.raises(PlanError, match=f"3 of 3 .* `most: {len(LONG) + 1}`"):
        said(asked, most=most)
    assert said(asked, most=len(LONG)) == []
    assert said(asked, check="numeric", most=most) == said(asked, check="regex", most=most) == []
    assert len(said(asked, check="f1", most=most)) == 1, "a part of it may be right"


def test_the_shortest_of_the_right_answers_counts_without_what_is_not_compared() -> None:
    assert said([{"question": "?", "answers": [LONG, "42 days"]}]) == []
    (note,) = said(rows(["the abcdefgh."]))
    assert "1 of 1" in note, "without the article it may be right"


def test_what_ends_an_answer_does_not_stand_in_a_right_one() -> None:
    (note,) = said(rows([*NUMBERS, "a\n\nb"]), stops=["\n\n"])
    assert "1 of 21" in note
    with pytest.raises(PlanError, match="none can be right"):
        said(rows(["a\n\nb", "c\n\nd"]), stops=["\n\n"])


def test_a_constant_answer_is_a_baseline_to_be_known() -> None:
    (note,) = said(rows(["yes"] * 20))
    assert "1.000" in note
    (note,) = said(rows(["Yes."] * 10 + ["yes"] * 9 + ["no"]))
    assert "0.950" in note
    (note,) = said(rows(["1,500", "1500", "$1,500.00", "1.5k", "1500"]), check="numeric", most=99)
    assert "5 of 5" in note
    assert said(rows(["yes"] * 15 + ["no"] * 5)) == said(rows(["yes"] * 4)) == []


def test_a_choice_that_is_right_whatever_is_chosen() -> None:
    sure, asked = rows(["a", "b"], candidates=["a", "b"]), rows(NUMBERS, candidates=["x", *NUMBERS])
    for row in sure:
        row["answers"] = ["a", "b"]
    with pytest.raises(PlanError, match="all candidates"):
        said(sure, check="choice")
    (note,) = said([*asked, *sure], check="choice")
    assert "2 of 22" in note
    (note,) = said(rows(NUMBERS, candidates=[*NUMBERS, "yes", "Yes."]), check="choice")
    assert "20 of 20" in note
    assert said(asked, check="choice") == []


def test_what_reading_cannot_tell_is_said() -> None:
    asked = rows([f"n{place}" for place in range(8)])
    for row in asked:
        row["context"] = f"{row['answers'][0]} it is"
    assert len(said(asked, "rag")) == 1  # no distractors
    asked[0]["distractors"], asked[1]["context"] = ["other"], "nothing"
    (note,) = said(asked, "rag")
    assert "1 of 8 passages" in note


@pytest.mark.parametrize(
    ("evaluations", "best"),
    [
        ("[nll]", "{metric: nll, mode: max}"), ("[nll]", "{metric: validation.bits_per_byte, mode: max}"),
        ("[answers]", "{metric: ece, mode: max}"), ("[answers]", "{metric: accuracy, mode: min}"),
        ("[answers]", "{metric: selective_accuracy, mode: min}"), ("[answers]", "{metric: cut_answers, mode: max}"),
        ("[{answers: {samples: 3}}]", "{metric: semantic_entropy, mode: max}"),
        ("[{answers: {samples: 3}}]", "{metric: pass_at_k, mode: min}"),
        ("[{reliability: {perturb: [case]}}]", "{metric: worst_accuracy, mode: min}"),
        ("[{reliability: {perturb: [case]}}]", "{metric: flip_rate, mode: max}"),
        ("[rag]", "{metric: faithfulness, mode: min}"), ("[rag]", "{metric: harmful_context, mode: max}"),
        ("[preference]", "{metric: preference_accuracy, mode: min}"),
    ],
)  # fmt: skip
def test_the_best_is_not_the_worst(evaluations: str, best: str) -> None:
    right = best.replace("max", "other").replace("min", "max").replace("other", "min")
    assert parse(HEAD, overrides=[f"evaluate={evaluations}", f"best={right}"]).best
    with pytest.raises(SpecError, match=r"best\.mode"):
        parse(HEAD, overrides=[f"evaluate={evaluations}", f"best={best}"])


SCALING = """
sweep: how-much
experiment: data_scaling
model: offline/ngram-s
train: {learning_rate: 0.01, steps: 10}
data: {a: {source: a.jsonl, holdout: 10}}
sizes: [8, 16]
evaluate: [nll, answers]
"""


@pytest.mark.parametrize(
    ("wish", "right"),
    [
        ("{metric: nll, below: 0}", "{metric: nll, below: 0.1}"),
        ("{metric: nll, below: -1}", "{metric: nll, below: 1}"),
        ("{metric: nll, below: 1, of: zero_shot}", "{metric: nll, below: 0.9, of: zero_shot}"),
        ("{metric: bits_per_byte, below: 1.5, of: zero_shot}", "{metric: bits_per_byte, below: 0.5, of: zero_shot}"),
        ("{metric: accuracy, above: 1.2}", "{metric: accuracy, above: 0.8}"),
        ("{metric: accuracy, above: 0.9, of: zero_shot}", "{metric: accuracy, above: 1.5, of: zero_shot}"),
        ("{metric: accuracy, below: 0.5}", "{metric: accuracy, above: 0.5}"),
    ],
)  # fmt: skip
def test_a_goal_can_be_reached_and_is_not_met_from_the_start(wish: str, right: str) -> None:
    assert parse(SCALING, overrides=[f"target={right}"]).target
    with pytest.raises(SpecError, match=r"target\.(above|below)"):
        parse(SCALING, overrides=[f"target={wish}"])
