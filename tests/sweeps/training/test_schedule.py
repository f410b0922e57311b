"""Lengths and schedules are the formulas that their docstrings give."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.spec.train_section import Train
from sweeps.training.schedule import Schedule, count_warmup, describe_length, learning_rate_at, resolve_steps

SCHEDULES: tuple[Schedule, ...] = ("constant", "linear", "cosine", "wsd")


def steps(size: int, mean_tokens: float = 10.0, **train: object) -> int:
    return resolve_steps(Train.model_validate(train), size=size, mean_tokens=mean_tokens)


@pytest.mark.parametrize(("size", "right"), [(32, 16), (64, 23), (128, 32), (2048, 128), (8192, 256), (1, 3)])
def test_a_law_grows_with_the_data(size: int, right: int) -> None:
    assert steps(size, steps={"base": 16, "at_size": 32, "power": 0.5}) == right


def test_there_is_always_a_step() -> None:
    assert steps(1, steps={"base": 1, "at_size": 1000, "power": 2}) == 1
    assert steps(1000, tokens=1, batch_size=32) == 1


def test_a_number_is_a_number_at_every_size() -> None:
    assert {steps(size, steps=200) for size in (1, 100, 10_000)} == {200}


@pytest.mark.parametrize(("epochs", "right"), [(1, 4), (3, 10), (0.5, 2), (0.01, 1)])
def test_epochs_hold_every_example_that_often(epochs: float, right: int) -> None:
    assert steps(100, epochs=epochs, batch_size=32) == right


def test_epochs_of_little_data_have_small_batches_and_a_floor() -> None:
    assert steps(8, epochs=3, batch_size=32) == 3
    assert steps(8, epochs=3, batch_size=32, min_steps=20) == 20


def test_tokens_are_met_to_the_nearest_batch() -> None:
    assert steps(1000, tokens=32_000, batch_size=32, mean_tokens=10) == 100
    assert steps(1000, tokens=32_170, batch_size=32, mean_tokens=10) == 101


@pytest.mark.parametrize(("warmup", "right"), [(0, 0), (5, 5), (500, 100), (0.1, 10), (0.005, 1), (0.004, 0)])
def test_a_warm_up_is_a_count_or_a_share(warmup: float, right: int) -> None:
    assert count_warmup(warmup, 100) == right


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_warm_up_the_first_step_has_the_peak(schedule: Schedule) -> None:
    assert learning_rate_at(0, schedule=schedule, warmup=0, steps=50, peak=0.3) == 0.3


@given(st.sampled_from(SCHEDULES), st.integers(1, 300), st.integers(0, 300))
def test_a_rate_is_positive_never_above_the_peak_and_falls_after_the_warm_up(
    schedule: Schedule, count: int, warmup: int
) -> None:
    rates = [learning_rate_at(step, schedule=schedule, warmup=warmup, steps=count, peak=2.0) for step in range(count)]
    assert all(0 < rate <= 2.0 for rate in rates)
    after = rates[max(0, count_warmup(warmup, count) - 1) :]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(after))


def test_known_values() -> None:
    def at(step: int, schedule: Schedule) -> float:
        return learning_rate_at(step, schedule=schedule, warmup=0, steps=100, peak=1.0)

    assert [at(step, "constant") for step in (0, 50, 99)] == [1, 1, 1]
    assert [at(step, "linear") for step in (0, 50, 99)] == pytest.approx([1, 0.5, 0.01])
    assert [at(step, "cosine") for step in (0, 25, 50)] == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5])
    assert [at(step, "wsd") for step in (0, 80, 85, 99)] == pytest.approx([1, 1, 0.5, 1 - math.sqrt(0.95)])


def test_the_warm_up_rises_to_its_last_step() -> None:
    rates = [learning_rate_at(step, schedule="constant", warmup=0.04, steps=100, peak=1.0) for step in range(5)]
    assert rates == [0.25, 0.5, 0.75, 1.0, 1.0]


@pytest.mark.parametrize("step", [-1, 10])
def test_a_step_outside_is_refused(step: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 9"):
        learning_rate_at(step, schedule="linear", warmup=0, steps=10, peak=1.0)


def test_the_control_is_named() -> None:
    law = Train.model_validate({"steps": {"base": 16, "at_size": 32, "power": 0.5}})
    assert describe_length(law) == "steps = 16·(n/32)^0.5 (n = number of training rows)"
    assert describe_length(Train(epochs=3, min_steps=20)) == "3 epochs at every size, at least 20 steps"
    assert describe_length(Train(tokens=2_000_000)) == "2,000,000 tokens at every size"
