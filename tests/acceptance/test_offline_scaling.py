"""The offline domains obey a law: fitted without the two largest sizes, it predicts them within 2 %.

The model of `tinker_offline` is trained here without its server, on what the planner would choose: nested subsets,
16·√(n/32) steps of batches of 32, learning rate 0.01 falling to 0, rank 16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sweeps.data import Records, load_dataset
from sweeps.order import batch_rows, subset_order
from sweeps.render import render_all
from sweeps.scaling import fit_scaling
from sweeps.tokens import OfflineTokenizer
from tinker_offline.base import load_base
from tinker_offline.learner import AdamParams, Learner
from tinker_offline.ngram import SIZES as MODELS
from tinker_offline.ngram import Base, Positions, Slopes, add_gradient, context_rows, new_adapter, target_logprobs

CACHE = Path(__file__).parents[2] / ".sweep" / "test-cache"
SIZES = [32, 64, 128, 256, 512, 1024, 2048]
SEEDS = range(3)
BATCH = 32


@dataclass(frozen=True)
class Source:
    source: str
    holdout: int = 512
    validation: None = None
    format: None = None


@pytest.fixture(scope="module")
def base() -> Base:
    return load_base(MODELS["offline/ngram-s"], CACHE)


def positions(base: Base, records: Records, rows: Sequence[int]) -> Positions:
    chosen = Records(records.format, tuple(records.rows[row] for row in rows))
    tokens = [example.tokens.astype(np.int64) for example in render_all(chosen, OfflineTokenizer(), loss_mask="all")]
    return Positions(context_rows([one[:-1] for one in tokens], base.size), np.concatenate([one[1:] for one in tokens]))


def mean_loss(count: int) -> Slopes:
    """Cross-entropy averaged over `count` positions, by its derivative."""
    return lambda _, logprobs: np.full_like(logprobs, -1 / count)


def train(base: Base, records: Records, size: int, seed: int) -> Learner:
    learner = Learner(new_adapter(base.size, 16, seed))
    subset = subset_order(len(records), seed)[:size]
    steps = round(16 * (size / 32) ** 0.5)
    for step in range(steps):
        rows = subset[batch_rows(step, size=size, batch_size=BATCH, seed=seed)]
        batch = positions(base, records, rows.tolist())
        add_gradient(learner.pending(), base, learner.adapter, batch, mean_loss(len(batch.targets)))
        learner.step(AdamParams(learning_rate=0.01 * (1 - step / steps), eps=1e-8))
    return learner


@pytest.mark.parametrize("domain", ["code", "reference", "science"])
def test_the_shifted_law_predicts_the_two_largest_sizes(domain: str, base: Base, tmp_path: Path) -> None:
    data = load_dataset("mine", Source(f"offline:{domain}"), folder=tmp_path, cache=CACHE)
    held = positions(base, data.holdout, range(len(data.holdout)))
    runs = [(size, seed) for size in SIZES for seed in SEEDS]
    adapters = [train(base, data.train, size, seed).adapter for size, seed in runs]
    losses = [-float(target_logprobs(base, adapter, held).mean()) for adapter in adapters]
    fit = fit_scaling([size for size, _ in runs], losses, seed=[seed for _, seed in runs], law="shifted")
    assert fit.refused is None
    assert fit.holdout_error is not None
    assert fit.holdout_error < 0.02
    assert fit.r2 is not None
    assert fit.r2 > 0.98
    assert fit.loss[-1] < fit.loss[0]
