"""An evaluation can have a name of the user's around it, which stands before its metrics and nowhere else."""

import pytest

from sweeps import SpecError, parse
from sweeps.spec.evaluation_section import choose_default_best, read_evaluation
from sweeps.spec.metric_wishes import choose_shown
from sweeps.stage import Json
from tests.sweeps.questions import HEAD, Load, planned
from tests.wording import lacks

SCALING = HEAD.replace("grid", "data_scaling") + "sizes: [8, 16]\n"
NAMED = "evaluate=[{rhythm: {answers: {check: exact}}}, {cites: {answers: {check: f1}}}, {loss: nll}, nll]"


def test_a_name_stands_before_the_metrics_of_an_evaluation() -> None:
    rhythm, cites, loss, nll = parse(HEAD, overrides=[NAMED]).evaluate
    assert [evaluation.measure for evaluation in (rhythm, cites, loss, nll)] == [
        "rhythm.answers",
        "cites.answers",
        "loss.nll",
        "nll",
    ]
    assert "rhythm.accuracy" in rhythm.metrics
    assert loss.metrics == ("loss.nll", "loss.bits_per_byte")
    assert nll.metrics == ("nll", "bits_per_byte")
    assert cites.options == {"check": "f1"}


@pytest.mark.parametrize("value", ["nll", {"nll": {"via": "forward"}}, {"answers": {"check": "exact"}}])
def test_the_name_of_an_evaluator_means_what_it_meant(value: object) -> None:
    assert read_evaluation(value).label is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("[{answers: {rag: {}}}]", "the 1st of evaluate: answers.rag: {my_answers: {rag: {}}}"),
        ("[{source: {answers: {}}}]", "the 1st of evaluate: {my_source: {answers: {}}}"),
        ("[{validation: nll}]", "the 1st of evaluate: {my_validation: 'nll'}"),
        ("[{episode: nll}]", "the 1st of evaluate: {my_episode: 'nll'}"),
        ("[{a.b: nll}]", "the 1st of evaluate: 'a.b' {my_a_b: 'nll'}"),
        ("[{a: nll}]", "the 1st of evaluate: data set a_answers"),  # a data set has this name
        ("[{r: nll}, {r: answers}]", "the 2nd of evaluate: r twice {other_r: {answers:"),
        ("[answers, {answers: {samples: 2}}]", "the 2nd of evaluate: answers twice {my_answers: {answers:"),
        ("[{rhythm: {answrs: {check: exact}}}]", "the 1st of evaluate: 'answrs' `answers`"),
        ("[{rhythm: {answers: {chk: exact}}}]", "the 1st of evaluate: rhythm.answers.chk: `check`"),
        ("[{rhythm: {check: exact}}]", "the 1st of evaluate: 'rhythm' {my_name: {answers:"),
    ],
)
def test_a_name_that_would_mean_two_things_is_refused_with_the_right_form(asked: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(HEAD, overrides=[f"evaluate={asked}"])
    assert not lacks(str(caught.value), words)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target={metric: rhythm.accuracy, below: 0.5}", "target.below: rhythm.accuracy `above`"),
        ("target={metric: rhythm.accuracy, above: 1.5}", "target.above: 1.5 0 1"),
        ("target={metric: rhythm.ece, below: 0.1}", "target.metric: 'rhythm.ece' law"),
        ("target={metric: loss.nll, above: 2}", "target.above: loss.nll `below`"),
        ("target={metric: accuracy, above: 0.5}", "target.metric: 'accuracy' `cites.accuracy`"),
        ("target={metric: rythm.accuracy, above: 0.5}", "target.metric: 'rythm.accuracy' `rhythm.accuracy`"),
    ],
)
def test_a_goal_is_checked_by_the_metric_behind_the_name(override: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(SCALING, overrides=[NAMED, override])
    assert not lacks(str(caught.value), words)


def test_a_goal_may_be_of_a_named_evaluation() -> None:
    parse(SCALING, overrides=[NAMED, "target={metric: rhythm.accuracy, above: 0.8}"])
    with pytest.raises(SpecError) as caught:
        parse(HEAD, overrides=[NAMED, "best={metric: rhythm.accuracy, mode: min}"])
    assert not lacks(str(caught.value), "best.mode: `max` `min`")
    parse(HEAD, overrides=["evaluate=[{r: {answers: {check: choice}}}]", "best={metric: r.f1_N, mode: max}"])
    two = "evaluate=[{drive: {task_completion: {environment: 'offline:tool_use'}}}, nll]"
    parse(HEAD, overrides=[two, "best={metric: drive.episode.fuel, mode: min}"])


def test_the_first_evaluation_decides_under_its_name() -> None:
    stored = parse(HEAD, overrides=[NAMED]).model_dump(mode="json", exclude_defaults=True)
    assert choose_default_best(stored).model_dump() == {"metric": "rhythm.accuracy", "mode": "max"}


def test_a_name_changes_no_stage() -> None:
    """The label is a view: it stands in the rows, and the stages are the same."""

    def plan(*names: str) -> tuple[set[str], set[str]]:
        evaluations = ", ".join(f"{{{name}: {{nll: {{via: forward}}}}}}" for name in names)
        made = planned(HEAD, f"evaluate=[{evaluations or 'nll'}]")
        return {stage.id for stage in made.stages}, {measure for run in made.runs for measure in run.measures}

    assert plan()[0] == plan("loss")[0] == plan("other", "loss")[0]
    assert plan("other", "loss")[1] == {"other.nll", "loss.nll"}


def test_two_evaluations_by_one_evaluator_are_two_stages_and_their_labels_tell_them_apart() -> None:
    two = "{one: {answers: {check: exact}}}, {other: {answers: {check: f1}}}"
    made = planned(HEAD, f"evaluate=[{two}]", load=Load(form="completion"))
    asked = [stage for stage in made.stages if stage.kind == "evaluate"]
    assert len(asked) == 6, "two seeds and the base model, by two evaluations"
    assert {stage.label.partition(" ")[0] for stage in asked} == {"one", "other"}
    assert {path for path, _ in made.defaults if path.startswith("evaluate.o")} >= {"evaluate.one.answers.most"}


def test_a_metric_is_shown_on_each_data_set_and_not_for_another_evaluation() -> None:
    spec: dict[str, Json] = {
        "evaluate": [{"name": "answers"}, {"name": "answers", "label": "rhythm"}],
        "metrics": [{"metric": "accuracy"}, {"metric": "rhythm.accuracy"}],
    }
    names = ["rhythm.accuracy", "accuracy", "far.accuracy", "far.rhythm.accuracy", "nll"]
    assert choose_shown(spec, names) == ["accuracy", "far.accuracy", "rhythm.accuracy", "far.rhythm.accuracy"]
    assert choose_shown({**spec, "metrics": [{"metric": "rhythm.accuracy"}]}, names) == [names[0], names[3]]


@pytest.mark.parametrize(
    "asked",
    [
        {"target": {"metric": "macro_f1", "above": 0.8}},
        {"best": {"metric": "validation.macro_f1", "mode": "max"}},
        {"target": {"metric": "macro_f1", "above": 0.8}, "best": {"metric": "nll", "mode": "min"}},
    ],
)
def test_the_metric_of_the_answer_comes_first_in_the_tables(asked: dict[str, Json]) -> None:
    names = ["nll", "accuracy", "macro_f1", "far.macro_f1"]
    assert choose_shown(asked, names) == ["macro_f1", "far.macro_f1", "nll", "accuracy"]
    assert choose_shown({**asked, "metrics": [{"metric": "accuracy"}]}, names) == ["accuracy"]
    assert choose_shown({}, names) == names
