"""Does a model put the right candidate first? From the scores (candidates,) of one item, such as log-probabilities.

Candidates with equal scores are ranked as badly as they can be: a model that gives everything the same finds nothing.
"""

from math import comb, log2

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


def expect_reciprocal_rank(candidates: int, right: int) -> float:
    """Return what an order by chance has on average: the expected 1 / rank of the first of the `right` ones.

    Σ C(n-k, r-1)/C(n, r) / k over the places k: the least of r places that are drawn from n without replacement is k
    so often (the order statistics of such a draw; David & Nagaraja 2003, chapter 3). Raises ValueError unless at least
    one candidate is right, and at most all are.
    """
    _check_counts(candidates, right)
    ways = [comb(candidates - place, right - 1) / place for place in range(1, candidates - right + 2)]
    return sum(ways) / comb(candidates, right)


def expect_ndcg(candidates: int, right: int) -> float:
    """Return what an order by chance has on average, where `right` of the candidates are right and equally so.

    Each place holds a right one with probability r/n, so the expected gain is r/n of the sum of all discounts (the
    expectation of a sum is the sum of the expectations); the best order has those of the first r places. Raises
    ValueError unless at least one candidate is right, and at most all are.
    """
    _check_counts(candidates, right)
    discounts = [1 / log2(place + 1) for place in range(1, candidates + 1)]
    return right / candidates * sum(discounts) / sum(discounts[:right])


def _check_counts(candidates: int, right: int) -> None:
    if not 1 <= right <= candidates:
        raise ValueError(f"expected 1 to {candidates} right candidates, got {right}")
