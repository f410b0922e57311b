"""The loss of DPO is that of the paper, and its slopes are its derivatives."""

import math

import numpy as np
import pytest

from sweeps.records import Records
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.training.preference_loss import (
    Floats,
    accuracy,
    completions,
    counts,
    divergence,
    loss,
    margins,
    rewards,
    slopes,
    weights,
)

LENGTHS = np.array([3, 5, 2, 2, 7, 1], np.int64)  # of three pairs
BETA = 0.3


def drawn(seed: int) -> list[Floats]:
    """The log-probabilities of some completions."""
    source = np.random.default_rng(seed)
    return [-source.exponential(2.0, length) for length in LENGTHS]


def loss_of(policy: list[Floats], reference: list[Floats], *, by_length: bool) -> float:
    return loss(margins(rewards(policy, reference, length_normalise=by_length)), BETA)


def gradient(policy: list[Floats], reference: list[Floats], *, by_length: bool) -> list[Floats]:
    """What a cross-entropy with our weights has: minus the weight, for each token of a completion."""
    margin = margins(rewards(policy, reference, length_normalise=by_length))
    weights_of_tokens = weights(slopes(margin, BETA), LENGTHS, length_normalise=by_length)
    return [np.full(length, -weight) for length, weight in zip(LENGTHS, weights_of_tokens, strict=True)]


@pytest.mark.parametrize("by_length", [False, True])
def test_the_weights_are_minus_the_derivatives_by_each_tokens_log_probability(*, by_length: bool) -> None:
    """By central differences."""
    policy, reference, step = drawn(1), drawn(2), 1e-5
    for values, slope in zip(policy, gradient(policy, reference, by_length=by_length), strict=True):
        for token in range(len(values)):
            before = values[token]
            values[token] = before + step
            above = loss_of(policy, reference, by_length=by_length)
            values[token] = before - step
            below = loss_of(policy, reference, by_length=by_length)
            values[token] = before
            assert slope[token] == pytest.approx((above - below) / (2 * step), rel=1e-6, abs=1e-10)


@pytest.mark.parametrize("by_length", [False, True])
def test_torch_differentiates_to_the_same(*, by_length: bool) -> None:
    """Equation 7 as it is printed, where torch happens to be installed."""
    torch = pytest.importorskip("torch")
    policy, reference = drawn(1), drawn(2)
    tensors = [torch.tensor(values, requires_grad=True) for values in policy]
    shrink = torch.mean if by_length else torch.sum
    ratios = [shrink(ours - torch.tensor(theirs)) for ours, theirs in zip(tensors, reference, strict=True)]
    pairs = [BETA * ratios[2 * pair] - BETA * ratios[2 * pair + 1] for pair in range(len(LENGTHS) // 2)]
    loss = -torch.nn.functional.logsigmoid(torch.stack(pairs)).mean()
    loss.backward()
    assert loss_of(policy, reference, by_length=by_length) == pytest.approx(loss.item(), rel=1e-12)
    for tensor, slope in zip(tensors, gradient(policy, reference, by_length=by_length), strict=True):
        assert np.allclose(tensor.grad.numpy(), slope, rtol=1e-12, atol=0)


def test_at_the_reference_nothing_is_decided() -> None:
    start = drawn(1)
    margin = margins(rewards(start, start))
    assert loss(margin, BETA) == pytest.approx(math.log(2))
    assert accuracy(margin) == 0.5
    assert divergence(start, start) == 0
    assert slopes(margin, BETA).tolist() == [-BETA / 2 / 3, BETA / 2 / 3] * 3


def test_pairs_far_apart_overflow_nothing() -> None:
    far = np.array([1e6, -1e6])
    assert np.isfinite(loss(far, BETA))
    assert slopes(far, BETA).tolist() == [0, 0, -BETA / 2, BETA / 2], "what is right already pulls no more"


def test_accuracy_counts_a_tie_as_half() -> None:
    assert accuracy(np.array([2.0, -1.0, 0.0, 1.0])) == 0.625


def test_the_divergence_is_the_true_one_on_average_over_what_the_reference_writes() -> None:
    """Over a vocabulary of five, weighted by the reference: exactly KL(reference‖policy)."""
    source = np.random.default_rng(3)
    reference, policy = source.dirichlet(np.ones(5), 2)
    divergences = [divergence([np.log(policy[[token]])], [np.log(reference[[token]])]) for token in range(5)]
    assert all(value >= 0 for value in divergences)
    assert float(reference @ divergences) == pytest.approx(float(reference @ np.log(reference / policy)))


def test_only_the_completion_counts() -> None:
    pair = Records("preference", ({"prompt": "ab", "chosen": "yes", "rejected": "n"},))
    chosen, rejected = render_all(pair, OfflineTokenizer(), loss_mask="completion")
    assert counts([chosen, rejected]).tolist() == [4, 2], "with the end of each"
    logprobs = [np.arange(len(side), dtype=np.float32) for side in (chosen, rejected)]
    assert [values.tolist() for values in completions([chosen, rejected], logprobs)] == [[2, 3, 4, 5], [2, 3]]
