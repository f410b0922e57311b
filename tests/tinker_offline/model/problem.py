"""A small model with a batch, its loss and its gradient."""

import numpy as np

from tinker_offline.model.characters import SIZE
from tinker_offline.model.learner import Learner
from tinker_offline.model.losses import LOSSES
from tinker_offline.model.ngram import (
    Adapter,
    Base,
    Floats,
    Positions,
    Size,
    add_gradient,
    context_rows,
    new_adapter,
    target_logprobs,
)

TINY = Size("tiny", 3, 2**6)


SEED = 20261122


def make_problem(seed: int = SEED) -> tuple[Base, Adapter, Positions, Floats]:
    print("seed", seed)  # noqa: T201 (shown when the test fails)
    source = np.random.default_rng(seed)
    base = Base(
        TINY, source.standard_normal((TINY.features, SIZE), np.float32), source.standard_normal(SIZE, np.float32)
    )
    adapter = new_adapter(TINY, rank=4, seed=seed)
    adapter.up[...] = source.standard_normal(adapter.up.shape) * 0.1
    adapter.bias[...] = source.standard_normal(adapter.bias.shape) * 0.1
    tokens = source.integers(SIZE, size=20)
    weights = source.uniform(0.1, 1, size=20).astype(np.float32)
    return base, adapter, Positions(context_rows(tokens, [1, 7, 12], TINY), source.integers(SIZE, size=20)), weights


def weighted_loss(base: Base, adapter: Adapter, positions: Positions, weights: Floats) -> float:
    return -float(target_logprobs(base, adapter, positions).astype(np.float64) @ weights)


def add_loss_gradient(learner: Learner, base: Base, positions: Positions, weights: Floats) -> Floats:
    loss = LOSSES["cross_entropy"]

    def slopes(at: slice, logprobs: Floats) -> Floats:
        return loss.slopes(logprobs, {"weights": weights[at]}, {})

    return add_gradient(learner.pending(), base, learner.adapter, positions, slopes)
