"""The model of `tinker_offline` trained in this process, on what the planner would choose, for tests of the science.

Nested subsets, 16·√(n/32) steps of batches of 32, learning rate 0.01 falling to 0, rank 16.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.data import Dataset, Records, load_dataset
from sweeps.rendering.render import render_all
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.training.data_order import order_subset, select_batch
from tinker_offline.model.base import load_base
from tinker_offline.model.learner import AdamParams, Learner
from tinker_offline.model.ngram import SIZES as MODELS
from tinker_offline.model.ngram import (
    Adapter,
    Base,
    Positions,
    Slopes,
    add_gradient,
    context_rows,
    new_adapter,
    target_logprobs,
)

CACHE = Path(__file__).parents[2] / ".sweep" / "test-cache"
BATCH = 32


@dataclass(frozen=True)
class Source:
    source: str
    holdout: int
    validation: None = None
    format: None = None
    context: None = None
    columns: None = None
    group: None = None
    sizes_in: None = None
    by: None = None
    tests: None = None


@dataclass(frozen=True)
class OfflineModel:
    base: Base

    @classmethod
    def small(cls) -> "OfflineModel":
        return cls(load_base(MODELS["offline/ngram-s"], CACHE))

    def positions(self, records: Records, rows: Sequence[int]) -> Positions:
        chosen = Records(records.format, tuple(records.rows[row] for row in rows))
        rendered = render_all(chosen, OfflineTokenizer(), loss_mask="all")
        tokens = [example.tokens.astype(np.int64) for example in rendered]
        lengths = [len(text) - 1 for text in tokens]
        read = context_rows(np.concatenate([text[:-1] for text in tokens]), lengths, self.base.size)
        return Positions(read, np.concatenate([text[1:] for text in tokens]))

    def untrained(self, seed: int = 0) -> Adapter:
        return new_adapter(self.base.size, 16, seed)

    def train(
        self,
        records: Records,
        size: int,
        seed: int,
        *,
        start: Adapter | None = None,
        shuffled: bool = False,
        steps: int | None = None,
        batch_size: int = BATCH,
        rate: float = 0.01,
    ) -> Adapter:
        """`shuffled` gives every position of a batch the target of another one."""
        learner = Learner(start.copy() if start else self.untrained(seed))
        subset = order_subset(len(records), seed)[:size]
        shuffle = np.random.default_rng(seed)
        steps = steps or round(16 * (size / 32) ** 0.5)
        for step in range(steps):
            rows = subset[select_batch(step, size=size, batch_size=batch_size, seed=seed)]
            batch = self.positions(records, rows.tolist())
            if shuffled:
                batch = batch._replace(targets=shuffle.permutation(batch.targets))
            slopes = mean_loss(len(batch.targets))
            add_gradient(learner.pending(), self.base, learner.adapter, batch, slopes)
            learner.step(AdamParams(learning_rate=rate * (1 - step / steps), eps=1e-8))
        return learner.adapter

    def loss(self, adapter: Adapter, data: Dataset) -> float:
        """Held-out nats per token."""
        held = self.positions(data.holdout, range(len(data.holdout)))
        return -float(target_logprobs(self.base, adapter, held).mean())


def mean_loss(count: int) -> Slopes:
    """Cross-entropy averaged over `count` positions, by its derivative."""
    return lambda _, logprobs: np.full_like(logprobs, -1 / count)


def domain(name: str, *, holdout: int) -> Dataset:
    return load_dataset(name, Source(f"offline:{name}", holdout), folder=CACHE, cache=CACHE)
