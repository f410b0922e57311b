"""The plan: equal work once, what is measured on what, exact tokens, and the same question is the same plan."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from pydantic import create_model

from sweeps import Plan, Stage, parse
from sweeps.identity import fingerprint
from sweeps.planning.defaults import list_restated
from sweeps.planning.plan import plan
from sweeps.planning.plan_json import build_plan_document
from sweeps.records import Dataset, Records
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.training.data_order import order_subset, select_batch
from tests.sweeps.questions import HEAD, TRANSFER, Load, list_trained, planned, prices

SCALING = """
sweep: scaling
experiment: data_scaling
model: offline/ngram-s
train: {learning_rate: 0.01, batch_size: 32, epochs: 2.3}
data: {a: {source: a, validation: 5}, b: {source: b, validation: 5}}
sizes: [10, 33, 100]
seeds: [4, 7]
"""
DATA = parse(SCALING).data


def by_id(plan: Plan) -> dict[str, Stage]:
    return {stage.id: stage for stage in plan.stages}


def trained(plan: Plan) -> list[Stage]:
    return [stage for stage in plan.stages if stage.kind == "train"]


def document(recipe: Mapping[str, Any], key: str) -> dict[str, Any]:
    part = recipe[key]
    assert isinstance(part, dict)
    return part


def ids(*arguments: str) -> list[str]:
    return [stage.id for stage in planned(*arguments).stages]


@pytest.mark.parametrize(("share", "train", "examples"), [("run", 315, 326_880), ("sweep", 305, 244_960)])
def test_a_transfer_grid_trains_each_source_once(share: str, train: int, examples: int) -> None:
    """5 domains, 4 sizes, 3 seeds, a source size that is none of the sizes: 315 trainings and not 540."""
    scale = ["sizes=[32, 128, 512, 2048]", "source_size=8192"]
    totals = planned(TRANSFER, f"share_sources={share}", *scale, load=Load(8192)).totals
    assert (totals.train, totals.naive_train) == (train, 540)
    assert (totals.examples, totals.naive_examples) == (examples, 2_170_080)


def test_a_source_of_one_of_the_sizes_is_the_target_alone() -> None:
    assert planned(TRANSFER, "source_size=128").totals.train == 300


@pytest.mark.parametrize("text", [HEAD, SCALING, TRANSFER])
def test_a_stage_is_known_by_its_recipe_and_stands_behind_its_parents(text: str) -> None:
    plan, seen = planned(text), set[str]()
    for stage in plan.stages:
        assert stage.id == f"{stage.kind}-{fingerprint(stage.recipe)}"
        assert seen.issuperset(stage.parents)
        assert stage.recipe["parent"] == (stage.parents[0] if stage.parents else None)
        seen.add(stage.id)
    assert len(seen) == len(plan.stages) == plan.totals.stages
    assert seen == {stage for run in plan.runs for stage in run.measures.values()} | {
        stage.id for stage in trained(plan)
    }


def test_the_cells_of_a_data_scaling() -> None:
    plan = planned(SCALING)
    expected = [
        ({"data": name, "size": size}, seed)
        for name in "ab"
        for size in (0, 10, 33, 100)
        for seed in ((4, 7) if size else (4,))
    ]
    assert [(dict(run.cell), run.seed) for run in plan.runs] == expected
    for run in plan.runs:
        measured = by_id(plan)[run.measures["nll"]]
        assert set(run.measures) == {"nll"}
        assert measured.parents == (() if run.stage is None else (run.stage,))
        assert (run.stage is None) == (run.cell["size"] == 0)


def test_the_cells_of_a_transfer() -> None:
    plan = planned(TRANSFER, "targets=[a]", "sources=[a, b]", "sizes=[16]", "seeds=2")
    stages = by_id(plan)
    runs = {(run.cell["source"], run.cell["size"], run.seed): run for run in plan.runs}
    assert set(runs) == {(None, 0, 0), (None, 16, 0), (None, 16, 1), *(("b", n, s) for n in (0, 16) for s in (0, 1))}
    for (source, size, seed), run in runs.items():
        assert run.cell["target"] == "a"
        assert set(run.measures) == ({"nll", "source.nll"} if source else {"nll"})
        if source and size:
            assert run.stage is not None
            assert stages[run.stage].parents == (runs[source, 0, seed].stage,)
            before = stages[runs[source, 0, seed].measures["source.nll"]]
            after = stages[run.measures["source.nll"]]
            assert before.recipe["items"] == after.recipe["items"] != stages[run.measures["nll"]].recipe["items"]
            assert (before.parents, after.parents) == ((runs[source, 0, seed].stage,), (run.stage,))
    assert runs[None, 0, 0].stage is None


def test_a_shared_source_is_measured_alone_once() -> None:
    plan = planned(TRANSFER, "targets=[a]", "sources=[b]", "sizes=[16]", "share_sources=sweep")
    alone = [run for run in plan.runs if run.cell["source"] == "b" and run.cell["size"] == 0]
    assert len(alone) == 1
    children = [stage for stage in trained(plan) if stage.parents]
    assert {stage.parents for stage in children} == {(alone[0].stage,)}
    assert len(children) == 3


def test_the_cells_of_a_grid() -> None:
    plan = planned(HEAD, "vary.train.rank=[4, 8]", "data.a.validation=5", "best={metric: nll, mode: min}")
    assert [(dict(run.cell), run.seed) for run in list_trained(plan)] == [
        ({"train.rank": r}, s) for r in (4, 8) for s in (0, 1)
    ]
    assert {tuple(run.measures) for run in list_trained(plan)} == {("nll", "validation.nll")}
    assert {stage.examples for stage in trained(plan)} == {1000}
    two = planned(HEAD, "data.b={source: b}")
    assert [run.cell for run in list_trained(two)] == [{"data": "a"}, {"data": "a"}, {"data": "b"}, {"data": "b"}]


@pytest.mark.parametrize("length", ["epochs=2.3", "steps=1", "tokens=20000"])
def test_tokens_are_those_of_the_rows_that_the_steps_visit(length: str) -> None:
    plan = planned(SCALING, "train.epochs=~", f"train.{length}")
    for stage in trained(plan):
        data, seeds = document(stage.recipe, "data"), document(stage.recipe, "seeds")
        made = _dataset(stage)
        lengths = np.array([len(example) for example in render_all(made.train, OfflineTokenizer(), loss_mask="all")])
        subset = lengths[order_subset(len(made.train), seeds["subset"])[: data["size"]]]
        batch = int(str(stage.recipe["batch_size"]))
        rows = [select_batch(n, size=len(subset), batch_size=batch, seed=seeds["order"]) for n in range(stage.steps)]
        assert stage.tokens == sum(int(subset[batch].sum()) for batch in rows)
        assert (stage.examples, stage.steps) == (data["size"], stage.recipe["steps"])
        assert stage.micro_usd == -(-stage.tokens * 4 // 10)


def test_subsets_of_a_seed_nest_and_the_plan_proves_it() -> None:
    plan = planned(SCALING)
    own = {_subset_key(stage, stage.examples): document(stage.recipe, "data")["subset"] for stage in trained(plan)}
    assert len(own) == 12
    for stage in trained(plan):
        contained = plan.contains(stage)
        assert set(contained) == {size for size in (10, 33, 100) if size < stage.examples}
        for size, prefix in contained.items():
            assert prefix == own[_subset_key(stage, size)]
    assert len(set(own.values())) == 12


def _subset_key(stage: Stage, size: int) -> tuple[str, int, int]:
    return document(stage.recipe, "data")["records"], document(stage.recipe, "seeds")["subset"], size


def test_a_batch_is_never_larger_than_the_data() -> None:
    sizes = {(stage.examples, stage.recipe["batch_size"]) for stage in trained(planned(SCALING))}
    assert sizes == {(10, 10), (33, 32), (100, 32)}


def test_the_same_question_is_the_same_plan() -> None:
    assert planned(SCALING) == planned(SCALING.replace("0.01", "1e-2").replace("epochs: 2.3", "epochs: 23e-1"))


@pytest.mark.parametrize(
    "override",
    ["priority=3", "budget.usd=1", "limits.slots=1", "checkpoint.every_steps=2", "train.eval_every=1", "sweep=other"],
)
def test_how_and_when_and_for_whom_is_not_identity(override: str) -> None:
    assert ids(SCALING, override) == ids(SCALING)
    assert planned(SCALING, override).digest != planned(SCALING).digest


@pytest.mark.parametrize(
    "override",
    [
        "train.rank=4",
        "train.learning_rate=0.02",
        "train.adam.eps=1e-9",
        "train.train_attn=false",
        "model=offline/ngram-m",
    ],
)
def test_whatever_changes_the_result_is_identity(override: str) -> None:
    before = {stage.id for stage in trained(planned(SCALING))}
    assert before.isdisjoint(stage.id for stage in trained(planned(SCALING, override)))


def test_other_data_is_another_stage_and_another_plan() -> None:
    changed = planned(SCALING, "data.b.source=c")
    assert len({*ids(SCALING)}.intersection(stage.id for stage in changed.stages)) == len(planned(SCALING).stages) // 2
    assert changed.digest != planned(SCALING).digest


def test_a_key_that_a_later_version_adds_makes_no_other_question_of_a_sweep() -> None:
    """A sweep that was submitted before an update is continued after it by the same file."""
    today = parse(SCALING)
    later = create_model("Later", __base__=type(today), added=(str | None, None))
    again = later.model_validate(today.model_dump(exclude_unset=True))
    after = plan(again, load=Load(), tokenizers=lambda _: OfflineTokenizer(), prices=prices())
    assert after.digest == planned(SCALING).digest


def test_an_evaluation_of_the_base_does_not_hang_on_the_training() -> None:
    zero = {run.measures["nll"] for run in planned(SCALING, "vary.train.rank=[4, 8]").runs if run.stage is None}
    assert len(zero) == 2


@pytest.mark.parametrize(("reuse", "shared"), [("all", True), ("sweep", True), ("never", False)])
def test_reuse_says_who_may_share(reuse: str, shared: bool) -> None:
    totals = planned(TRANSFER, f"reuse={reuse}").totals
    alone = 5 * 4 * 3  # source-only rows, each of which trains its source again
    assert totals.train == (315 if shared else 540 + alone)
    other = ids(TRANSFER, f"reuse={reuse}", "sweep=other")
    assert set(other).isdisjoint(ids(TRANSFER, f"reuse={reuse}")) == (reuse != "all")


def test_looking_on_the_way_costs_tokens_and_is_told_to_the_worker() -> None:
    plain, looking = trained(planned(SCALING)), trained(planned(SCALING, "train.eval_every=2"))
    for before, after in zip(plain, looking, strict=True):
        assert after.tokens - before.tokens == after.steps // 2 * sum(
            len(example) for example in render_all(_validation(after), OfflineTokenizer(), loss_mask="all")
        )
        assert after.execution["eval_every"] == 2
        assert after.execution["validation"] == _validation(after).sha256
        assert after.execution["checkpoint"] == before.execution["checkpoint"]
        assert before.execution["validation"] is None


def test_when_a_loss_counts_as_diverged_is_stated_told_to_the_worker_and_changes_no_result() -> None:
    plain, strict = planned(SCALING), planned(SCALING, "train.diverged_above=12")
    assert dict(plain.defaults)["train.diverged_above"] == 50.0
    assert "train.diverged_above" not in dict(strict.defaults)
    for before, after in zip(trained(plain), trained(strict), strict=True):
        assert (before.execution["diverged_above"], after.execution["diverged_above"]) == (50.0, 12.0)
        assert (before.id, before.recipe) == (after.id, after.recipe)


def _validation(stage: Stage) -> Records:
    validation = _dataset(stage).validation
    assert validation is not None
    return validation


def _dataset(stage: Stage) -> Dataset:
    made = (Load()(name, spec) for name, spec in DATA.items())
    return next(dataset for dataset in made if dataset.train.sha256 == document(stage.recipe, "data")["records"])


def test_completions_bear_loss_alone() -> None:
    plan = planned(HEAD, load=Load(form="completion"))
    assert {stage.recipe["loss_mask"] for stage in plan.stages} == {"completion"}
    assert {stage.recipe["loss_mask"] for stage in planned(HEAD).stages} == {"all"}


def test_the_document_is_json_and_has_what_it_promises() -> None:
    plan = planned(TRANSFER, "deadline=2026-12-01T08:00:00+01:00")
    row = json.loads(json.dumps(build_plan_document(plan)))
    assert list(row["totals"]) == [
        *("stages", "train", "evaluate", "naive_train", "examples", "naive_examples"),
        *("low_tokens", "tokens", "low_usd", "usd", "price_dates"),
    ]
    train = next(stage for stage in row["stages"] if stage["examples"] == 128 and stage["parents"])
    assert set(train) >= {"id", "kind", "parents", "label", "steps", "tokens", "usd", "subset", "contains"}
    assert list(train["contains"]) == ["16", "32", "64"]
    assert set(row["runs"][0]) == {"cell", "seed", "stage", "previous_stages", "evaluations"}
    assert row["totals"]["usd"] == pytest.approx(sum(stage["usd"] for stage in row["stages"]))


def test_every_default_is_stated() -> None:
    stated = dict(planned(TRANSFER).defaults)
    assert stated["train.rank"] == 32
    assert stated["train.adam.eps"] == 1e-8
    assert stated["targets"] == ["a", "b", "c", "d", "e"]
    assert stated["evaluate"] == ["nll"]
    assert {"budget", "limits.slots"} <= set(stated)
    assert "source_size" not in stated
    assert not {"seeds", "train.learning_rate"} & set(stated)
    restated = dict(list_restated(parse(TRANSFER)))
    assert restated["seeds"] == 3
    assert not {"train.rank", "train.learning_rate"} & set(restated)
    assert "share_sources" not in dict(planned(HEAD).defaults)
