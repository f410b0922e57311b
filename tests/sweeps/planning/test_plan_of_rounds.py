"""The plan of a sweep with `until` is its first round; the stages of all that may follow are held back."""

import pytest

from sweeps import PlanError
from sweeps.stage import HeldRun, Plan
from tests.sweeps.questions import planned

ROUNDS = """
sweep: rounds
experiment: data_scaling
model: offline/ngram-s
train: {learning_rate: 0.01, batch_size: 32, epochs: 1}
data: {a: {source: a}}
sizes: [10, 20, 40, 80]
seeds: [4, 7]
target: {metric: nll, below: 2}
"""
UNTIL = "until={minimum_data: {ratio: 1.5}}"


def list_missing(plan: Plan, held: HeldRun) -> set[str]:
    return {*held.stages} - {stage.id for stage in (*plan.stages, *plan.held_stages)}


def test_the_first_round_is_planned_and_no_stage_of_what_may_follow_is_missing() -> None:
    plan, grid = planned(ROUNDS, UNTIL), planned(ROUNDS)
    assert {run.cell["size"] for run in plan.runs} == {0, 10, 20, 40, 80}
    assert len(plan.runs) < len(grid.runs) < len(plan.held)
    assert not any(list_missing(plan, held) for held in plan.held)
    assert {stage.id for stage in grid.stages} <= {stage.id for stage in (*plan.stages, *plan.held_stages)}


def test_seeds_that_are_added_are_not_those_of_the_file() -> None:
    plan = planned(ROUNDS, UNTIL)
    assert {held.run.seed for held in plan.held if held.run.cell["size"]} == {4, 7, 0, 1}
    assert {held.run.seed for held in plan.held if held.in_grid and held.run.cell["size"]} == {4, 7}


@pytest.mark.parametrize(
    "until", ["", UNTIL, "until={minimum_data: {ratio: 3}, most: 9}", "until={minimum_data: {ratio: 3}, most: 12}"]
)
def test_a_sweep_is_the_same_question_wherever_it_stops(until: str) -> None:
    assert planned(ROUNDS, *filter(None, [until])).digest == planned(ROUNDS).digest


@pytest.mark.parametrize(
    ("until", "key"),
    [
        ("until={minimum_data: {ratio: 1.5}, most: 3}", "until.most"),
        ("until={minimum_data: {ratio: 1.5}, budget: {usd: 1e-6}}", "until.budget"),
    ],
)
def test_a_limit_below_the_first_round_is_refused(until: str, key: str) -> None:
    with pytest.raises(PlanError, match=key):
        planned(ROUNDS, until)
