"""Does a model put the right candidate first? From the scores (candidates,) of one item, such as log-probabilities.

Candidates with equal scores are ranked as badly as they can be: a model that gives everything the same finds nothing.
"""

import numpy as np
import numpy.typing as npt


def find_rank(scores: npt.ArrayLike, right: int) -> int:
    """Return the place of the right candidate: 1 for the first."""
    values = np.asarray(scores, float)
    return int((values >= values[right]).sum())


def reciprocal_rank(scores: npt.ArrayLike, right: int) -> float:
    """1 / rank; its mean over items is MRR."""
    return 1 / find_rank(scores, right)


def is_first(scores: npt.ArrayLike, right: int) -> float:
    """1 where the right candidate is first, alone; else 0. Its mean over items is the accuracy of a choice."""
    return float(find_rank(scores, right) == 1)


def ndcg(scores: npt.ArrayLike, relevance: npt.ArrayLike, *, k: int | None = None) -> float | None:
    """Σ relevance/log2(place + 1) over the first k places, as a share of the best order's (Järvelin & Kekäläinen 2002).

    `relevance` (candidates,) ≥ 0 counts as it is, not as a power of 2. None where nothing is relevant.
    """
    values, worth = np.asarray(scores, float), np.asarray(relevance, float)
    if values.shape != worth.shape or (worth < 0).any():
        raise ValueError("one relevance ≥ 0 for each candidate is right")
    discounts = 1 / np.log2(np.arange(len(worth)) + 2)
    discounts[len(worth) if k is None else k :] = 0
    best = float(np.sort(worth)[::-1] @ discounts)
    return float(worth[np.lexsort((worth, -values))] @ discounts) / best if best > 0 else None
