"""Questions: how they are written, what of them is read, and what a plan makes of them."""

import json
from pathlib import Path

import pytest

from sweeps import DataError, PlanError, parse
from sweeps.analysis.guessing import find_guess
from sweeps.data import load_dataset
from sweeps.errors import SpecError
from sweeps.evaluation.answer_evaluator import ModelAnswer, ScoredAnswers, bound_usage, score_text
from sweeps.evaluation.answers import ANSWERS
from sweeps.evaluation.choice import choose
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.rag import RAG
from sweeps.evaluation.reliability import RELIABILITY
from sweeps.records import Dataset, Format, Records, hash_contents
from sweeps.rendering.perturbations import CHANGES, perturb_text
from sweeps.rendering.prompts import PromptItem, build_prompt, list_choices, select_learnt, select_read
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.results import RunResult
from sweeps.spec.sections import DataSpec
from sweeps.stage import Stage
from tests.sweeps.parsed import measure_lengths, parse_jsonl
from tests.sweeps.questions import HEAD, ROOT, Load, planned
from tests.sweeps.rendering.fact_rows import FACTS, OTHER, ROW, Facts
from tests.wording import lacks

PINNED = "78dd642e76f5373198708cee3f3c5c153c8f2ed8b13f30b1bc821154a21995df"
OFFLINE = OfflineTokenizer()


def load(folder: Path, *rows: object, context: str | None = None, holdout: int | str = 1) -> Dataset:
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = DataSpec.model_validate({"source": "mine.jsonl", "holdout": holdout, "context": context})
    return load_dataset("mine", spec, folder=folder, cache=folder)


def test_facts_are_the_same_on_every_machine_and_never_measured_where_trained() -> None:
    assert Records("questions", FACTS.train).sha256 == PINNED
    names, tested = ({row["question"] for row in part} for part in FACTS)
    assert not names & tested
    assert len(names) == len(FACTS.train)
    for row in FACTS.train:
        assert row["context"] == row["question"] + row["answers"][0]
        assert row["answers"][0] in row["candidates"]
        assert not any(distractor.startswith(row["question"]) for distractor in row["distractors"])


def test_a_file_of_questions(tmp_path: Path) -> None:
    rows = [{"question": f"{number}?", "answer": str(number), "by": "me"} for number in range(4)]
    data = load(tmp_path, *rows)
    assert data.train.format == "questions"
    assert data.train.rows[-1] in [{"question": f"{number}?", "answers": [str(number)]} for number in range(4)]
    assert "mine.jsonl: keys not used: by" in data.notes


def test_what_is_listed_twice_is_there_once() -> None:
    row = {"question": "q", "answers": ["b", "a", "b"], "candidates": ["a", "c", "a"], "variants": ["Q", "Q"]}
    (row_read,) = parse_jsonl(json.dumps(row), "mine.jsonl", None).rows
    assert row_read == {"question": "q", "answers": ["b", "a"], "candidates": ["a", "c"], "variants": ["Q"]}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "", "answer": "a"}, "question: .*text"),
        ({"question": "q", "answers": []}, "answers: .*one"),
        ({"question": "q", "answers": "a"}, "answers: .*list of texts"),
        ({"question": "q", "answer": " "}, "answer: .*empty"),
        ({"question": "q", "answer": 5}, "answer: .*int"),
        ({"question": "q", "answer": ["a"]}, "answer: .*`answers`.*list"),
        ({"question": "q", "answer": "a", "context": 3}, "context: .*text"),
        ({"question": "q", "answer": "a", "distractors": [1]}, "distractors: .*list"),
        ({"question": "q", "answer": "a", "candidates": ["b"]}, "candidates: .*answer"),
    ],
)
def test_what_is_no_question_is_refused_by_line(row: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"mine.jsonl:1: {says}"):
        load(tmp_path, row)


def test_what_differs_in_what_is_not_read_alone_is_not_on_both_sides(tmp_path: Path) -> None:
    """Else a closed book would have been open: one fact with several passages is the same fact."""
    rows = [{**ROW, "context": f"({number}) q=1.", "distractors": []} for number in range(5)]
    rows += [{"question": f"r{number}=", "context": "?", "answer": "2."} for number in range(5)]
    parts = {}
    for context in ("none", "gold"):
        data = load(tmp_path, *rows, context=context, holdout=6)
        parts[context] = data
        assert not {*hash_contents(data.train.rows)} & {*hash_contents(select_learnt(data.holdout, context).rows)}
    assert len(parts["gold"].train) == 4
    assert [len(part) for part in (parts["none"].train, parts["none"].holdout)] == [5, 5]  # the fact, on one side
    with pytest.raises(DataError, match="train: with `context: none` every row"):
        load(tmp_path, *rows[:5], context="none")


def test_what_reads_as_a_row_of_a_held_out_file_is_not_trained_on(tmp_path: Path) -> None:
    rows = [{**ROW, "context": f"({number}) q=1."} for number in range(5)]
    (tmp_path / "held.jsonl").write_text(json.dumps(rows[0]))
    data = load(tmp_path, *rows[1:], {**ROW, "question": "r="}, context="none", holdout="held.jsonl")
    assert [row["question"] for row in data.train.rows] == ["r="]
    assert any(note.startswith("4 more rows were dropped from train") for note in data.notes)


def test_what_choices_are_made_on_is_not_reported_on_either(tmp_path: Path) -> None:
    rows = [{**ROW, "question": f"q{number // 4}=", "context": f"({number}) q=1."} for number in range(80)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = DataSpec.model_validate({"source": "mine.jsonl", "holdout": 8, "validation": 8, "context": "none"})
    data = load_dataset("mine", spec, folder=tmp_path, cache=tmp_path)
    assert data.validation
    seen = [{row["question"] for row in part.rows} for part in (data.train, data.holdout, data.validation)]
    assert all(seen)
    assert len(set.union(*seen)) == sum(map(len, seen))
    assert (len(data.holdout), len(data.validation)) == (8, 8)


@pytest.mark.parametrize(
    ("context", "reads"), [("none", "q="), ("gold", "q=1.\nq="), (None, "q=1.\nq="), ("mix", "a=2.\nq=1.\nq=")]
)
def test_what_is_read_is_what_the_data_set_says_and_all_is_known_of_what_is_held_out(
    context: str | None, reads: str, tmp_path: Path
) -> None:
    data = load(tmp_path, ROW, {**ROW, "question": "s="}, context=context)
    (row_read,) = data.holdout.rows
    assert build_prompt(row_read).replace("s=", "q=") in (reads, "q=1.\na=2.\nq=" if context == "mix" else reads)
    assert data.whole is not None
    assert data.whole.rows[0]["distractors"] == ["a=2."]
    assert "variants" not in data.train.rows[0], "what nobody reads changes no training"
    assert build_prompt(data.train.rows[0]).endswith("=")


def test_context_is_said_of_questions_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"context: .*text rows.*gold"):
        load(tmp_path, {"text": "a"}, {"text": "b"}, context="gold")


def test_a_question_is_rendered_as_prompt_and_answer() -> None:
    records = select_learnt(Records("questions", (ROW,)), "gold")
    (example,) = render_all(records, OFFLINE, loss_mask="completion")
    assert OFFLINE.decode(example.tokens.tolist()) == "q=1.\nq=1."
    assert OFFLINE.decode(example.tokens[1:][example.weights > 0].tolist()) == "1."
    assert example.weights.sum() == 3, "its end, too"
    assert measure_lengths(records, OFFLINE) == [len(example)]


def test_a_question_is_asked_under_every_condition_that_it_has_the_means_for() -> None:
    prompts = {
        (ask.item, ask.under): ask
        for ask in RAG.list_prompts(Records("questions", (ROW, OTHER)), {"abstain": "unknown"})
    }
    assert {under for item, under in prompts if item == 0} == {
        "closed", "open", "distracted", "mixed", "unanswerable", "counterfactual",
    }  # fmt: skip
    assert {under for item, under in prompts if item == 1} == {"closed", "open", "unanswerable", "counterfactual"}
    assert prompts[0, "closed"] == PromptItem(0, "closed", "q=", ("1.",))
    assert prompts[0, "distracted"].prompt == "a=2.\nq="
    assert prompts[0, "unanswerable"] == PromptItem(0, "unanswerable", "r=2.\nq=", ("unknown",), passages=("r=2.",))
    assert prompts[0, "counterfactual"] == PromptItem(0, "counterfactual", "q=2.\nq=", ("2.",), passages=("q=2.",))


def test_each_prompt_has_its_passages_in_their_order() -> None:
    records = Records("questions", (ROW, OTHER))
    asked = [*RAG.list_prompts(records, {"abstain": "unknown"}), *RELIABILITY.list_prompts(records, {})]
    asked += ANSWERS.list_prompts(records, {})
    assert any(len(ask.passages) > 1 for ask in asked)
    for ask in asked:
        assert ask.prompt.split("\n")[:-1] == [*ask.passages]


@pytest.mark.parametrize(("distractors", "share"), [(1, 1 / 2), (3, 1 / 4)])
def test_answering_from_any_passage_is_a_guess_of_mixed(distractors: int, share: float) -> None:
    """One passage answers; another one that holds the answer by chance does, too."""
    for holding in range(2):
        others = [f"x{place}=9" for place in range(distractors - holding)] + ["c=1." for _ in range(holding)]
        row = {**ROW, "distractors": others}
        prompts = RAG.list_prompts(Records("questions", (row, OTHER)), {"abstain": "unknown"})
        scored = [ScoredAnswers(ask, [ModelAnswer("1.", 0.5)], [1.0]) for ask in prompts if ask.item == 0]
        metrics = RAG.measure(scored, {"abstain": "unknown"}).metrics
        assert metrics["mixed_guess"] == pytest.approx(share * (1 + holding))
        run = RunResult({}, 0, "succeeded", metrics)
        guess = find_guess([run], "mixed")
        assert guess
        assert (guess.share, guess.told_by) == (metrics["mixed_guess"], "mixed_guess")


def test_other_words_are_asked_with_the_same_context() -> None:
    asks = RELIABILITY.list_prompts(select_read(Records("questions", (ROW, OTHER)), "gold"), {})
    assert [(ask.item, ask.prompt) for ask in asks] == [(0, "q=1.\nq="), (0, "q=1.\nQ=")]
    assert list_choices(Records("questions", (OTHER,)))[1] == [2]


@pytest.mark.parametrize(
    ("check", "answer", "worth"),
    [("exact", "The 12.", 1), ("exact", "13", 0), ("f1", "12 or so", 0.5), ("numeric", "it is 12.0", 1),
     ("numeric", "", 0)],
)  # fmt: skip
def test_answers_are_checked_as_asked_for(check: str, answer: str, worth: float) -> None:
    assert score_text(check, answer, ["12"]) == worth


def answered(item: int, under: str, text: str, worth: float) -> ScoredAnswers:
    return ScoredAnswers(PromptItem(item, under, "", ("right",)), [ModelAnswer(text, 0.5)], [worth])


def test_reading_is_told_item_by_item() -> None:
    scored = [
        answered(0, "closed", "no", 0), answered(0, "open", "right", 1), answered(0, "distracted", "no", 0),
        answered(0, "unanswerable", "unknown", 1), answered(1, "closed", "right", 1), answered(1, "open", "right", 1),
        answered(1, "distracted", "Unknown.", 0),
    ]  # fmt: skip
    metrics = RAG.measure(scored, {"abstain": "unknown"}).metrics
    assert metrics == {
        "open_book": 1, "closed_book": 0.5, "distracted": 0, "uplift": 0.5, "abstention": 1, "false_answers": 0.5,
        "utilisation": 1, "harmful_context": 1, "abstention_precision": 1, "token_support": 0, "cut_rag": 0,
    }  # fmt: skip


def test_what_has_nothing_to_be_divided_by_is_not_told() -> None:
    """Nothing was left to gain, nobody abstained, nothing was mixed, and nobody was led astray."""
    scored = [answered(0, "closed", "right", 1), answered(0, "open", "right", 1)]
    metrics = RAG.measure(scored, {"abstain": "unknown"}).metrics
    assert metrics == {"open_book": 1, "closed_book": 1, "uplift": 0, "token_support": 0, "cut_rag": 0}
    mixed = [*scored, answered(0, "mixed", "no", 0), answered(1, "closed", "no", 0), answered(1, "open", "unknown", 0),
             answered(1, "unanswerable", "no", 0)]  # fmt: skip
    metrics = RAG.measure(mixed, {"abstain": "unknown"}).metrics
    assert (metrics["distractor_robustness"], metrics["utilisation"], metrics["abstention_precision"]) == (0, 0, 0)


def test_an_answer_is_held_by_its_passage() -> None:
    ask = next(
        ask
        for ask in RAG.list_prompts(Records("questions", (ROW, OTHER)), {"abstain": "unknown"})
        if ask.under == "open"
    )
    assert ask.context == "q=1."
    closed = answered(0, "closed", "no", 0)
    for text, support in (("is it q=1.", 1), ("q=1. maybe", 2 / 3)):
        opened = ScoredAnswers(ask, [ModelAnswer(text, 0.5)], [0.0])
        (item,) = RAG.measure([closed, opened], {"abstain": "unknown"}).rows
        assert item.values["token_support"] == support


def test_of_half_of_the_items_the_model_is_surest() -> None:
    pairs = (0.9, 1), (0.8, 1), (0.7, 0), (0.6, 1)
    items = [ItemRow(0, {"confidence": p, "right": right, "accuracy": right}) for p, right in pairs]
    metrics = ANSWERS.summarize(items)
    assert (metrics["selective_accuracy"], metrics["accuracy"]) == (1.0, 0.75)
    assert metrics["aurc"] == pytest.approx(0.145833, abs=1e-6)


def test_several_samples_are_judged_by_the_commonest() -> None:
    texts, worth = ["a dog", "cat", "Cat."], [0.0, 1.0, 1.0]
    scored = ScoredAnswers(PromptItem(0, "", "", ("cat",)), [ModelAnswer(text, 0.1) for text in texts], worth)
    (item,) = ANSWERS.measure([scored], {}).rows
    assert (item.values["confidence"], item.values["right"], item.values["accuracy"]) == pytest.approx(
        (2 / 3, 1, 2 / 3)
    )
    assert (item.values["pass_at_k"], item.values["pass_hat_k"], item.values["agreement"]) == pytest.approx(
        (1, 0, 2 / 3)
    )


def test_a_choice_is_as_sure_as_the_shares_of_the_candidates() -> None:
    item = choose(0, [-1.0, -1.0 - 0.6931472, -9.0], [False, True, False])
    assert (item.values["accuracy"], item.values["mrr"]) == (0, 0.5)
    assert item.values["confidence"] == pytest.approx(2 / 3, abs=1e-3)


def test_an_answer_costs_its_prompt_and_from_one_token_to_the_most() -> None:
    low, high = bound_usage([5, 7], samples=3, most=4)
    assert (low.prefill, low.cached_prefill, low.sample) == (12, 24, 6)
    assert (high.prefill, high.cached_prefill, high.sample) == (12, 24, 24)


def test_a_question_is_perturbed_by_rules_and_the_same_everywhere() -> None:
    words = "What is the capital of the Netherlands, and of France? "
    for name, change in CHANGES.items():
        (other,) = perturb_text(words, [name])
        assert other == perturb_text(words, [name])[0] != words
        assert other.endswith("? "), "what ends a question is not touched"
        if name == "typos":
            assert sorted(other) == sorted(words)
            assert 2 <= sum(a != b for a, b in zip(other, words, strict=True)) <= 6
        elif name == "filler":
            assert other.endswith(words)
        else:
            assert other.lower().split() == words.lower().split()
        assert change is not None
    assert perturb_text(words, [*CHANGES]) == perturb_text(words, [*CHANGES][::-1])
    assert perturb_text("1+1=", ["case", "typos"]) == [], "what leaves it as it is asks nothing"
    assert perturb_text("ok", ["typos", "filler", "spaces", "case"]) == ["OK", "ko", " ok", "Hm, let me see: ok"], (
        "pinned: stages are known by it"
    )


def test_a_letter_moves_once() -> None:
    for number in range(30):
        words = f"{number} {'abcdefghij' * 10}"
        (other,) = perturb_text(words, ["typos"])
        assert sum(a != b for a, b in zip(other, words, strict=True)) == 2 * (1 + 99 // 20)


def test_questions_without_other_words_are_asked_in_perturbed_ones() -> None:
    asks = RELIABILITY.list_prompts(Records("questions", (OTHER, ROW)), {"perturb": ("case",)})
    assert [(ask.item, ask.under, ask.prompt, ask.answers) for ask in asks] == [
        (0, "0", "r=2.\nr=", ("2.",)), (0, "1", "r=2.\nR=", ("2.",)),
        (1, "0", build_prompt(ROW), ("1.",)), (1, "1", build_prompt({**ROW, "question": "Q="}), ("1.",)),
        (1, "2", build_prompt({**ROW, "question": "Q="}), ("1.",)),
    ]  # fmt: skip


def measured(*overrides: str) -> dict[str, Stage]:
    plan = planned(HEAD, "seeds=1", *overrides, load=Facts())
    of_trained = [stage for stage in plan.stages if stage.kind == "evaluate" and stage.recipe["parent"]]
    return {str(stage.recipe["evaluator"]["name"]): stage for stage in of_trained}  # type: ignore[index, call-overload]


def test_what_is_asked_is_part_of_what_a_stage_is() -> None:
    first = measured("evaluate=[answers, rag, reliability]")
    assert {stage.low_tokens < stage.tokens for stage in first.values()} == {True}
    for other in ("{answers: {most: 9}}", "{answers: {check: f1}}", "{answers: {samples: 2}}"):
        assert measured(f"evaluate=[{other}]")["answers"].id != first["answers"].id
    assert measured("evaluate=[{reliability: {perturb: [case]}}]")["reliability"].id != first["reliability"].id
    both = [
        measured(f"evaluate=[{{reliability: {{perturb: {order}}}}}]")["reliability"]
        for order in ("[case, typos]", "[typos, case]")
    ]
    assert both[0].id == both[1].id
    assert both[0].tokens > first["reliability"].tokens
    assert measured("evaluate=[{answers: {most: 32, check: exact}}]")["answers"].id == first["answers"].id
    assert measured("evaluate=[answers]", "data.a.context=none")["answers"].id != first["answers"].id
    assert first["rag"].label.startswith("rag on a, trained on data=a, size=1000, seed 0")


def test_reading_is_measured_on_the_same_items_whatever_was_read_in_training() -> None:
    items = {
        measured("evaluate=[rag]", f"data.a.context={context}")["rag"].recipe["items"] for context in ("none", "mix")
    }
    assert len(items) == 1


def test_the_example_reads_and_does_not_and_both_are_asked_the_same() -> None:
    plan = planned((ROOT / "examples/reading.yaml").read_text(), load=Facts(256))
    assert (plan.totals.train, len(plan.runs)) == (2 * 3 * 3, 2 * (1 + 3 * 3))
    recipes = {stage.id: stage.recipe for stage in plan.stages}
    assert len({str(recipes[run.measures["rag"]]["items"]) for run in plan.runs}) == 1
    assert len({run.measures["rag"] for run in plan.runs if run.stage is None}) == 1, "untrained there is one model"
    assert len({run.measures["answers"] for run in plan.runs if run.stage is None}) == 2, "which reads, or does not"


def test_methods_are_compared_by_what_they_answer() -> None:
    text = """
sweep: methods
experiment: compare
model: offline/ngram-r
equal: {examples: 320}
methods: {sl: {method: sl, data: facts, learning_rate: 0.01}}
data: {facts: {source: facts}}
seeds: 1
evaluate: [answers, rag, reliability]
"""
    assert set(planned(text, load=Facts(64)).runs[0].measures) == {"answers", "rag", "reliability"}
    with pytest.raises(PlanError, match=r"data\.facts.*questions.*rag"):
        planned(text, "evaluate=[rag]", load=Load(64))


def test_what_is_left_open_is_stated() -> None:
    stated = dict(planned(HEAD, "evaluate=[answers, {rag: {most: 8}}]", load=Facts()).defaults)
    assert stated["data.a.context"] == "gold"
    assert {key: stated[f"evaluate.answers.{key}"] for key in ("check", "samples", "temperature", "most")} == {
        "check": "exact", "samples": 1, "temperature": 0.0, "most": 32,
    }  # fmt: skip
    assert stated["evaluate.rag.abstain"] == "unknown"
    assert "evaluate.rag.most" not in stated


@pytest.mark.parametrize(
    ("form", "evaluation", "says"),
    [
        ("text", "answers", "expected questions or prompt/completion for `evaluate: answers`, got text records"),
        ("completion", "rag", "expected questions (question, answer) for `evaluate: rag`, got completion records"),
        ("completion", "{answers: {check: choice}}", "data.a held-out candidates `evaluate: answers`"),
        ("completion", "{answers: {check: numeric}}", "data.a held-out numbers `evaluate: answers`"),
    ],
)
def test_data_that_does_not_suit_is_refused(form: Format, evaluation: str, says: str) -> None:
    with pytest.raises(PlanError) as refused:
        planned(HEAD, f"evaluate=[{evaluation}]", load=Load(form=form))
    assert not lacks(str(refused.value), says)


def test_prompts_with_completions_are_questions_with_answers() -> None:
    assert planned(HEAD, "evaluate=[answers, nll]", load=Load(form="completion")).totals.evaluate == 2 * 3


@pytest.mark.parametrize(
    ("evaluation", "says"),
    [
        (
            "{answers: {check: fuzzy}}",
            "answers.check: expected one of exact, f1, numeric, regex, choice or module:function, got 'fuzzy'",
        ),
        ("{answers: {samples: 0}}", "answers.samples: expected a count from 1, got 0"),
        ("{answers: {samples: 3, temperature: 0}}", "the 1st of evaluate: answers.temperature: 0 samples"),
        ("{answers: {check: choice, most: 3}}", "the 1st of evaluate: answers.most: `check: choice`"),
        ("{rag: {abstain: 3}}", "rag.abstain: expected a text, got 3"),
        ("{rag: {samples: 2}}", "rag.samples: unknown key; rag takes `check` and `most` and `abstain`"),
        (
            "{reliability: {check: choice}}",
            "exact, f1, numeric, regex or module:function, got 'choice'",
        ),
        (
            "{reliability: {perturb: [case, case]}}",
            "expected a list of some of case, typos, spaces, filler, each once, got ['case', 'case']",
        ),
        (
            "{reliability: {perturb: noise}}",
            "expected a list of some of case, typos, spaces, filler, each once, got 'noise'",
        ),
        ("{answers: {perturb: [case]}}", "the 1st of evaluate: answers.perturb: unknown"),
    ],
)
def test_what_cannot_be_asked_for_is_said_with_what_can(evaluation: str, says: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(HEAD, overrides=[f"evaluate=[{evaluation}]"])
    assert not lacks(str(refused.value), says)


def test_a_metric_of_several_samples_is_not_the_best_by_one() -> None:
    with pytest.raises(SpecError, match=r"best\.metric: .*'pass_at_k'"):
        parse(HEAD, overrides=["evaluate=[answers]", "best={metric: pass_at_k, mode: max}"])
    parse(HEAD, overrides=["evaluate=[{answers: {samples: 3}}]", "best={metric: pass_at_k, mode: max}"])
