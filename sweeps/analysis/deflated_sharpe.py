"""How likely the best cell's Sharpe ratio is more than the luck of the best of so many cells."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sweeps.analysis.grid_cells import BestCell
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.task_completion import RETURN, RETURN_SHARPE
from sweeps.metrics.trading import deflate_sharpe, expect_best_sharpe
from sweeps.results import RunResult
from sweeps.stats.paired_items import Items, item_key


class DeflatedSharpe(NamedTuple):
    """The Sharpe ratio of the best cell against luck."""

    probability: float  # that the true ratio is above `by_luck`
    by_luck: float  # what the best of the cells would have on average if none had skill
    cells: int  # that were tried
    episodes: int  # different tasks that the best cell was measured in

    def describe(self) -> str:
        """Say it in a sentence."""
        luck = f"what the best of {self.cells:,} cells has by luck alone ({self.by_luck:.4f})"
        return f" With probability {self.probability:.3f} its Sharpe ratio is above {luck}."


def deflate_best(choice: BestCell, rows: Sequence[RunResult], items: Items | None) -> DeflatedSharpe | None:
    """Deflate the Sharpe ratio of the best cell by the number of cells; None of other metrics, or without returns.

    All seeds play the same tasks, so the episodes count by task; the moments are of all returns.
    """
    ratios = [cell.held_out.mean for cell in choice.cells if cell.is_ranked and cell.held_out]
    if get_base_name(choice.metric) != RETURN_SHARPE or not choice.best or not choice.best.held_out or len(ratios) < 2:
        return None
    keys = [item_key(row.cell, row.seed) for row in rows if row.cell == choice.best.cell]
    kept = [row for key in keys for row in (items or {}).get(key, ()) if RETURN in row.values]
    episodes, returns = len({row.item for row in kept}), np.array([row.values[RETURN] for row in kept])
    if episodes < 2 or returns.min() == returns.max():
        return None
    scaled = (returns - returns.mean()) / returns.std()
    by_luck = expect_best_sharpe(len(ratios), statistics.variance(ratios))
    skew, kurtosis = float((scaled**3).mean()), float((scaled**4).mean())
    ratio = choice.best.held_out.mean
    if 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2 <= 0:  # the mean of seeds that differ much
        return None
    probability = deflate_sharpe(ratio, episodes, against=by_luck, skew=skew, kurtosis=kurtosis)
    return DeflatedSharpe(probability, by_luck, len(ratios), episodes)
