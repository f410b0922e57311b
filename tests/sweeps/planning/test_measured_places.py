"""Each evaluation is made on every holdout and test set that it suits; what it does not suit is left out and said."""

from pathlib import Path

import pytest

from sweeps import Plan, PlanError, SpecError, parse
from sweeps.data import load_dataset
from tests.sweeps.files import jsonl
from tests.sweeps.questions import HEAD, plan_folder
from tests.wording import lacks

TRAIN = "train: {learning_rate: 0.01, batch_size: 4, steps: 4}\nseeds: 1\nsweep: places\nmodel: offline/ngram-s\n"
PROSE = "prose: {source: prose.txt, holdout: 8, validation: 4, tests: {quiz: quiz.jsonl, far: far.txt}}"
SCALING = f"{TRAIN}experiment: data_scaling\nsizes: [4]\ndata: {{{PROSE}}}\nevaluate: [nll, answers]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, start in (("prose", 0), ("far", 100), ("law", 200)):
        (tmp_path / f"{name}.txt").write_text(
            "\n\n".join(f"Lot {at} is {at * 7919}." for at in range(start, start + 40))
        )
    (tmp_path / "quiz.jsonl").write_text(jsonl({"question": f"hut {at}?", "answer": f"{at}"} for at in range(20)))
    pairs = ({"prompt": f"p{at}", "chosen": "yes", "rejected": "no"} for at in range(20))
    (tmp_path / "pairs.jsonl").write_text(jsonl(pairs))
    return tmp_path


def refused(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(PlanError) as caught:
        plan_folder(folder, text, *overrides)
    return str(caught.value)


def list_measures(made: Plan, **cell: object) -> set[str]:
    return {
        measure
        for run in made.runs
        if all(run.cell.get(key) == value for key, value in cell.items())
        for measure in run.measures
    }


def list_left_out(made: Plan) -> set[tuple[str, str]]:
    return {(omission.evaluation, omission.on) for omission in made.left_out}


def test_what_was_trained_on_text_is_asked_questions_in_one_sweep(folder: Path) -> None:
    made = plan_folder(folder, SCALING)
    assert list_measures(made, size=4) == {"nll", "quiz.nll", "quiz.answers", "far.nll"}
    assert list_measures(made, size=0) == list_measures(made, size=4)
    assert list_left_out(made) == {("answers", "prose"), ("answers", "prose far")}
    for omission in made.left_out:
        assert "text" in omission.reason
        assert omission.describe() in made.notes
    assert any(stage.label.startswith("answers on prose quiz") for stage in made.stages)


def test_test_sets_change_no_training_and_one_file_is_measured_once(folder: Path) -> None:
    tested, alone = plan_folder(folder, SCALING), plan_folder(folder, SCALING, "data.prose.tests=~", "evaluate=[nll]")
    trained = {stage.id for stage in alone.stages if stage.kind == "train"}
    assert {stage.id for stage in tested.stages if stage.kind == "train"} == trained
    assert {stage.id for stage in alone.stages} < {stage.id for stage in tested.stages}
    assert alone.left_out == ()
    twice = plan_folder(folder, SCALING, "data.prose.tests={one: far.txt, two: far.txt}", "evaluate=[nll]")
    (run,) = (run for run in twice.runs if run.cell["size"])
    assert run.measures["one.nll"] == run.measures["two.nll"]


@pytest.mark.parametrize("key", ["target={metric: METRIC, above: 0.5}", "metrics=[METRIC]"])
def test_a_goal_that_is_left_out_everywhere_is_refused_with_where_it_is_measured(folder: Path, key: str) -> None:
    message = refused(folder, SCALING, key.replace("METRIC", "accuracy"))
    assert not lacks(message, f"{key.partition('=')[0]} accuracy prose quiz.accuracy")
    plan_folder(folder, SCALING, key.replace("METRIC", "quiz.accuracy"))
    with pytest.raises(SpecError) as caught:
        plan_folder(folder, SCALING, key.replace("METRIC", "quizz.accuracy"))
    assert not lacks(str(caught.value), "'quizz.accuracy' `quiz.accuracy`")


def test_an_evaluation_that_fits_nothing_is_refused_with_what_each_place_has(folder: Path) -> None:
    lines = refused(folder, SCALING, "evaluate=[nll, preference]").splitlines()
    assert [line.partition(":")[0].partition(" ")[0] for line in lines] == [
        "data.prose",
        "data.prose.tests.quiz",
        "data.prose.tests.far",
    ]
    assert not lacks(lines[1], "preference questions")
    assert "numbers" not in refused(folder, SCALING, "evaluate=[{sums: rag}]", "data.prose.tests={far: far.txt}")


def test_a_training_of_which_nothing_is_measured_is_refused(folder: Path) -> None:
    both = "data={prose: {source: prose.txt, holdout: 4}, quiz: {source: quiz.jsonl, holdout: 4}}"
    assert not lacks(refused(folder, SCALING, both, "evaluate=[answers]"), "prose nll")
    made = plan_folder(folder, SCALING, both)
    assert list_measures(made, data="prose") == {"nll"}
    assert list_measures(made, data="quiz") == {"nll", "answers"}
    assert list_left_out(made) == {("answers", "prose")}


def test_an_evaluation_can_be_kept_off_a_test_set(folder: Path) -> None:
    """The stages that are left are the same ones, and nothing is said to be missing that was not asked for."""
    kept = "data.prose.tests={quiz: {source: quiz.jsonl, evaluate: [answers]}, far: far.txt}"
    whole, made = plan_folder(folder, SCALING), plan_folder(folder, SCALING, kept)
    assert list_measures(made, size=4) == {"nll", "quiz.answers", "far.nll"}
    assert {stage.id for stage in made.stages} < {stage.id for stage in whole.stages}
    assert list_left_out(made) == list_left_out(whole)
    named = "evaluate=[nll, {sums: {answers: {check: numeric}}}]"
    asked = "data.prose.tests={quiz: {source: quiz.jsonl, evaluate: [sums]}}"
    assert list_measures(plan_folder(folder, SCALING, named, asked), size=4) == {"nll", "quiz.sums.answers"}


def test_a_file_alone_and_a_file_with_its_source_are_one_question(folder: Path) -> None:
    alone, named = (
        plan_folder(folder, SCALING, f"data.prose.tests={{far: {far}}}", "evaluate=[nll]")
        for far in ("far.txt", "{source: far.txt}")
    )
    assert alone.digest == named.digest


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("{source: quiz.jsonl, evaluate: [answer]}", "data.prose.tests.quiz.evaluate"),
        ("{source: quiz.jsonl, evaluate: []}", "data.prose.tests.quiz.evaluate"),
        ("{source: quiz.jsonl, evaluated: [nll]}", "data.prose.tests.quiz.evaluated"),
        ("[quiz.jsonl]", "data.prose.tests.quiz"),
    ],
)
def test_a_test_set_that_is_asked_for_what_there_is_not_is_refused(folder: Path, asked: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        plan_folder(folder, SCALING, f"data.prose.tests={{quiz: {asked}}}")
    assert place in str(caught.value)


def test_a_metric_of_an_evaluation_that_is_kept_off_is_refused(folder: Path) -> None:
    kept = "data.prose.tests={quiz: {source: quiz.jsonl, evaluate: [answers]}}"
    with pytest.raises(SpecError) as caught:
        plan_folder(folder, SCALING, kept, "metrics=[quiz.nll]")
    assert not lacks(str(caught.value), "metrics quiz.nll quiz.accuracy")


def test_a_check_that_the_answers_cannot_meet_is_left_out_there(folder: Path) -> None:
    (folder / "words.jsonl").write_text(jsonl({"question": f"q{at}", "answer": "word"} for at in range(9)))
    tests = "data.prose.tests={quiz: quiz.jsonl, words: words.jsonl}"
    made = plan_folder(folder, SCALING, tests, "evaluate=[nll, {sums: {answers: {check: numeric}}}]")
    assert "quiz.sums.answers" in list_measures(made)
    assert ("sums", "prose words") in list_left_out(made)
    assert "numbers" in next(omission.reason for omission in made.left_out if omission.on == "prose words")


def test_the_test_sets_of_a_target_are_measured_in_a_transfer(folder: Path) -> None:
    data = "data={prose: {source: prose.txt, tests: {far: far.txt}}, law: {source: law.txt, tests: {quiz: quiz.jsonl}}}"
    made = plan_folder(folder, SCALING, "experiment=transfer", "source_size=8", data)
    assert list_measures(made, source="law", target="prose", size=4) == {"nll", "source.nll", "far.nll"}
    assert list_measures(made, source=None, target="law", size=4) == {"nll", "quiz.nll", "quiz.answers"}


def test_a_grid_chooses_on_the_validation_set_and_reports_each_test_set(folder: Path) -> None:
    grid = SCALING.replace("data_scaling", "grid").replace("sizes: [4]\n", "vary: {train.rank: [4, 8]}\n")
    made = plan_folder(folder, grid, "best={metric: nll, mode: min}")
    assert list_measures(made, **{"train.rank": 4}) == {"nll", "validation.nll", "quiz.nll", "quiz.answers", "far.nll"}
    assert not lacks(refused(folder, grid, "best={metric: accuracy, mode: max}"), "best.metric quiz.accuracy")


def test_a_comparison_names_the_data_set_before_the_test_set(folder: Path) -> None:
    text = f"""{TRAIN.partition(chr(10))[2]}
experiment: compare
equal: {{examples: 16}}
methods: {{sl: {{method: sl, data: prose, learning_rate: 0.01, batch_size: 4}}}}
data: {{prose: {{source: prose.txt, holdout: 8, tests: {{far: far.txt}}}}, quiz: {{source: quiz.jsonl, holdout: 4}}}}
evaluate: [nll, {{asked: answers}}]
best: {{metric: prose.far.nll, mode: min}}
"""
    made = plan_folder(folder, text)
    assert list_measures(made) == {"prose.nll", "prose.far.nll", "quiz.nll", "asked.answers"}
    assert list_left_out(made) == {("asked", "prose"), ("asked", "prose far")}


@pytest.mark.parametrize("name", ["a", "nll", "answers", "rhythm", "source", "validation", "episode", "a.b"])
def test_the_name_of_a_test_set_means_one_thing(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(HEAD, overrides=["evaluate=[nll, {rhythm: nll}]", f"data.a.tests={{{name}: x.jsonl}}"])
    assert not lacks(str(caught.value), f"data.a.tests {name}")


def test_a_choice_among_labels_needs_no_column_of_candidates(folder: Path) -> None:
    rows = [f"beat {at},{'NAV'[at % 3]}" for at in range(60)]
    (folder / "windows.csv").write_text("\n".join(["signal,label", *rows[:45]]))
    (folder / "other.csv").write_text("\n".join(["signal,label", *rows[45:]]))
    data = "{ecg: {source: windows.csv, columns: {question: signal, answer: label}, tests: {other: other.csv}}}"
    asked = [f"data={data}", "evaluate=[nll, {rhythm: {answers: {check: choice}}}]"]
    made = plan_folder(folder, SCALING, *asked, "target={metric: rhythm.macro_f1, above: 0.8}")
    assert list_measures(made) == {"nll", "other.nll", "rhythm.answers", "other.rhythm.answers"}
    assert made.left_out == ()
    assert any("rhythm" in note and "3 different" in note and "'A', 'N', 'V'" in note for note in made.notes)
    dataset = load_dataset("ecg", parse(SCALING, overrides=asked).data["ecg"], folder=folder, cache=folder)
    stored = {records.sha256: records for records in dataset.parts}
    items = {stage.recipe["items"] for stage in made.stages if stage.label.startswith("rhythm")}
    assert items <= stored.keys()
    assert {(*row["candidates"],) for sha in items for row in stored[str(sha)].rows} == {("A", "N", "V")}
    trained = {stage.id for stage in plan_folder(folder, SCALING, asked[0], "evaluate=[nll]").stages}
    assert {stage.id for stage in made.stages if stage.kind == "train"} < trained


def test_a_test_set_of_pairs_is_measured_against_the_same_start(folder: Path) -> None:
    (folder / "more.jsonl").write_text(
        jsonl({"prompt": f"q{at}", "chosen": "yes", "rejected": "no"} for at in range(9))
    )
    data = "data={pairs: {source: pairs.jsonl, holdout: 4, tests: {more: more.jsonl}}}"
    made = plan_folder(folder, SCALING, data, "evaluate=[preference]", "train.method=dpo")
    assert list_measures(made) == {"preference", "more.preference"}
    stages = {stage.id: stage for stage in made.stages}
    (run,) = (run for run in made.runs if run.cell["size"])
    start = stages[str(stages[run.measures["more.preference"]].recipe["reference"])]
    (base,) = (run for run in made.runs if not run.cell["size"])
    assert start.id == base.measures["more.preference"]


def test_a_test_set_keeps_what_an_evaluation_that_varies_the_context_needs(folder: Path) -> None:
    facts = [
        {"question": f"hut {at}?", "answer": f"{at}", "context": f"Hut {at} is {at}.", "distractors": ["No."]}
        for at in range(40)
    ]
    (folder / "facts.jsonl").write_text(jsonl(facts[:30]))
    (folder / "later.jsonl").write_text(jsonl(facts[30:]))
    data = "data={facts: {source: facts.jsonl, holdout: 6, context: none, tests: {later: later.jsonl}}}"
    made = plan_folder(folder, SCALING, data, "evaluate=[nll, rag]")
    assert list_measures(made) == {"nll", "rag", "later.nll", "later.rag"}
    dataset = load_dataset("facts", parse(SCALING, overrides=[data]).data["facts"], folder=folder, cache=folder)
    items = {stage.recipe["items"] for stage in made.stages if stage.label.startswith("rag on facts later")}
    assert items == {dataset.tests[0].whole.sha256 if dataset.tests[0].whole else ""}


@pytest.mark.parametrize("label", ["", "asked."])
def test_an_answer_whose_metric_is_left_out_is_about_the_test_sets_that_have_it(folder: Path, label: str) -> None:
    (folder / "more.jsonl").write_text(jsonl({"question": f"pit {at}?", "answer": f"{at}"} for at in range(9)))
    tests = "data.prose.tests={quiz: quiz.jsonl, more: more.jsonl}"
    evaluation = "{asked: answers}" if label else "answers"
    grid = SCALING.replace("data_scaling", "grid").replace("sizes: [4]\n", "vary: {train.rank: [4, 8]}\n")
    made = plan_folder(folder, grid, tests, f"evaluate=[{evaluation}, nll, {{other: answers}}]")
    assert made.metrics == (f"quiz.{label}accuracy", f"more.{label}accuracy")
    assert dict(made.defaults)["metrics"] == [*made.metrics]
    named = plan_folder(folder, grid, tests, f"evaluate=[{evaluation}, nll]", "metrics=[nll]")
    assert named.metrics == ()
    assert "metrics" not in dict(named.defaults)
    assert plan_folder(folder, SCALING, tests).metrics == (), "the loss is measured, and the answer is about it"
    assert plan_folder(folder, SCALING, tests, f"evaluate=[{evaluation}, {{loss: nll}}]").metrics == ()
