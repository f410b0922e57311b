"""What cannot be planned is refused before anything is expanded, with the numbers that tell why."""

from dataclasses import replace
from typing import NoReturn

import pytest

from sweeps import PlanError, parse
from sweeps.planning.plan import plan
from sweeps.records import Dataset, Records
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.spec.sections import DataSpec
from tests.sweeps.questions import HEAD, ROOT, TRANSFER, Load, planned, prices
from tests.wording import lacks
from tinker_offline.model.characters import CONTEXT_LENGTH


def refused(text: str, *overrides: str, load: Load | None = None) -> str:
    with pytest.raises(PlanError) as caught:
        planned(text, *overrides, load=load)
    return str(caught.value)


def unread(name: str, spec: DataSpec) -> NoReturn:
    raise AssertionError(f"{name} ({spec.source}) was read")


def test_ten_million_runs_are_counted_and_not_expanded() -> None:
    sweep = parse(
        HEAD,
        overrides=["vary.train.learning_rate={lin: [0.1, 1], count: 5000000}", "vary.train.rank=[4]"],
    )
    with pytest.raises(PlanError) as caught:
        plan(sweep, load=unread, tokenizers=lambda _: OfflineTokenizer(), prices=prices())
    message = str(caught.value)
    assert "10,000,000 = train.learning_rate (5,000,000) × train.rank (1) × data (1) × seeds (2)" in message
    assert "200,000" in message


def test_every_axis_counts() -> None:
    assert "seeds (1,000,000)" in refused(HEAD, "seeds=1000000")
    assert "sizes (1,000,001)" in refused(TRANSFER, "sizes={lin: [1, 1000000], count: 1000000}")


def test_sizes_larger_than_the_data_are_named_for_every_data_set() -> None:
    lines = refused(TRANSFER, "sizes=[64, 128]", load=Load(100)).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["sizes", "source_size"]
    for line, size in zip(lines, ("128", "600"), strict=True):
        assert line.count("has 100 training rows") == line.count(" has ") > 1
        assert f"too large: {size};" in line


def test_a_source_may_take_all_there_is() -> None:
    plan = planned(TRANSFER, "source_size=~", "targets=[a]", load=Load(300))
    assert {stage.examples for stage in plan.stages if stage.kind == "train" and not stage.parents} == {
        16,
        32,
        64,
        128,
        300,
    }


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (Load(0), "data.a (a.jsonl): training none"),
        (Load(held=0), "data.a (a.jsonl): held-out none"),
        (Load(form="preference"), "got preference records"),
    ],
)
def test_data_that_cannot_be_used_is_named(load: Load, words: str) -> None:
    assert not lacks(refused(HEAD, load=load), words)


def test_a_budget_needs_a_price() -> None:
    message = refused(HEAD, "model=Org/Unheard", "budget.usd=3")
    assert message.startswith("budget.usd: no price for Org/Unheard in scheduler/prices.yaml")
    assert "Org/Unheard" in refused(HEAD, "vary.model=[offline/ngram-s, Org/Unheard]", "budget.usd=3")


def test_without_a_budget_a_model_may_have_no_price_and_the_plan_says_so() -> None:
    plan = planned(HEAD, "model=Org/Unheard")
    assert plan.totals.usd is None
    assert {stage.micro_usd for stage in plan.stages} == {None}
    assert any("Org/Unheard" in note and "scheduler/prices.yaml" in note for note in plan.notes)


def test_a_budget_below_the_estimate_is_only_a_note() -> None:
    notes = planned(TRANSFER, "budget.usd=0.01").notes
    assert any(note.startswith("budget: $0.0100 is less than the estimate of $") for note in notes)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["train.method=dpo", "vary.train.eval_every=[5]", "data.a.validation=5"],
            "eval_every: dpo does not look",
        ),
        (["evaluate=[{nll: {via: sampler}}]"], "via the sampler is not measured yet"),
        (["train.learning_rate=auto"], "train.learning_rate: auto has no rule"),
        (["vary.train.learning_rate=[0.1, auto]"], "train.learning_rate: auto has no rule"),
    ],
)
def test_what_is_not_built_is_refused_and_never_ignored(overrides: list[str], words: str) -> None:
    assert words in refused(HEAD, *overrides)


def test_a_cell_that_acts_needs_something_to_act_in() -> None:
    assert not lacks(refused(HEAD, "vary.train.method=[sl, rl]"), "'rl' train.environment")


def test_limits_of_the_night_change_nothing_of_what_is_done() -> None:
    night = (ROOT / "examples/night.yaml").read_text()
    assert "window:" in night
    plan = planned(night, load=Load(8192))
    free = planned(night.replace("window:", "#").replace("deadline:", "#"), load=Load(8192))
    assert [stage.id for stage in plan.stages] == [stage.id for stage in free.stages]


def test_thousands_of_runs_share_what_they_have_in_common() -> None:
    axis = "vary.train.learning_rate={geom: [1e-4, 1e-1], count: 500}"
    plan = planned(HEAD, axis, "seeds=8", load=Load(50))
    assert (len(plan.runs), plan.totals.train, plan.totals.evaluate) == (4001, 4000, 4001), "with the base model"
    assert len({id(stage.recipe["adam"]) for stage in plan.stages if stage.kind == "train"}) <= 500
    assert len({id(stage.execution) for stage in plan.stages if stage.kind == "train"}) == 1


def test_a_row_that_the_model_would_refuse_is_refused_before_it_is_paid_for() -> None:
    def load(name: str, spec: DataSpec) -> Dataset:
        made = Load(20)(name, spec)
        texts = ("x" * (OfflineTokenizer.longest - 2), "x" * (OfflineTokenizer.longest + 400))
        return replace(made, train=Records("text", tuple({"text": text} for text in texts)))

    with pytest.raises(PlanError) as caught:
        plan(parse(HEAD), load=load, tokenizers=lambda _: OfflineTokenizer(), prices=prices())
    assert OfflineTokenizer.longest == CONTEXT_LENGTH
    assert not lacks(str(caught.value), "data.a (a.jsonl): 1 of 2 4,096 offline/ngram-s 4,496")
