"""What rollouts are worth: held against their group, weighed token by token, read back to the bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.training.rollouts import (
    Rollout,
    compute_advantages,
    derive_sampling_seed,
    derive_task_seed,
    select_informative,
    split_groups,
    weigh_tokens,
)

rewards = st.floats(-10, 10, width=32)


def rollout(reward: float, *, own: int = 2, given: int = 3) -> Rollout:
    acted = np.array([False] * (given - 1) + [True] * own)
    logprobs = np.where(acted, -0.5, 0.0).astype(np.float32)
    return Rollout(np.arange(given + own, dtype=np.int32), acted, logprobs, reward, turns=1)


@given(st.lists(rewards, min_size=2, max_size=9))
def test_what_a_group_gains_it_loses(rewards: list[float]) -> None:
    values = compute_advantages([rollout(reward) for reward in rewards])
    assert math.isclose(sum(values), 0, abs_tol=1e-6)
    assert values[int(np.argmax(rewards))] == max(values)


def test_a_group_that_does_alike_teaches_nothing() -> None:
    alike, apart, alone = [rollout(1), rollout(1)], [rollout(0), rollout(1)], [rollout(5)]
    assert select_informative([alike, apart, alone, []]) == [apart]


def test_the_loss_is_a_mean_over_the_models_own_tokens() -> None:
    """By hand: rewards 1 and 0 are 0.5 above and below their mean; five tokens are the model's own."""
    weighed = weigh_tokens([[rollout(1, own=2), rollout(0, own=3)]])
    assert weighed[0].tolist() == pytest.approx([0, 0, 0.1, 0.1])
    assert weighed[1].tolist() == pytest.approx([0, 0, -0.1, -0.1, -0.1])


def test_a_penalty_takes_from_what_moved_more_than_the_rest() -> None:
    """By hand: moved by 1 and by 0 on average 0.5 nats, so 0.2 * 0.5 each way, over four tokens."""
    pair = [rollout(1), rollout(1)]
    far = [np.array([9, 9, 1, 1], np.float32), np.array([9, 9, 0, 0], np.float32)]
    weighed = weigh_tokens([pair], far, kl_penalty=0.2)
    assert weighed[0].tolist() == pytest.approx([0, 0, -0.025, -0.025])
    assert weighed[1].tolist() == pytest.approx([0, 0, 0.025, 0.025])
    assert [weights.tolist() for weights in weigh_tokens([pair], far)] == [[0] * 4] * 2


@given(st.integers(1, 20), st.integers(1, 30))
def test_parts_are_even_whole_and_in_order(count: int, groups: int) -> None:
    every = [[rollout(index)] for index in range(groups)]
    parts = split_groups(every, count)
    assert [group for part in parts for group in part] == every
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1


@given(st.lists(st.floats(-50, 0, width=32), min_size=1, max_size=8), rewards)
def test_it_is_read_back_to_the_bit(logprobs: list[float], reward: float) -> None:
    count = len(logprobs)
    first = Rollout(
        np.arange(count + 1, dtype=np.int32),
        np.arange(count) % 2 == 0,
        np.array(logprobs, np.float32),
        reward,
        3,
        {"solved": 1.0},
    )
    other = Rollout.read(first.document())
    assert all(np.array_equal(getattr(first, key), getattr(other, key)) for key in ("tokens", "acted", "logprobs"))
    assert (first.reward, first.turns, first.facts, len(first)) == (other.reward, other.turns, other.facts, count)


def test_every_request_has_chances_of_its_own() -> None:
    tasks = {
        derive_task_seed(seed, iteration, group) for seed in range(3) for iteration in range(9) for group in range(9)
    }
    assert len(tasks) == 243
    assert all(0 <= seed < 2**63 for seed in tasks)
    asked = [
        derive_sampling_seed(seed, iteration=iteration, group=group, transcript=transcript)
        for seed in range(2)
        for iteration in range(3)
        for group in range(3)
        for transcript in ([], [0], [0, 1], [1, 0])
    ]
    assert len(set(asked)) == len(asked)
    assert all(0 <= seed < 2**31 for seed in asked)
