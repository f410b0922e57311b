"""Do two groupings of the same items agree? From the group of each item (m,) in both; names of groups do not matter."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import comb


def adjusted_rand(groups: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """Compute the adjusted Rand index (Hubert & Arabie 1985): 1 if they agree, about 0 by chance, at least -.5."""
    if len(groups) != len(other) or not groups:
        raise ValueError(f"expected two groups for each item, got {len(groups)} and {len(other)}")
    together = _count_pairs(zip(groups, other, strict=True))
    left, right, every = _count_pairs(groups), _count_pairs(other), comb(len(groups), 2)
    expected = left * right / every if every else 0.0
    most = (left + right) / 2
    return (together - expected) / (most - expected) if most != expected else 1.0


def _count_pairs(groups: Iterable[Hashable]) -> int:
    return sum(comb(count, 2) for count in Counter(groups).values())
