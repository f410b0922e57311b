"""What is learnt by acting in a plan: its stages, its bounds; and methods that are given the same of one thing."""

import re
from typing import Any

import pytest

from sweeps.cost import Usage
from sweeps.environments import Episode, EpisodeShape, Split
from sweeps.errors import PlanError, SpecError
from sweeps.planning.duration import EVALUATION, OPENING, estimate_cycles
from sweeps.planning.rl_stages import WITHIN
from sweeps.stage import MICRO, Plan, Stage
from sweeps.training import rollout_cost
from sweeps.training.rollout_cost import EpisodeCosts
from tests.sweeps.questions import ACTING, Guess, Guessing, Load, planned

COMPARE = """
sweep: methods
experiment: compare
model: offline/ngram-m
equal: {tokens: 2e5}
methods:
  sl: {method: sl, data: demos, learning_rate: 0.01, batch_size: 8}
  dpo: {method: dpo, data: pairs, learning_rate: 0.01, batch_size: 8}
  rl: {method: rl, environment: "offline:tool_use", learning_rate: 0.01, group_size: 8, groups: 16}
  sl_then_rl: {then: [sl, rl]}
data: {demos: {source: demos}, pairs: {source: pairs}}
seeds: 3
evaluate: [nll, preference, {task_completion: {environment: "offline:tool_use", episodes: 20}}]
"""


class Both(Load):
    """`pairs` holds pairs of texts, everything else texts."""

    def __call__(self, name, spec):  # type: ignore[no-untyped-def]
        return Load(form="preference" if name == "pairs" else "text")(name, spec)


def compared(*overrides: str) -> Plan:
    return planned(COMPARE, *overrides, load=Both())


def trained(plan: Plan, method: str) -> list[Stage]:
    """The last trainings of a method, one for each seed."""
    stages = {stage.id: stage for stage in plan.stages}
    return [stages[run.stage] for run in plan.runs if run.cell["method"] == method and run.stage]


def test_a_training_by_acting_has_no_data_and_says_what_it_acts_in() -> None:
    plan = planned(ACTING)
    first, second = (stage for stage in plan.stages if stage.kind == "train")
    assert first.recipe["environment"] == {"name": "offline:arithmetic", "code": "1", "acted": 2}
    assert (first.steps, first.examples, first.parents) == (20, 20 * 16, ())
    assert first.recipe["seeds"] == {"tasks": 0, "sampling": 0, "init": 0} != second.recipe["seeds"]
    measured = [stage for stage in plan.stages if stage.kind == "evaluate"]
    assert [stage.parents for stage in measured] == [(first.id,), (second.id,), ()], "the base model last"
    assert {(str(stage.recipe["environment"]), stage.recipe["episodes"]) for stage in measured} == {
        (str(first.recipe["environment"]), 50)
    }


@pytest.mark.parametrize(
    "other",
    ["groups=4", "group_size=4", "loss=ppo", "loss_config={a: 1}", "substeps=2", "kl_penalty=0.1", "lag=1",
     "temperature=0.7", "environment=offline:other", "steps=21", "rank=8"],
)  # fmt: skip
def test_what_changes_the_result_changes_the_stage(other: str) -> None:
    ids = {stage.id for stage in planned(ACTING).stages}
    assert ids.isdisjoint(stage.id for stage in planned(ACTING, f"train.{other}").stages if stage.kind == "train")


class Odd(Guessing):
    """Whose prompt cannot be had, or said."""

    def __init__(self, prompt: Any) -> None:
        self.prompt = prompt

    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - the protocol's names
        if isinstance(self.prompt, BaseException):
            raise self.prompt
        return Guess(self.prompt)


@pytest.mark.parametrize(
    "prompt", [KeyError("no such file"), SystemExit(3), None, "", [], b"x", [{"role": "user"}], [{"content": "a"}], 7]
)
def test_an_environment_that_cannot_begin_is_named_and_not_planned_with(
    monkeypatch: pytest.MonkeyPatch, prompt: Any
) -> None:
    monkeypatch.setattr("tests.sweeps.questions.Guessing", lambda: Odd(prompt))
    with pytest.raises(
        PlanError, match=r"offline:arithmetic: its episode of seed 0 \((train|test)\)( raised|: expected)"
    ):
        planned(ACTING)


def test_each_part_of_a_long_chain_goes_on_from_the_one_before() -> None:
    plan = compared("methods.all={then: [sl, dpo, rl]}")
    stages = {stage.id: stage for stage in plan.stages}
    (last, *_) = trained(plan, "all")
    before = stages[str(last.recipe["parent"])]
    assert [before.recipe["method"], stages[str(before.recipe["parent"])].recipe["method"]] == ["dpo", "sl"]


@pytest.mark.parametrize("equal", ["equal={tokens: 2e5}", "equal={examples: 4000}", "equal={usd: 0.05}"])
def test_a_chain_shares_its_length_out(equal: str) -> None:
    """By hand: a fifth of the supervised steps of the whole method, and four fifths of what practice gets."""
    plan = compared(equal, "methods.shared={then: [{sl: 0.2}, {rl: 0.8}]}")
    stages = {stage.id: stage for stage in plan.stages}
    (whole, *_), (alone, *_), (last, *_) = (trained(plan, name) for name in ("sl", "rl", "shared"))
    first = stages[str(last.recipe["parent"])]
    assert first.steps == pytest.approx(0.2 * whole.steps, abs=1)
    assert last.recipe["method"] == "rl"
    length = "steps" if "examples" in equal else "tokens"
    assert float(str(last.recipe[length])) == pytest.approx(0.8 * float(str(alone.recipe[length])), abs=1)


def test_equal_shares_are_the_chain_without_shares() -> None:
    """The digest is that of the commit before shares came."""
    plain, halved = compared(), compared("methods.sl_then_rl={then: [{sl: 0.5}, {rl: 0.5}]}")
    assert [stage.id for stage in halved.stages] == [stage.id for stage in plain.stages]
    assert plain.digest == "b111522ffe54db33"


def test_a_part_that_is_not_compared_has_no_runs_and_changes_no_chain() -> None:
    whole, part = compared(), compared("methods.sl.compared=false", "methods.rl.compared=false")
    chained = [run for run in whole.runs if run.cell["method"] not in ("sl", "rl")]
    assert list(part.runs) == chained
    assert {stage.id for stage in part.stages} < {stage.id for stage in whole.stages}


def test_a_method_is_excluded_where_it_is_not_wanted() -> None:
    """Each with its own values: a rate of one method makes no further cells of the others."""
    varied = "vary={methods.rl.learning_rate: [0.01, 0.1]}"
    plan = compared(varied, "exclude=[{method: dpo}, {method: sl, methods.rl.learning_rate: 0.1}]")
    rates = [(run.cell["method"], run.cell["methods.rl.learning_rate"]) for run in plan.runs if run.seed == 1]
    assert rates == [("sl", 0.01), ("rl", 0.01), ("sl_then_rl", 0.01), ("rl", 0.1), ("sl_then_rl", 0.1)]
    with pytest.raises(SpecError, match=r"the 1st of exclude: data: no condition has it"):
        compared("exclude=[{data: demos}]")


def test_what_many_stages_have_in_common_is_reckoned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a plan of thousands of cells would take minutes."""
    counts = []
    for seeds in (1, 9):
        rollout_cost._bound_usage.cache_clear()
        calls = list[int]()
        least = EpisodeCosts.least
        with monkeypatch.context() as patch:
            patch.setattr(
                EpisodeCosts,
                "least",
                lambda play, prompt, least=least, calls=calls: calls.append(1) or least(play, prompt),
            )
            planned(ACTING, f"seeds={seeds}")
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0


def test_defaults_are_stated() -> None:
    stated = dict(planned(ACTING).defaults)
    assert {key: stated[f"train.{key}"] for key in ("groups", "group_size", "loss", "lag")} == {
        "groups": 16, "group_size": 8, "loss": "importance_sampling", "lag": 0,
    }  # fmt: skip
    assert not {"train.beta", "train.batch_size"} & set(stated)


def test_a_chain_states_no_defaults_of_its_own() -> None:
    stated = dict(compared().defaults)
    assert stated["methods.rl.lag"] == 0
    assert stated["methods.sl.rank"] == 32
    assert not [path for path in stated if path.startswith("methods.sl_then_rl.")]


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    "shape", [EpisodeShape(), EpisodeShape((1, 3), (2, 4), (3, 5)), EpisodeShape((2, 2), (1, 1), (4, 4))]
)
def test_an_episode_costs_no_less_than_the_least_and_no_more_than_the_most(
    shape: EpisodeShape, *, trained: bool
) -> None:
    """Counted by hand for rollouts that never part, and for rollouts that all part after their first action."""
    play, prompt = EpisodeCosts(shape, 4, trained), 10
    low, high = play.least(prompt), play.most(prompt)
    for end, parted in ((0, False), (1, True)):
        turns, action, observation = (bounds[end] for bounds in shape)
        read = [prompt + turn * (action + observation) for turn in range(turns)]
        requests = [read[0], *(tokens for tokens in read[1:] for _ in range(4 if parted else 1))]
        usage = Usage(
            training=4 * (read[-1] + action - 1) * trained,
            prefill=sum(requests),
            cached_prefill=4 * sum(read) - sum(requests),
            sample=4 * turns * action,
        )
        assert low.tokens <= usage.tokens <= high.tokens
        assert low.prefill <= usage.prefill <= high.prefill
        if end:
            assert usage == high


def test_an_estimate_is_as_narrow_as_the_shape_of_the_episodes() -> None:
    for stage in planned(ACTING).stages:
        assert stage.low_micro_usd is not None
        assert stage.micro_usd is not None
        assert 0 < stage.low_micro_usd <= stage.micro_usd <= WITHIN * stage.low_micro_usd


def test_a_wide_estimate_is_said_to_be_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guessing, "shape", EpisodeShape((1, 9), (1, 9), (0, 9)))
    assert any("EpisodeShape" in note and "offline:arithmetic" in note for note in planned(ACTING).notes)


def test_methods_have_the_same_of_tokens() -> None:
    plan = compared()
    for method in ("sl", "dpo", "rl"):
        for stage in trained(plan, method):
            # dpo looks at its pairs before it moves; what rl uses is known when it has been sampled.
            assert stage.low_tokens <= 2e5 * 1.05
            assert stage.tokens >= 2e5 * 0.95
            assert stage.tokens <= 2e5 * (1.5 if method == "rl" else 1.05)
    assert [stage.recipe["tokens"] for stage in trained(plan, "rl")] == [200_000] * 3
    assert [stage.recipe["tokens"] for stage in trained(plan, "sl_then_rl")] == [100_000] * 3
    assert any("200,000 tokens" in note for note in plan.notes)


def test_a_chain_is_stages_one_after_the_other_each_with_its_share() -> None:
    plan = compared()
    stages = {stage.id: stage for stage in plan.stages}
    alone = trained(plan, "sl")
    for seed, last in enumerate(trained(plan, "sl_then_rl")):
        (parent,) = last.parents
        assert stages[parent].recipe["method"] == "sl"
        assert last.recipe["parent"] == parent
        assert stages[parent].steps == pytest.approx(alone[seed].steps / 2, abs=1)
        assert stages[parent].recipe["seeds"] == alone[seed].recipe["seeds"]


def test_equal_parts_are_one_stage() -> None:
    """Two chains that begin alike share their beginning."""
    text = "methods.sl_then_dpo={then: [sl, dpo]}"
    plan = compared(text)
    assert {last.recipe["parent"] for last in trained(plan, "sl_then_rl")} == {
        last.recipe["parent"] for last in trained(plan, "sl_then_dpo")
    }


def test_methods_have_the_same_of_examples_or_of_dollars() -> None:
    counted = compared("equal={examples: 480}")
    assert {method: trained(counted, method)[0].steps for method in ("sl", "dpo", "rl")} == {
        "sl": 60, "dpo": 60, "rl": 30,
    }  # fmt: skip
    paid = compared("equal={usd: 0.05}")
    for method in ("sl", "dpo"):
        assert trained(paid, method)[0].micro_usd == pytest.approx(0.05 * MICRO, rel=0.05)
    acted = trained(paid, "rl")[0]
    assert acted.low_micro_usd is not None
    assert acted.micro_usd is not None
    assert acted.low_micro_usd <= 0.05 * MICRO <= acted.micro_usd
    with pytest.raises(PlanError, match=r"equal.usd: no price for other/model"):
        compared("equal={usd: 0.05}", "model=other/model")


def test_all_methods_are_measured_on_the_same_and_told_from_the_same_start() -> None:
    plan = compared()
    stages = {stage.id: stage for stage in plan.stages}
    base, *others = plan.runs
    assert (base.cell["method"], base.stage, len(others)) == (None, None, 12)
    assert set(base.measures) == {"nll", "preference", "task_completion"}
    for name in base.measures:
        items = {str(stages[run.measures[name]].recipe.get("items")) for run in plan.runs}
        assert len(items) == 1
    start = base.measures["preference"]
    assert {stages[run.measures["preference"]].recipe.get("reference") for run in others} == {start}


def test_where_several_data_sets_suit_their_names_tell_them_apart() -> None:
    plan = compared("data.more={source: more}")
    assert {"demos.nll", "more.nll", "preference", "task_completion"} == set(plan.runs[0].measures)
    assert compared("data.more={source: more}", "best={metric: more.nll, mode: min}").runs
    with pytest.raises(PlanError, match=r"evaluate: .*preference"):
        compared("data={demos: {source: demos}}", "methods={sl: {method: sl, data: demos, learning_rate: 0.1}}")


def test_what_is_varied_is_varied_for_all_methods() -> None:
    plan = compared("vary.equal.tokens=[1e5, 2e5]", "vary.methods.rl.kl_penalty=[0, 0.1]")
    assert len(plan.runs) == 4 * (1 + 12)
    assert {tuple(run.cell) for run in plan.runs} == {("method", "equal.tokens", "methods.rl.kl_penalty")}


@pytest.mark.parametrize(("lag", "cycles"), [(0, 4), (1, 3)])
def test_an_iteration_takes_a_cycle_for_each_turn_and_one_to_train(lag: int, cycles: int) -> None:
    plan = planned(ACTING, f"train.lag={lag}", "seeds=1")
    assert estimate_cycles([stage for stage in plan.stages if stage.kind == "train" or stage.parents]).total == (
        OPENING + 20 * cycles + (EVALUATION + 3)
    )


@pytest.mark.parametrize(("steps", "noted"), [(2, ["2", "2", "10"]), (9, ["9", "2", "10"]), (10, [])])
def test_fewer_iterations_than_show_a_trend_are_noted(steps: int, noted: list[str]) -> None:
    notes = [note for note in planned(ACTING, f"train.steps={steps}").notes if "iteration" in note]
    assert [number for note in notes for number in re.findall(r"\d+", note)] == noted


def test_too_few_iterations_by_tokens_are_noted_with_the_tokens_that_are_enough() -> None:
    """A reader who writes as many gets a plan without the note. A part of a chain has a note of its own."""
    notes = [note for note in compared("equal.tokens=5e4").notes if "iteration" in note and "times the tokens" in note]
    factors = [re.findall(r"; ([\d.]+) times the tokens of `equal` give at least (\d+)", note)[0] for note in notes]
    assert {enough for _, enough in factors} == {"10"}
    assert [note.partition(":")[0] for note in notes] == ["rl", "sl_then_rl, part rl"]
    enough = compared(f"equal.tokens={5e4 * max(float(times) for times, _ in factors)}")
    assert not [note for note in enough.notes if "times the tokens" in note]


def test_data_that_is_used_whole_without_a_size_in_the_file_is_noted_with_its_rows() -> None:
    whole = [note for note in compared().notes if note.startswith("data.demos: all ")]
    rows = {int(stage.examples) for stage in compared().stages if stage.kind == "train" and "data" in stage.recipe}
    assert [int(re.sub(r"\D", "", note)) for note in whole] == [*rows]
