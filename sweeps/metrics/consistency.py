"""Does a model say the same again? From k answers to one item, and from scores of variants of items.

Answers are given by what they mean (`matching.meaning`: as text is compared, or by their numbers), and are the same
where that is equal: the meaning clusters are those of a comparison, and no judge is asked.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Robustness(NamedTuple):
    """Scores over paraphrases or perturbations of the same items, summarised."""

    mean: float
    worst: float  # the mean over items of the worst variant
    spread: float  # the mean over items of the standard deviation over variants (divided by their number)
    flip_rate: float  # the share of items whose variants do not all score the same


def agreement(answers: Sequence[Hashable]) -> float:
    """Compute the share of the commonest answer among the k ≥ 1 of an item."""
    return max(_counts(answers)) / len(answers)


def pairwise_agreement(answers: Sequence[Hashable]) -> float | None:
    """Compute the share of equal pairs of answers: Σ c(c - 1) / (k(k - 1)); None for a single answer."""
    k = len(answers)
    return sum(count * (count - 1) for count in _counts(answers)) / (k * (k - 1)) if k > 1 else None


def semantic_entropy(answers: Sequence[Hashable]) -> float:
    """-Σ p ln p over clusters of equal answers, p = count/k, in nats: from 0 to ln k.

    The discrete form of Kuhn et al. 2023 (arXiv 2302.09664) and Farquhar et al. 2024. Biased low for few answers.
    """
    return math.fsum(-count / len(answers) * math.log(count / len(answers)) for count in _counts(answers))


def pass_at_k(samples: int, right: int, k: int) -> float:
    """Compute the chance that at least one of k samples is right, if `right` of `samples` are: 1 - C(n-c, k)/C(n, k).

    Unbiased (Chen et al. 2021, arXiv 2107.03374).
    """
    _check(samples, right, k)
    return 1 - math.comb(samples - right, k) / math.comb(samples, k)


def pass_all_k(samples: int, right: int, k: int) -> float:
    """pass^k, the chance that all of k samples are right: C(c, k)/C(n, k) (Yao et al. 2024, arXiv 2406.12045)."""
    _check(samples, right, k)
    return math.comb(right, k) / math.comb(samples, k)


def robustness(scores: npt.ArrayLike) -> Robustness:
    """Summarise scores (items, variants)."""
    values = np.asarray(scores, float)
    if values.ndim != 2 or not values.size:
        raise ValueError(f"scores of shape {values.shape}: items × variants is right")
    flipped = values.max(axis=1) != values.min(axis=1)
    return Robustness(
        float(values.mean()), float(values.min(axis=1).mean()), float(values.std(axis=1).mean()), float(flipped.mean())
    )


def _counts(answers: Sequence[Hashable]) -> list[int]:
    if not answers:
        raise ValueError("no answers: one at least is right")
    return list(Counter(answers).values())


def _check(samples: int, right: int, k: int) -> None:
    if not (1 <= k <= samples and 0 <= right <= samples):
        raise ValueError(f"k = {k} and {right} right of {samples} samples: 1 ≤ k ≤ samples ≥ right ≥ 0 is right")
