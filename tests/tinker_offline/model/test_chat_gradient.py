"""The gradient of a chat model is that of the loss, for every loss and every trained array; its rank is its rank."""

import numpy as np
import numpy.typing as npt
import pytest

from tests.tinker_offline.model.chat_problem import (
    SEED,
    TINY,
    TINY_FINDER,
    compute_loss,
    make_chat_problem,
    make_inputs,
)
from tests.tinker_offline.model.chat_training import accumulate, list_config
from tinker_offline.model.chat import Texts, chat_logprobs
from tinker_offline.model.families import new_adapter, target_logprobs
from tinker_offline.model.learner import AdamParams, Learner, list_adapter_arrays
from tinker_offline.model.losses import LOSSES
from tinker_offline.model.ngram import Adapter, Floats, Size
from tinker_offline.model.pointer import RELATIONS


@pytest.mark.parametrize(
    ("name", "part", "size"),
    [
        *((name, part, TINY) for name in ("cross_entropy", "importance_sampling") for part in Adapter._fields),
        *(("cross_entropy", part, TINY_FINDER) for part in ("down", "trust")),
    ],
)
def test_finite_differences_agree(name: str, part: str, size: Size) -> None:
    base, adapter, (texts, answers) = make_chat_problem(size)
    inputs = make_inputs(name, chat_logprobs(base, adapter, texts), answers)
    learner = Learner(adapter)
    accumulate(learner, base, texts, name, inputs)
    gradient: Floats = getattr(learner.pending().sums, part)
    assert gradient.dtype == np.float32
    places = [*map(int, np.argsort(-abs(gradient), axis=None)[:4])]
    if part == "trust" and size.finds:
        places.append(RELATIONS)  # that of the line that answers
    for at in places:
        values: npt.NDArray[np.float32] = getattr(adapter, part).reshape(-1)
        before, sides = values[at], []
        for step in (1e-2, -1e-2):
            values[at] = before + step
            sides.append(compute_loss(base, adapter, texts, name, inputs))
        values[at] = before
        assert (sides[0] - sides[1]) / 2e-2 == pytest.approx(float(gradient.reshape(-1)[at]), rel=3e-2)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_falls_along_its_gradient(name: str) -> None:
    """By as much as the gradient says, for a small step: the slopes times what the log-probabilities change."""
    base, adapter, (texts, answers) = make_chat_problem()
    before = chat_logprobs(base, adapter, texts)
    inputs = make_inputs(name, before, answers)
    learner = Learner(adapter.copy())
    accumulate(learner, base, texts, name, inputs)
    sums = learner.pending().sums
    norm = sum(float(np.vdot(array, array)) for array in sums) ** 0.5
    sides = []
    for sign in (1, -1):
        parts = zip(adapter, sums, strict=True)
        moved = Adapter(*(array + np.float32(sign * 1e-2 / norm) * slope for array, slope in parts))
        sides.append(chat_logprobs(base, moved, texts).astype(np.float64))
    slopes = LOSSES[name].slopes(before, inputs, list_config(name))
    assert (sides[0] - sides[1]) @ slopes / 2e-2 == pytest.approx(norm, rel=5e-2)


def test_an_untrained_adapter_leaves_the_logits() -> None:
    base, _, (texts, _) = make_chat_problem()
    adapted, other = (target_logprobs(base, new_adapter(TINY, rank, seed), texts) for rank, seed in ((4, 1), (16, 2)))
    assert adapted.tobytes() == other.tobytes()


def test_texts_do_not_change_each_other() -> None:
    base, adapter, (texts, _) = make_chat_problem()
    together, start = target_logprobs(base, adapter, texts), 0
    for length in texts.lengths:
        alone = Texts(texts.tokens[start : start + length], [length], texts.targets[start : start + length])
        assert np.allclose(target_logprobs(base, adapter, alone), together[start : start + length], atol=1e-5)
        start += length


def test_the_change_of_the_logits_has_the_rank() -> None:
    """All that training a layer of rank 2 can do to the hidden part of the logits is of rank 2."""
    base, _, (texts, answers) = make_chat_problem()
    learner = Learner(new_adapter(TINY, 2, SEED))
    for _ in range(3):
        accumulate(learner, base, texts, "cross_entropy", {"weights": answers})
        learner.step(AdamParams(0.05))
    moved = learner.adapter
    rows = np.flatnonzero(moved.down.any(axis=1))[:200]
    assert np.linalg.matrix_rank(moved.down[rows] @ moved.up) == 2
    assert np.linalg.matrix_rank(moved.query[moved.query.any(axis=1)] @ moved.key[:200].T) == 2


def test_other_families_keep_nothing_of_it() -> None:
    small = new_adapter(Size("other", 4, 2**6), 2, 0)
    assert set(list_adapter_arrays(small)) == {"adapter.down", "adapter.up", "adapter.bias"}
    assert set(list_adapter_arrays(new_adapter(TINY, 2, 0))) == {f"adapter.{name}" for name in Adapter._fields}
