"""The gradient is that of the loss, Adam is Adam, and visiting the rows ever reached equals visiting all."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.tinker_offline.model.problem import SEED, TINY, add_loss_gradient, make_problem, weighted_loss
from tinker_offline.model.learner import AdamParams, Learner
from tinker_offline.model.ngram import (
    Adapter,
    Floats,
    Positions,
    context_rows,
    new_adapter,
    sum_groups,
    target_logprobs,
)


@pytest.mark.parametrize("part", Adapter._fields)
def test_finite_differences_agree(part: str) -> None:
    base, adapter, positions, weights = make_problem()
    learner = Learner(adapter)
    logprobs = add_loss_gradient(learner, base, positions, weights)
    assert np.allclose(logprobs, target_logprobs(base, adapter, positions), atol=1e-6)
    gradient: Floats = getattr(learner.pending().sums, part)
    steepest = np.argsort(-abs(gradient), axis=None)[:5]
    for at in map(int, steepest):
        values: npt.NDArray[np.float32] = getattr(adapter, part).reshape(-1)
        before, step = values[at], 1e-2
        values[at] = before + step
        above = weighted_loss(base, adapter, positions, weights)
        values[at] = before - step
        below = weighted_loss(base, adapter, positions, weights)
        values[at] = before
        assert (above - below) / (2 * step) == pytest.approx(float(gradient.reshape(-1)[at]), rel=2e-2)


def test_gradients_add_up_until_the_step() -> None:
    base, adapter, positions, weights = make_problem()
    once, twice = Learner(adapter.copy()), Learner(adapter.copy())
    add_loss_gradient(once, base, positions, 2 * weights)
    add_loss_gradient(twice, base, positions, weights)
    add_loss_gradient(twice, base, positions, weights)
    for whole, other in zip(once.pending().sums, twice.pending().sums, strict=True):
        assert np.allclose(whole, other, atol=1e-5)
    twice.step(AdamParams())
    assert not any(array.any() for array in twice.pending().sums)


def test_adam_is_the_formula() -> None:
    params = AdamParams(0.1, 0.8, 0.9, 1e-3, weight_decay=0.5, grad_clip_norm=0.25)
    base, adapter, positions, weights = make_problem()
    learner = Learner(adapter.copy())
    value, first, second = adapter.up.astype(np.float64), 0.0, 0.0
    for step in (1, 2, 3):
        add_loss_gradient(learner, base, positions, weights)
        sums = [array.astype(np.float64) for array in learner.pending().sums]
        norm = np.sqrt(sum((array**2).sum() for array in sums))
        gradient = sums[1] * min(1.0, params.grad_clip_norm / norm)
        first = params.beta1 * first + (1 - params.beta1) * gradient
        second = params.beta2 * second + (1 - params.beta2) * gradient**2
        change = first / (1 - params.beta1**step) / (np.sqrt(second / (1 - params.beta2**step)) + params.eps)
        value = value * (1 - params.learning_rate * params.weight_decay) - params.learning_rate * change
        assert learner.step(params) == pytest.approx(norm, rel=1e-5)
        assert np.allclose(learner.adapter.up, value, atol=1e-4)


def test_rows_never_reached_need_no_visit() -> None:
    """The same steps with every row visited give the same bits."""
    base, adapter, positions, weights = make_problem()
    sparse, dense = Learner(adapter.copy()), Learner(adapter.copy())
    few = Positions(positions.rows[:6], positions.targets[:6])
    for batch in (few, few, positions):
        for learner in (sparse, dense):
            add_loss_gradient(learner, base, batch, weights[: len(batch.targets)])
        dense.reached = np.ones(TINY.features, np.bool_)
        for learner in (sparse, dense):
            learner.step(AdamParams(learning_rate=0.1, eps=0.0))
        assert sparse.reached is not None
        assert sparse.reached.mean() < 0.4 or batch is positions
    for name, array in sparse.arrays().items():
        assert array.tobytes() == dense.arrays()[name].tobytes(), name


def test_moments_fade_to_zero() -> None:
    """They do not end among the subnormal numbers, where arithmetic is very slow."""
    base, adapter, positions, weights = make_problem()
    first, second = adapter.zeros(), adapter.zeros()
    learner = Learner(adapter, first, second)
    add_loss_gradient(learner, base, positions, weights)
    for _ in range(1024):
        learner.step(AdamParams(learning_rate=1e-3))
        for moment in (first.down, second.down):
            assert not ((moment != 0) & (abs(moment) < np.finfo(np.float32).tiny)).any()
    assert not first.down.any()


def test_grouped_sum_is_add_at() -> None:
    source = np.random.default_rng(SEED)
    rows = (source.pareto(0.5, size=(3000, 4)) * 3).clip(0, 999).astype(np.uint16)
    values = source.standard_normal((3000, 5), np.float32)
    expected = np.zeros((1000, 5))
    for order in range(4):
        np.add.at(expected, rows[:, order], values)
    reached, sums = sum_groups(rows, values)
    summed = np.zeros((1000, 5))
    summed[reached] = sums
    assert len(set(reached.tolist())) == len(reached)
    assert np.allclose(summed, expected, atol=1e-3)


def test_contexts_do_not_cross_sequences() -> None:
    first, other = np.array([5, 6, 7, 8]), np.array([9, 6, 7, 8])
    together = context_rows(np.concatenate([first, other]), [4, 4], TINY)
    assert (together == np.concatenate([context_rows(part, [4], TINY) for part in (first, other)])).all()
    assert (together[3] == together[7]).all()  # the last three tokens are the same
    assert (together[2] != together[6]).any()  # the third before is not


def test_the_rank_does_not_change_the_step() -> None:
    """After one step of one learning rate, the logits have moved about equally far at every rank."""
    moved = []
    for rank in (4, 16, 64):
        base, _, positions, weights = make_problem()
        learner = Learner(new_adapter(TINY, rank, seed=1))
        for _ in range(2):
            add_loss_gradient(learner, base, positions, weights)
            learner.step(AdamParams(0.01, 0.9, 0.95, 1e-8))
        moved.append(weighted_loss(base, new_adapter(TINY, 1, 0), positions, weights))
        moved[-1] -= weighted_loss(base, learner.adapter, positions, weights)
    assert max(moved) < 2 * min(moved)
    assert min(moved) > 0
