"""Something else is asked of what was trained: nothing is trained again, and what is not there is refused."""

import json

import pytest

from scheduler.cli.evaluate import build_evaluation_sweep, refuse_untrained
from scheduler.cli.submit import write_submission
from scheduler.errors import Untrained
from scheduler.prepare import Prepared, build_submission, plan_sweep
from scheduler.settings import read_settings
from scheduler.state import keys, views
from sweeps.errors import SpecError
from sweeps.spec.parse import parse
from tests.tinker_offline.process import CACHE
from tests.worker.results import read_result
from tests.worker.specs import ANSWERS_SPEC
from tests.worker.workshop import Workshop, tokens
from worker.outcome import Succeeded

QUESTIONS = [{"question": f"{a}+{b}=", "answer": str(a + b)} for a in range(6) for b in range(6)]
MINE = (
    ANSWERS_SPEC.replace("offline:facts", "questions.jsonl")
    .replace("EVALUATION", "nll")
    .replace("reuse: sweep", "best: {metric: nll, mode: min}")
)


def anew(workshop: Workshop, evaluation: str) -> Prepared:
    settings = read_settings(
        {"SWEEP_HOME": str(workshop.folder), "SWEEP_CACHE": str(CACHE), "SWEEP_STORE": workshop.artefacts.url}
    )
    prepared = plan_sweep(
        build_evaluation_sweep(views.read_sweep(workshop.store, "one").spec, evaluation), workshop.folder, settings
    )
    refuse_untrained(workshop.store, "one", prepared)
    write_submission(workshop.store, prepared, build_submission(prepared), settings)
    workshop.spread()
    return prepared


def written(workshop: Workshop, *rows: object) -> None:
    (workshop.folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_is_trained_is_measured_once_more_and_not_trained_again(workshop: Workshop) -> None:
    written(workshop, *QUESTIONS)
    train = workshop.submit(MINE).plan.stages[0]
    with pytest.raises(Untrained, match="1 of 1 "):
        anew(workshop, "answers")
    assert isinstance(workshop.attempt(train), Succeeded)
    used = tokens(workshop, train)
    prepared = anew(workshop, "{answers: {check: numeric, most: 4}}")
    assert prepared.sweep.sweep == "one-answers"
    asked, base = (stage for stage in prepared.plan.stages if stage.kind == "evaluate")
    assert (asked.parents, workshop.state(asked)) == ((train.id,), "ready")
    assert (base.parents, workshop.state(base)) == ((), "ready"), "and the untrained model, to compare with"
    assert isinstance(workshop.attempt(asked, "one-answers"), Succeeded)
    assert isinstance(workshop.attempt(base, "one-answers"), Succeeded)
    assert read_result(workshop, asked)["count"] == 12
    assert tokens(workshop, train) == used
    assert {row.state for row in views.read_results(workshop.store, "one-answers")} == {"succeeded"}
    assert workshop.store.client.hget(keys.sweep("one-answers"), "spec") is not None


def test_other_data_and_what_may_not_be_shared_are_refused(workshop: Workshop) -> None:
    written(workshop, *QUESTIONS)
    assert isinstance(workshop.attempt(workshop.submit(MINE).plan.stages[0]), Succeeded)
    written(workshop, *QUESTIONS[3:])
    with pytest.raises(Untrained, match=r"(?s)1 of 1 .*--folder"):
        anew(workshop, "answers")
    with pytest.raises(SpecError, match="`answers`"):
        anew(workshop, "answer")
    with pytest.raises(Untrained, match="reuse: sweep"):
        build_evaluation_sweep({"sweep": "one", "reuse": "sweep"}, "nll")


BEFORE = {**parse(MINE).model_dump(mode="json", exclude_defaults=True), "budget": {"usd": 2.0}}


def test_several_evaluations_make_one_sweep_that_is_named_by_them() -> None:
    later = build_evaluation_sweep(BEFORE, "[nll, {answers: {samples: 5}}]")
    assert (later.sweep, [evaluation.name for evaluation in later.evaluate]) == ("one-nll-answers", ["nll", "answers"])
    assert build_evaluation_sweep(BEFORE, "{answers: {samples: 5}}", "deeper").sweep == "deeper"
    with pytest.raises(SpecError, match=r"2nd of evaluate.*answers"):
        build_evaluation_sweep(BEFORE, "[answers, {answers: {samples: 5}}]")
    with pytest.raises(SpecError, match=r"sweep: .*'no name'"):
        build_evaluation_sweep(BEFORE, "nll", "no name")


def test_what_changes_no_training_is_said_anew() -> None:
    anew = ["budget.usd=5", "priority=7", "limits.slots=2", "tags=[late]", "best={metric: accuracy, mode: max}"]
    later = build_evaluation_sweep(BEFORE, "answers", None, anew)
    assert later.budget is not None
    assert later.best is not None
    assert (later.budget.usd, later.priority, later.limits.slots, later.tags) == (5, 7, 2, ("late",))
    assert later.best.metric == "accuracy"
    assert later.train == parse(MINE).train
    old = build_evaluation_sweep(BEFORE, "answers").budget
    assert old is not None, "what is not said anew is as it was"
    assert old.usd == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("data.facts.holdout=3", "data: .*one.*budget, limits, priority"),
        ("train.rank=16", "train: .*one"),
        ("seeds=2", "seeds: .*one"),
        ("evaluate=[nll]", "evaluate: .*EVALUATION"),
        ("sweep=other", "sweep: .*--as"),
        ("budge.usd=3", "budge: .*`budget`"),
        ("budget.usd=-3", r"budget\.usd: .*-3"),
        ("priority", "=.*value|value.*="),
    ],
)
def test_what_was_trained_is_not_said_anew(given: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        build_evaluation_sweep(BEFORE, "answers", None, [given])
