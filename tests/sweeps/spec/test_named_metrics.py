"""The metrics that a file names: measured by something, each once, in agreement with `best` and `target`."""

import pytest

from sweeps import SpecError, Sweep, parse
from sweeps.spec.metric_wishes import list_wishes, narrow_spec, split_spec
from sweeps.stage import Json
from tests.sweeps.questions import ACTING, HEAD, TRANSFER, Load, planned
from tests.wording import lacks


@pytest.mark.parametrize(
    ("text", "overrides", "facts"),
    [
        (HEAD, ["metrics=[nlll]"], "1st metrics: 'nlll' `nll` nll, bits_per_byte"),
        (HEAD, ["metrics=[episode.drawdown]"], "1st metrics: 'episode.drawdown' nll bits_per_byte"),
        (HEAD, ["metrics=[nll, bits_per_byte, nll]"], "3rd metrics: nll twice"),
        (HEAD, ["metrics=[{nll: max}]"], "1st metrics: `min` `max` nll"),
        (HEAD, ["metrics=[{nll: low}]"], "1st metrics: min max"),
        (HEAD, ["metrics=[3]"], "1st metrics: 3"),
        (HEAD, ["metrics=[nll]", "best={metric: bits_per_byte, mode: min}"], "best.metric nll 'bits_per_byte'"),
        (ACTING, ["metrics=[rewards]"], "1st metrics: 'rewards' `reward` task_completion episode.NAME"),
        (ACTING, ["metrics=[episode.]"], "1st metrics: 'episode.'"),
        (
            ACTING,
            ["metrics=[{episode.drawdown: min}]", "best={metric: episode.drawdown, mode: max}"],
            "best.mode `min` `max`",
        ),
        (
            TRANSFER.replace("transfer", "data_scaling").replace("source_size: 600\n", ""),
            ["metrics=[bits_per_byte]", "target={metric: nll, below: 2}"],
            "target.metric bits_per_byte 'nll'",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_what_is_right(text: str, overrides: list[str], facts: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, overrides=overrides)
    assert lacks(str(caught.value), facts) == []


def test_a_class_and_a_metric_under_a_name_of_the_users_are_known() -> None:
    data = "data={a: {source: a.jsonl, holdout: 10, format: questions}}"
    asked = "evaluate=[{rhythm: {answers: {check: choice}}}]"
    sweep = parse(HEAD, overrides=[data, asked, "metrics=[rhythm.macro_f1, rhythm.f1_sinus, rhythm.ece]"])
    assert [wish.metric for wish in sweep.metrics] == ["rhythm.macro_f1", "rhythm.f1_sinus", "rhythm.ece"]


def test_what_only_an_environment_can_say_is_noted_in_the_plan() -> None:
    notes = [note for note in planned(ACTING, "metrics=[episode.drawdown, reward]").notes if "metrics" in note]
    assert [lacks(note, "metrics episode.drawdown") for note in notes] == [[], []], "the name, and the direction"
    (note,) = (
        note_of_plan
        for note_of_plan in planned(ACTING, "metrics=[{episode.drawdown: min}]").notes
        if "metrics" in note_of_plan
    )
    assert lacks(note, "episode.drawdown environment") == []


def test_the_list_is_kept_and_read_back() -> None:
    sweep = parse(ACTING, overrides=["metrics=[{episode.drawdown: min}, reward, turns]"])
    kept = sweep.model_dump(mode="json", exclude_defaults=True)
    assert kept["metrics"] == [{"metric": "episode.drawdown", "mode": "min"}, {"metric": "reward"}, {"metric": "turns"}]
    assert Sweep.model_validate({**kept, "evaluate": sweep.evaluate}) == sweep
    assert [(wish.metric, wish.mode) for wish in list_wishes(kept)] == [
        ("episode.drawdown", "min"),
        ("reward", "max"),
        ("turns", None),
    ]


def test_a_spec_is_split_into_one_question_for_each_metric() -> None:
    spec: dict[str, Json] = {
        "experiment": "data_scaling",
        "metrics": [{"metric": "bits_per_byte"}, {"metric": "nll"}],
        "target": {"metric": "nll", "below": 2.0},
    }
    first, second = split_spec(spec)
    assert "target" not in first
    assert second["target"] == spec["target"]
    assert [wish.metric for wish in list_wishes(narrow_spec(spec, "nll"))] == ["nll"]
    assert split_spec({"experiment": "grid"}) == [{"experiment": "grid"}]


def test_a_sweep_that_names_none_is_the_question_that_it_was() -> None:
    """The digests are those of the commit before the key, and the untrained row of grids, came."""
    made = [
        planned(HEAD),
        planned(HEAD, "vary.train.rank=[4, 8]", "data.b={source: b}"),
        planned(TRANSFER),
        planned(ACTING),
        planned(HEAD, "train.method=dpo", "evaluate=[preference]", load=Load(form="preference")),
    ]
    assert [plan.digest for plan in made] == [
        "a1edd68f49f8418a",
        "634f6cb326f110ab",
        "65697973ac8a2c40",
        "bf842af13866b594",
        "cd1433c4ace5e51a",
    ]
    assert planned(HEAD, "metrics=[nll]").digest != made[0].digest
    assert {stage.id for stage in planned(HEAD, "metrics=[nll]").stages} == {stage.id for stage in made[0].stages}
