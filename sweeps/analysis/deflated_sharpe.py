"""How likely a Sharpe ratio is more than the luck of the best of so many cells: the best of a grid, or methods."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sweeps.analysis.comparison import METHOD, Comparison
from sweeps.analysis.grid_cells import BestCell
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.task_completion import RETURN, RETURN_SHARPE
from sweeps.metrics.trading import deflate_sharpe, expect_best_sharpe
from sweeps.results import RunResult
from sweeps.stats.paired_items import Items, item_key


class DeflatedSharpe(NamedTuple):
    """The Sharpe ratio of a cell against luck."""

    probability: float  # that the true ratio is above `by_luck`
    by_luck: float  # what the best of the cells would have on average if none had skill
    cells: int  # that were tried
    episodes: int  # different tasks that the cell was measured in

    def describe(self, tried: str) -> str:
        """Say it in a sentence."""
        luck = f"what the best of {self.cells:,} {tried} has by luck alone ({self.by_luck:.4f})"
        sure = ">.999" if self.probability > 0.999 else f"{self.probability:.3f}"
        return (
            f" The Sharpe ratio of the best is above {luck} with probability {sure}, which compares it with no other."
        )


def deflate_best(choice: BestCell, rows: Sequence[RunResult], items: Items | None) -> DeflatedSharpe | None:
    """Deflate the Sharpe ratio of the best cell by the number of cells; None of other metrics, or without returns."""
    if get_base_name(choice.metric) != RETURN_SHARPE or not choice.best or not choice.best.held_out:
        return None
    ratios = [cell.held_out.mean for cell in choice.cells if cell.is_ranked and cell.held_out]
    runs = [row for row in rows if row.cell == choice.best.cell]
    return _deflate(choice.best.held_out.mean, ratios, runs, items)


def deflate_methods(
    comparison: Comparison, rows: Sequence[RunResult], items: Items | None
) -> dict[str | None, DeflatedSharpe | None]:
    """Deflate the Sharpe ratio of each trained method by the number of methods; nothing of other metrics."""
    if get_base_name(comparison.metric) != RETURN_SHARPE:
        return {}
    means = {method.name: method.estimate.mean for method in comparison.contestants if method.name and method.estimate}
    return {
        name: _deflate(mean, [*means.values()], [row for row in rows if row.cell.get(METHOD) == name], items)
        for name, mean in means.items()
    }


def _deflate(
    ratio: float, ratios: Sequence[float], rows: Sequence[RunResult], items: Items | None
) -> DeflatedSharpe | None:
    """Deflate the ratio of the runs of a cell, one of all `ratios`.

    All seeds play the same tasks, so the episodes count by task; the moments are of all returns.
    """
    keys = [item_key(row.cell, row.seed) for row in rows]
    kept = [row for key in keys for row in (items or {}).get(key, ()) if RETURN in row.values]
    episodes, returns = len({row.item for row in kept}), np.array([row.values[RETURN] for row in kept])
    if len(ratios) < 2 or episodes < 2 or returns.min() == returns.max():
        return None
    scaled = (returns - returns.mean()) / returns.std()
    by_luck = expect_best_sharpe(len(ratios), statistics.variance(ratios))
    skew, kurtosis = float((scaled**3).mean()), float((scaled**4).mean())
    if 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2 <= 0:  # the mean of seeds that differ much
        return None
    probability = deflate_sharpe(ratio, episodes, against=by_luck, skew=skew, kurtosis=kurtosis)
    return DeflatedSharpe(probability, by_luck, len(ratios), episodes)
