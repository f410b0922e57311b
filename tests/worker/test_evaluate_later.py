"""Something else is asked of what was trained: nothing is trained again, and what is not there is refused."""

import json

import pytest

from scheduler import keys, views
from scheduler.cli.evaluate import asked_anew, refuse_untrained
from scheduler.cli.submit import put
from scheduler.errors import Untrained
from scheduler.prepare import Prepared, plan_it, submission_of
from scheduler.settings import from_environment
from sweeps.errors import SpecError
from tests.tinker_offline.process import CACHE
from tests.worker.test_answers import SPEC
from tests.worker.test_dpo import result
from tests.worker.workshop import Workshop, tokens
from worker.outcome import Succeeded

QUESTIONS = [{"question": f"{a}+{b}=", "answer": str(a + b)} for a in range(6) for b in range(6)]
MINE = (
    SPEC.replace("offline:facts", "questions.jsonl")
    .replace("EVALUATION", "nll")
    .replace("reuse: sweep", "best: {metric: nll, mode: min}")
)


def anew(workshop: Workshop, evaluation: str) -> Prepared:
    settings = from_environment(
        {"SWEEP_HOME": str(workshop.folder), "SWEEP_CACHE": str(CACHE), "SWEEP_STORE": workshop.artefacts.url}
    )
    prepared = plan_it(asked_anew(views.sweep(workshop.store, "one").spec, evaluation), workshop.folder, settings)
    refuse_untrained(workshop.store, "one", prepared)
    put(workshop.store, prepared, submission_of(prepared), settings)
    workshop.spread()
    return prepared


def written(workshop: Workshop, *rows: object) -> None:
    (workshop.folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_what_is_trained_is_measured_once_more_and_not_trained_again(workshop: Workshop) -> None:
    written(workshop, *QUESTIONS)
    train = workshop.submit(MINE).plan.stages[0]
    with pytest.raises(Untrained, match="1 of 1 trainings are not there"):
        anew(workshop, "answers")
    assert isinstance(workshop.attempt(train), Succeeded)
    used = tokens(workshop, train)
    prepared = anew(workshop, "{answers: {check: numeric, most: 4}}")
    assert prepared.sweep.sweep == "one-answers"
    (asked,) = (stage for stage in prepared.plan.stages if stage.kind == "evaluate")
    assert (asked.parents, workshop.state(asked)) == ((train.id,), "ready")
    assert isinstance(workshop.attempt(asked, "one-answers"), Succeeded)
    assert result(workshop, asked)["count"] == 12
    assert tokens(workshop, train) == used
    assert {row.state for row in views.results(workshop.store, "one-answers")} == {"succeeded"}
    assert workshop.store.client.hget(keys.sweep("one-answers"), "spec") is not None


def test_other_data_and_what_may_not_be_shared_are_refused(workshop: Workshop) -> None:
    written(workshop, *QUESTIONS)
    assert isinstance(workshop.attempt(workshop.submit(MINE).plan.stages[0]), Succeeded)
    written(workshop, *QUESTIONS[3:])
    with pytest.raises(Untrained, match="its data have changed"):
        anew(workshop, "answers")
    with pytest.raises(SpecError, match="did you mean `answers`"):
        anew(workshop, "answer")
    with pytest.raises(Untrained, match="reuse: sweep"):
        asked_anew({"sweep": "one", "reuse": "sweep"}, "nll")
