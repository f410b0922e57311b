"""The numbers that a training keeps about itself: what its steps say, and nothing that they do not."""

import math
from typing import Any

import pytest

from sweeps.training.learning_facts import collect_learning_facts

SL = {"method": "sl", "data": {"size": 1000}, "batch_size": 7}
DPO = {**SL, "method": "dpo"}
RL = {"method": "rl", "groups": 4, "group_size": 8, "temperature": 1.0}


def played(reward: float, mixed: int, **more: float) -> dict[str, Any]:
    return {"reward": reward, "num_learnt": 8 * mixed, "num_mixed": mixed, "num_lost": 0, **more}


def test_the_first_and_the_last_quarter_are_compared() -> None:
    facts = collect_learning_facts([{"train_mean_nll": float(value)} for value in (8, 6, 5, 4, 3, 3, 2, 1)], SL)
    assert (facts["steps"], facts["window"], facts["first"], facts["last"]) == (8, 2, 7.0, 1.5)


def test_whole_epochs_are_compared_where_there_are_two_because_they_have_the_same_rows() -> None:
    rows = [{"train_mean_nll": value} for value in (3.0, 1.0, 2.9, 0.9, 2.8, 0.8, 2.0)]
    facts = collect_learning_facts(rows, {**SL, "data": {"size": 14}})
    assert (facts["window"], facts["first"], facts["step_sd"]) == (2, 2.0, 0.0)
    assert facts["last"] == pytest.approx(1.8)
    uneven = collect_learning_facts(rows, {**SL, "data": {"size": 15}})
    assert uneven["window"] == 1


def test_a_loss_that_drops_at_once_is_no_noise() -> None:
    facts = collect_learning_facts([{"train_mean_nll": value} for value in (9.0, *[1.0] * 7)], SL)
    assert facts["step_sd"] == 0


def test_values_that_are_missing_or_not_finite_are_left_out() -> None:
    rows = [{"train_mean_nll": value} for value in (2.0, None, math.nan, 1.0)]
    facts = collect_learning_facts(rows, SL)
    assert (facts["first"], facts["last"], facts["steps"]) == (2.0, 1.0, 4)
    assert collect_learning_facts([{"train_mean_nll": None}], SL) == {"method": "sl", "steps": 1}
    assert collect_learning_facts([], SL) == {"method": "sl", "steps": 0}


def test_pairs_are_read_after_the_first_step_which_is_measured_before_any_update() -> None:
    shares = (0.5, 0.75, 1.0, 1.0, 1.0)
    rows = [{"dpo_loss": 0.7 - share, "accuracy": share, "num_sequences": 8} for share in shares]
    facts = collect_learning_facts(rows, DPO)
    assert (facts["pairs"], facts["accuracy"]) == (4, 1.0)
    assert "pairs" in collect_learning_facts(rows[:1], DPO)
    assert "accuracy" not in collect_learning_facts(rows[:1], DPO)


def test_the_last_iteration_in_which_a_group_differed_and_the_reward_from_there() -> None:
    rows = [played(0.0, 0), played(0.5, 2), played(0.25, 1), played(1.0, 0), played(0.5, 0)]
    facts = collect_learning_facts(rows, RL)
    assert (facts["mixed_iterations"], facts["last_mixed_iteration"]) == (2, 3)
    assert (facts["mixed_groups"], facts["reward_after"]) == (3 / 20, 0.75)
    older = [{name: value for name, value in row.items() if name != "num_mixed"} for row in rows]
    assert "mixed_groups" not in collect_learning_facts([*older[:2], *rows[2:]], RL)
    never = collect_learning_facts(rows[:1], RL)
    assert (never["mixed_iterations"], never["last_mixed_iteration"], never["reward_after"]) == (0, 0, 0.0)
    assert "reward_after" not in collect_learning_facts(rows[:2], RL)


def test_cut_lost_and_certain() -> None:
    rows = [played(0.0, 1, cut_turns=share, entropy=1 - share, num_lost=8) for share in (0.0, 0.2, 0.4, 1.0)]
    facts = collect_learning_facts(rows, RL)
    assert (facts["cut_turns"], facts["first_entropy"], facts["entropy"], facts["lost"]) == (1.0, 1.0, 0.0, 0.25)
