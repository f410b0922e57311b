"""DPO in a plan: the reference is a stage of its own, shared by all that begin there, and everything has its price."""

import pytest

from sweeps.errors import PlanError, SpecError
from sweeps.planning.duration import EVALUATION, OPENING, estimate_cycles
from sweeps.spec.evaluation_section import choose_default_best
from sweeps.spec.sections import Best
from sweeps.stage import Plan, Stage
from tests.sweeps.questions import HEAD, TRANSFER, Load, list_trained, planned
from tests.wording import lacks

PAIRS = Load(form="preference")
DPO = ("train.method=dpo", "evaluate=[preference]")


def dpo(text: str = HEAD, *overrides: str) -> Plan:
    return planned(text, *DPO, *overrides, load=PAIRS)


def references(plan: Plan) -> list[Stage]:
    """The stages that measure for others, and are no run's answer."""
    answers = {stage for run in list_trained(plan) for stage in run.measures.values()}
    return [stage for stage in plan.stages if stage.kind == "evaluate" and stage.id not in answers]


def test_all_seeds_and_rates_from_the_base_share_one_reference() -> None:
    plan = dpo(HEAD, "vary.train.learning_rate=[0.01, 0.02]")
    training, holdout = references(plan)
    trained = [stage for stage in plan.stages if stage.kind == "train"]
    assert len(trained) == 4
    assert {stage.parents for stage in trained} == {(training.id,)}
    assert {stage.recipe["reference"] for stage in trained} == {training.id}
    measured = [stage for stage in plan.stages if stage.kind == "evaluate" and stage not in (training, holdout)]
    assert [stage.parents for stage in measured] == [(stage.id, holdout.id) for stage in trained]


def test_a_subset_has_a_reference_over_its_own_pairs() -> None:
    plan = dpo(TRANSFER.replace("transfer", "data_scaling").replace("source_size: 600\n", ""), "sizes=[16]")
    trained = [stage for stage in plan.stages if stage.kind == "train" and stage.label.startswith("data=a, ")]
    stages = {stage.id: stage for stage in plan.stages}
    assert len({stages[stage.parents[0]].id for stage in trained}) == 3, "one for each seed"
    assert all(stages[stage.parents[0]].examples == 16 for stage in trained)


def test_what_continues_a_training_is_held_against_where_that_ended() -> None:
    plan = dpo(TRANSFER, "sizes=[16]", "seeds=1", "sources=[a]", "targets=[b]")
    stages = {stage.id: stage for stage in plan.stages}
    (child,) = (stage for stage in plan.stages if stage.kind == "train" and stage.recipe["parent"])
    parent, reference = child.parents
    assert stages[reference].recipe["parent"] == parent == child.recipe["parent"]
    assert stages[reference].recipe.get("reference") is None
    for stage in plan.stages:
        if stage.kind == "evaluate" and stage.recipe["parent"] == child.id:
            start = stages[str(stage.recipe["reference"])]
            assert (start.recipe["parent"], start.recipe["items"]) == (parent, stage.recipe["items"])


def test_parents_stand_before_children() -> None:
    seen: set[str] = set()
    for stage in dpo(TRANSFER, "sizes=[16]").stages:
        assert seen.issuperset(stage.parents)
        seen.add(stage.id)


def test_each_step_looks_and_then_moves_and_the_reference_is_one_look_at_all() -> None:
    plan = dpo(HEAD, "train.steps=1", "train.batch_size=1000")
    reference, train = plan.stages[:2]
    assert train.tokens == train.low_tokens == 2 * reference.tokens


def test_a_step_takes_two_cycles_for_it_looks_before_it_moves() -> None:
    plan = dpo(HEAD, "seeds=1", "train.steps=7")
    assert estimate_cycles(plan.stages).longest == EVALUATION + OPENING + 2 * 7 + EVALUATION


def test_beta_and_length_are_part_of_what_a_training_is_and_stated_where_left_open() -> None:
    ids = {dpo(HEAD, *more).stages[1].id for more in ((), ("train.beta=0.2",), ("train.length_normalise=true",))}
    assert len(ids) == 3
    assert dpo(HEAD, "train.beta=0.1").stages[1].id in ids
    assert {("train.beta", 0.1), ("train.length_normalise", False)} <= set(dpo().defaults)


@pytest.mark.parametrize(
    ("overrides", "load", "words"),
    [
        (DPO, Load(), "expected preference pairs (prompt, chosen, rejected) for `method: dpo`, got text records"),
        (
            (),
            PAIRS,
            "questions or text for `method: sl`, got preference records; pairs go with",
        ),
        (
            ("train.method=dpo",),
            PAIRS,
            "`evaluate: nll`, got preference records; pairs go with `evaluate: [preference]`",
        ),
        (
            ("evaluate=[preference]",),
            Load(),
            "expected preference pairs (prompt, chosen, rejected) for",
        ),
    ],
)
def test_records_that_a_method_or_an_evaluation_cannot_use_are_refused(
    overrides: tuple[str, ...], load: Load, words: str
) -> None:
    with pytest.raises(PlanError) as error:
        planned(HEAD, *overrides, load=load)
    assert not lacks(str(error.value), words)


def test_preference_has_no_options() -> None:
    with pytest.raises(SpecError, match="preference has no options"):
        planned(HEAD, "evaluate=[{preference: {beta: 1}}]", load=PAIRS)


def test_the_best_is_the_best_by_what_is_measured() -> None:
    assert choose_default_best({}) == Best(metric="nll", mode="min")
    asked = [{"name": "preference", "options": {}}, {"name": "nll", "options": {}}]
    assert choose_default_best({"evaluate": asked}) == Best(metric="preference_accuracy", mode="max")
