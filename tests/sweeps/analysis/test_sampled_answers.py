"""Samples of answers: each evaluator's rows are read back as the texts that belong to each prompt."""

from collections.abc import Mapping
from typing import Any

from sweeps.analysis.sampled_answers import (
    ChosenSamples,
    SamplePicker,
    choose_runs,
    list_asked,
    list_candidates,
    writes_text,
)
from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ModelAnswer, ScoredAnswers, score_text
from sweeps.evaluation.choice import choose
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.registry import EVALUATORS, find_evaluator
from sweeps.records import Records
from sweeps.results import RunResult

QUESTIONS = Records(
    "questions",
    (
        {"question": "a=", "answers": ["1"], "context": "a=1. ", "variants": ["A="], "candidates": ["1", "2"]},
        {"question": "b=", "answers": ["2"], "context": "b=2. ", "variants": ["B="], "candidates": ["1", "2"]},
    ),
)


def answer(name: str, options: Mapping[str, Any]) -> tuple[dict[tuple[int, str], list[str]], ChosenSamples]:
    """Answer each prompt of an evaluator by a text of its own; return the texts, and the samples."""
    evaluator = find_evaluator(name, options)
    assert isinstance(evaluator, AnswerEvaluator)
    written: dict[tuple[int, str], list[str]] = {}
    answered = []
    for ask in evaluator.list_prompts(QUESTIONS, options):
        texts = [f"{ask.item} {ask.under} {number}" for number in range(options.get("samples", 1))]
        written[ask.item, ask.under] = texts
        scores = [score_text("exact", text, ask.answers) for text in texts]
        answered.append(ScoredAnswers(ask, [ModelAnswer(text, 0.5) for text in texts], scores))
    rows = evaluator.measure(answered, options).rows
    metric = next(name for name in evaluator.metric_names if name in rows[0].values)
    picker = SamplePicker(metric, list_asked(evaluator, QUESTIONS, options), {})
    return written, picker.pick((), rows, worst=5, best=5)


def test_what_was_said_to_each_prompt_is_shown_beside_it() -> None:
    for name, more in (("answers", {}), ("answers", {"samples": 3}), ("reliability", {}), ("rag", {"abstain": "?"})):
        written, chosen = answer(name, {"name": name, "check": "exact", "most": 8, **more})
        assert chosen.best == (), "no item is in both"
        shown = {(sample.item, prompt.under): [*prompt.after] for sample in chosen.worst for prompt in sample.prompts}
        assert shown == written, name
        assert not any(prompt.before for sample in chosen.worst for prompt in sample.prompts)


def test_of_candidates_the_likeliest_is_shown() -> None:
    options = {"name": "answers", "check": "choice"}
    evaluator = find_evaluator("answers", options)
    rows = [choose(0, [-3.0, -1.0], [True, False]), choose(1, [-3.0, -1.0], [False, True])]
    picker = SamplePicker("accuracy", list_asked(evaluator, QUESTIONS, options), list_candidates(evaluator, QUESTIONS))
    worst, best = picker.pick(rows[:1], rows, worst=1, best=1)
    assert [(sample.item, sample.before, sample.after, sample.prompts[0].after) for sample in (*worst, *best)] == [
        (0, 0.0, 0.0, ("2",)),
        (1, None, 1.0, ("2",)),
    ]
    assert worst[0].prompts[0].question.endswith("a=")
    assert worst[0].prompts[0].right == ("1",)


def test_attempts_at_one_task_are_one_sample_and_a_failed_check_shows_its_texts() -> None:
    played = [ItemRow(7, {"solved": float(at), "reward": 0.0}, details={"text": f"play {at}"}) for at in range(2)]
    ((sample,), _) = SamplePicker("task_completion", {}, {}).pick((), played, worst=1, best=1)
    assert (sample.after, sample.prompts[0].after) == (0.5, ("play 0", "play 1"))
    failed = ItemRow(1, {"unchecked_answers": 1.0}, details={"said": {"": ["x", "y"]}, "failed": "raised"})
    ((sample,), _) = SamplePicker("unchecked_answers", {}, {}).pick((), [failed], worst=1, best=1)
    assert sample.prompts[0].after == ("x", "y")
    assert SamplePicker("accuracy", {}, {}).pick((), [failed], worst=1, best=1) == ((), ())


def test_the_best_trained_run_is_shown_against_its_baseline() -> None:
    rows = [
        RunResult({"data": "x", "size": 0}, 0, "succeeded", {"accuracy": 0.9}),
        RunResult({"data": "x", "size": 8}, 0, "succeeded", {"accuracy": 0.5}, stage="a"),
        RunResult({"data": "x", "size": 8}, 1, "succeeded", {"accuracy": 0.7, "ece": 0.2}, stage="b"),
        RunResult({"data": "x", "size": 16}, 0, "running", {}, stage="c"),
        RunResult({"data": "y", "size": 8}, 0, "succeeded", {"ece": 0.1}, stage="d"),
    ]
    runs = choose_runs(rows, "accuracy", {})
    assert runs is not None
    assert runs == (rows[2], rows[0], "untrained")
    assert choose_runs(rows, "accuracy", {"seed": "0"}) == (rows[1], rows[0], "untrained")
    assert choose_runs(rows, "ece", {}) == (rows[4], None, None), "lower is better"
    assert choose_runs(rows, "accuracy", {"size": "16"}) is None
    assert choose_runs(rows, "accuracy", {"sise": "8"}) is None


def test_only_what_writes_has_samples() -> None:
    assert {name for name, evaluator in EVALUATORS.items() if not writes_text(evaluator)} == {
        "nll",
        "preference",
        "clustering",
    }
