"""Do two groupings of the same items agree? From the group of each item (m,) in both; names of groups do not matter.

Items can be grouped by their profiles, such as the probabilities (m, k) that a model gives k candidates for each.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import comb

import numpy as np
import numpy.typing as npt


def adjusted_rand(groups: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Compute the adjusted Rand index (Hubert & Arabie 1985): 1 if they agree, about 0 by chance, at least -.5."""
    if len(groups) != len(other) or not groups:
        raise ValueError(f"expected two groups for each item, got {len(groups)} and {len(other)}")
    together = _count_pairs(zip(groups, other, strict=True))
    left, right, every = _count_pairs(groups), _count_pairs(other), comb(len(groups), 2)
    expected = left * right / every if every else 0.0
    most = (left + right) / 2
    return (together - expected) / (most - expected) if most != expected else 1.0


def split_adjusted_rand(groups: Sequence[Hashable], other: Sequence[Hashable]) -> list[float]:
    """Split the index over the items (jackknife): the mean is the index, and varies over items as the index does."""
    whole, count = adjusted_rand(groups, other), len(groups)
    if count < 3:
        return [whole] * count
    without = [adjusted_rand(_leave_out(groups, item), _leave_out(other, item)) for item in range(count)]
    middle = sum(without) / count
    return [whole + (count - 1) * (middle - value) for value in without]


def group_profiles(shares: npt.ArrayLike, count: int) -> npt.NDArray[np.intp]:
    """Group profiles (m, k) of probabilities into `count` groups (m,), numbered by their first item.

    Average linkage: the two groups whose items are nearest on average become one, until so many are left. Near is by
    Hellinger's distance, which weighs small probabilities as much as they tell.
    """
    roots = np.sqrt(np.asarray(shares, float))
    if roots.ndim != 2 or not 1 <= count <= len(roots):
        raise ValueError(f"expected 1 to {len(roots)} groups of profiles (m, k), got {count} of {roots.shape}")
    squares = (roots**2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * roots @ roots.T, 0))
    np.fill_diagonal(distances, np.inf)
    sizes, groups = np.ones(len(roots)), np.arange(len(roots))
    for _ in range(len(roots) - count):
        first, second = sorted(int(place) for place in np.unravel_index(distances.argmin(), distances.shape))
        with np.errstate(invalid="ignore"):
            mean = sizes[first] * distances[first] + sizes[second] * distances[second]
        merged = mean / (sizes[first] + sizes[second])
        merged[first] = np.inf
        distances[first], distances[:, first] = merged, merged
        distances[second], distances[:, second] = np.inf, np.inf
        sizes[first] += sizes[second]
        groups[groups == second] = first
    return np.unique(groups, return_inverse=True)[1].astype(np.intp)


def _leave_out(groups: Sequence[Hashable], item: int) -> list[Hashable]:
    return [*groups[:item], *groups[item + 1 :]]


def _count_pairs(groups: Iterable[Hashable]) -> int:
    return sum(comb(count, 2) for count in Counter(groups).values())
