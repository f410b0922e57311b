"""What the data cannot give or teach a classification is known from the plan on, by codes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sweeps import Plan, PlanError, RunResult
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.planning.plan_json import build_plan_document
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.report.markdown import render_markdown
from sweeps.scaling.coded_text import read_code
from tests.sweeps.files import jsonl
from tests.sweeps.questions import plan_folder
from tests.wording import lacks

OF_CLASSES = {"macro_f1", "balanced_accuracy", "auroc", "f1_no", "f1_yes"}
CHOICE = "evaluate: [{answers: {check: choice}}]\n"
HEAD = f"sweep: classes\nmodel: offline/ngram-s\ntrain: {{learning_rate: 0.01, steps: 4}}\n{CHOICE}"
GRID = f"{HEAD}experiment: grid\nseeds: 2\ndata: {{x: {{source: x.jsonl, holdout: test.jsonl}}}}\n"


def write(folder: Path, name: str, labels: Sequence[str], classes: Sequence[str] | None = ("no", "yes")) -> None:
    """Questions with these answers, and the classes as their candidates; None: no candidates."""
    rows = [
        {"question": f"{name} {place}?", "answer": label, **({"candidates": [*classes]} if classes else {})}
        for place, label in enumerate(labels)
    ]
    (folder / f"{name}.jsonl").write_text(jsonl(rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "x", ["yes", "no"] * 20)
    write(tmp_path, "test", ["yes"] * 30)
    write(tmp_path, "both", ["yes", "no"] * 10)
    return tmp_path


def list_undefined(made: Plan) -> set[tuple[str, str, str]]:
    """Every metric that some data cannot give, with that data and why."""
    return {(metric, omission.on, omission.code) for omission in made.left_out for metric in omission.metrics}


def list_codes(made: Plan) -> set[str]:
    return {code for note in made.notes if (code := read_code(note))}


def test_a_holdout_of_one_class_is_noted_with_every_metric_that_it_cannot_give(folder: Path) -> None:
    made = plan_folder(folder, GRID)
    assert list_undefined(made) == {(metric, "x", "one_class") for metric in OF_CLASSES}
    (omission,) = made.left_out
    assert omission.describe() in made.notes
    assert not lacks(omission.describe(), "macro_f1 30 'yes'")
    document = build_plan_document(made)["left_out"]
    assert isinstance(document, list)
    assert isinstance(document[0], dict)
    assert (document[0]["code"], document[0]["metrics"]) == ("one_class", [*omission.metrics])
    assert plan_folder(folder, GRID, "data.x.holdout=both.jsonl").left_out == ()


def test_each_place_and_name_is_judged_by_itself(folder: Path) -> None:
    tested = "data.x.tests={both: both.jsonl, lone: test.jsonl}"
    made = plan_folder(folder, GRID, tested, "data.x.holdout=0.25", "evaluate=[{mine: {answers: {check: choice}}}]")
    assert list_undefined(made) == {(f"lone.mine.{metric}", "x lone", "one_class") for metric in OF_CLASSES}
    chosen = plan_folder(folder, GRID, "data.x={source: x.jsonl, holdout: both.jsonl, validation: test.jsonl}")
    assert list_undefined(chosen) == {(f"validation.{name}", "x validation", "one_class") for name in OF_CLASSES}


def test_groups_that_leave_one_class_in_the_holdout_are_noted(folder: Path) -> None:
    rows = [
        {
            "question": f"g{place}",
            "answer": ("no", "yes")[place % 4 == 0],
            "candidates": ["no", "yes"],
            "who": place % 4,
        }
        for place in range(40)
    ]
    (folder / "grouped.jsonl").write_text(jsonl(rows))
    made = plan_folder(folder, GRID, "data.x={source: grouped.jsonl, group: who, holdout: 0.25}")
    assert {(on, code) for _, on, code in list_undefined(made)} == {("x", "one_class")}


def test_only_f1_of_an_absent_class_is_missing_where_others_are_there(folder: Path) -> None:
    write(folder, "x", ["a", "b", "c"] * 8, "abc")
    write(folder, "test", ["a", "b"] * 8, "abc")
    assert list_undefined(plan_folder(folder, GRID)) == {("f1_c", "x", "class_absent")}


@pytest.mark.parametrize(
    ("labels", "classes", "goal", "code"),
    [
        (["yes"] * 30, ["no", "yes"], "metrics=[macro_f1]", "one_class"),
        (["yes"] * 30, ["no", "yes"], "best={metric: auroc, mode: max}", "one_class"),
        (["no", "yes"] * 9, ["no", "yes", "maybe"], "metrics=[accuracy, f1_maybe]", "class_absent"),
        (["no", "yes"] * 9, ["no", "yes"], "metrics=[f1_perhaps]", "unknown_class"),
    ],
)
def test_a_goal_that_the_holdout_cannot_give_is_refused_with_the_reason(
    folder: Path, labels: Sequence[str], classes: Sequence[str], goal: str, code: str
) -> None:
    write(folder, "test", labels, classes)
    with pytest.raises(PlanError) as caught:
        plan_folder(folder, GRID, goal)
    assert not lacks(str(caught.value), "metric x")
    write(folder, "more", [*classes] * 9, classes)
    other = "data={x: {source: x.jsonl, holdout: test.jsonl}, y: {source: x.jsonl, holdout: more.jsonl}}"
    if code == "unknown_class":
        return  # y does not have it either
    assert {(on, why) for _, on, why in list_undefined(plan_folder(folder, GRID, goal, other))} == {("x", code)}


def test_a_refused_goal_names_the_test_set_that_can_give_it(folder: Path) -> None:
    tested = "data.x.tests={both: both.jsonl, lone: test.jsonl}"
    with pytest.raises(PlanError) as caught:
        plan_folder(folder, GRID, tested, "metrics=[macro_f1]")
    assert not lacks(str(caught.value), "both.macro_f1")
    assert "lone.macro_f1" not in str(caught.value).rpartition(";")[2]
    plan_folder(folder, GRID, tested, "metrics=[both.macro_f1]")
    with pytest.raises(PlanError):
        plan_folder(folder, GRID, tested, "metrics=[lone.macro_f1]")


def test_a_metric_of_classes_asked_of_no_classification_is_refused(folder: Path) -> None:
    rows = [{"question": f"{place}?", "answer": f"{place}", "candidates": [f"{place}", "x"]} for place in range(20)]
    (folder / "test.jsonl").write_text(jsonl(rows))
    assert plan_folder(folder, GRID).left_out == (), "who does not ask for it need not know"
    with pytest.raises(PlanError):
        plan_folder(folder, GRID, "metrics=[macro_f1]")


def test_a_class_without_training_rows_and_a_size_of_one_class_are_noted(folder: Path) -> None:
    write(folder, "x", [*["yes"] * 30, *["no"] * 10], ["no", "yes", "maybe"])
    write(folder, "test", ["yes", "no", "maybe"] * 8, ["no", "yes", "maybe"])
    assert list_codes(plan_folder(folder, GRID)) == {"class_unseen"}
    scaling = GRID.replace("grid", "data_scaling") + "sizes: [1, 2, 40]\n"
    made = plan_folder(folder, scaling, "seeds=3")
    notes = [note for note in made.notes if read_code(note) == "one_class_training"]
    assert not lacks(notes[0], "x 1 3")
    assert not any("40" in note for note in notes)
    document = build_plan_document(made)["coded_notes"]
    assert isinstance(document, list)
    assert {str(note["code"]) for note in document if isinstance(note, dict)} == {"class_unseen", "one_class_training"}
    write(folder, "x", ["yes"] * 40)
    write(folder, "test", ["yes", "no"] * 8)
    assert list_codes(plan_folder(folder, GRID)) == {"class_unseen", "one_class_training"}


def runs(cells: Sequence[Mapping[str, object]], unmeasured: str | None = None) -> list[RunResult]:
    """Runs with an accuracy, and with a macro-F1 but on this target."""
    return [
        RunResult(
            dict(cell),  # type: ignore[arg-type]  # plain values
            seed,
            "succeeded",
            {"accuracy": 0.9} if unmeasured is None else {"accuracy": 0.9, "macro_f1": 0.8 + seed / 50},
            stage="train-1",
        )
        for cell in cells
        for seed in range(3)
    ]


KINDS = {
    "grid": [{"train.rank": rank} for rank in (4, 8)],
    "compare": [{"method": method} for method in (None, "a", "b")],
    "data_scaling": [{"data": "x", "size": size} for size in (0, 4, 8, 16, 32, 64)],
    "transfer": [{"source": source, "target": "x", "size": size} for source in (None, "y") for size in (0, 8)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_results_give_the_class_as_the_reason_and_no_other(folder: Path, kind: str) -> None:
    left_out = plan_folder(folder, GRID).left_out
    spec = {"experiment": kind, "equal": {"tokens": 9}, "metrics": [{"metric": "macro_f1", "mode": "max"}]}
    asked = Material("classes", "done", spec, runs(KINDS[kind]), left_out=left_out)  # type: ignore[arg-type]
    claim = conclude_sweep(asked)
    assert claim.claim == "no_answer"
    assert "one_class" in claim.caveats
    assert not {"unmeasured_runs", "too_few_sizes", "unusable_rows", "failed_runs"} & {*claim.caveats}
    facts = list_facts(asked)
    assert facts["conclusion"]["caveats"] == [*claim.caveats]
    assert facts["left_out"][0]["code"] == "one_class"
    assert "evaluate: [nll]" not in render_markdown(compose_answer(asked))
    measured = Material("classes", "done", spec, runs(KINDS[kind], "none"), left_out=left_out)  # type: ignore[arg-type]
    assert "one_class" not in conclude_sweep(measured).caveats, "what was measured needs no reason"


@pytest.mark.parametrize(("rare", "noted"), [(1, True), (4, True), (5, False)])
def test_a_class_of_which_few_rows_are_held_out_is_noted(folder: Path, rare: int, noted: bool) -> None:
    write(folder, "test", ["yes"] * 30 + ["no"] * rare)
    assert ("class_rare" in list_codes(plan_folder(folder, GRID))) == noted


@pytest.mark.parametrize(
    ("classes", "noted"),
    [(("no", "yes"), False), (("no", "certainly so"), True), (("no", "maybe"), False), (("no", "nope"), False)],
)
def test_candidates_of_which_one_is_much_longer_are_noted(folder: Path, classes: tuple[str, str], noted: bool) -> None:
    for name in ("x", "test"):
        write(folder, name, [*classes] * 15, classes)
    assert ("candidates_unlike" in list_codes(plan_folder(folder, GRID))) == noted


@pytest.mark.parametrize(
    ("vary", "evaluate", "noted"),
    [
        ("{data.x.context: [none, gold]}", "[{answers: {check: choice}}]", True),
        ("{train.rank: [4, 8]}", "[{answers: {check: choice}}]", False),
        ("{data.x.context: [none, gold]}", "[rag]", False),
    ],
)
def test_conditions_that_are_asked_with_other_prompts_are_noted(
    folder: Path, vary: str, evaluate: str, noted: bool
) -> None:
    rows = [
        {"question": f"q{place}?", "answer": "yes", "candidates": ["no", "yes"], "context": f"It is {place}: yes."}
        for place in range(30)
    ]
    (folder / "x.jsonl").write_text(jsonl(rows))
    made = plan_folder(folder, GRID, "data.x.holdout=8", f"vary={vary}", f"evaluate={evaluate}")
    assert ("prompts_differ" in list_codes(made)) == noted


def test_a_label_counts_groups_where_results_do(folder: Path) -> None:
    rows = [{"question": f"q{place}?", "answer": "yes", "who": f"w{place // 3}"} for place in range(30)]
    (folder / "x.jsonl").write_text(jsonl(rows))
    spec = GRID.replace("experiment: grid", "experiment: data_scaling\nsizes: [2, 4]").replace("test.jsonl", "3")
    made = plan_folder(folder, spec.replace(CHOICE, "evaluate: [nll]\n"), "data.x.group=who")
    sizes = {run.cell["size"] for run in made.runs} - {0}
    assert sizes == {2, 4}
    trained = [stage for stage in made.stages if stage.kind == "train"]
    assert {stage.label.partition("size=")[2].partition(",")[0] for stage in trained} == {"2", "4"}
    assert {stage.examples for stage in trained} == {6, 12}
