"""Many means over a few seeds each, with a pooled variance as far as their variances are alike.

Two or three differences say little about their spread; many such groups together say much. Their pooled variance is
Σ(k - 1)s²/Σ(k - 1), with as many degrees of freedom. But pooling takes a noisy group for a quiet one: if one target in
five is four times as noisy as the rest, more than a third of experiments without any effect claim one. So if the
spreads are not plainly alike (Bartlett 1937), groups of a kind, such as the cells of one target, take the variance of
their kind if it is larger. In simulations of 3 to 5 domains with 3 seeds, whatever the spread of one of them, that
leaves at most about 7 % false claims, and most of the power of pooling if all are alike.

Groups of a kind are differences from the same runs, so they go up and down together, with a correlation of 1/2 if both
sides are equally noisy. In the test, g groups of (k - 1) degrees of freedom count as g(k - 1) / (1 + (g - 1)/4).
"""

import math
import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from sweeps.metrics.ranges import ANY, Range
from sweeps.stats.intervals import ROUNDING, Estimate, compute_p, critical_t, holm

UNEQUAL = 0.5  # careful: half of all experiments with equal spreads look less alike than this
ALIKE = 0.5  # the correlation of differences from the same runs

Key = TypeVar("Key", bound=Hashable)


def pool_family(
    groups: Mapping[Key, Mapping[int, float]],
    kind: Callable[[Key], Hashable],
    *,
    grain: float = 0.0,
    span: Range = ANY,
) -> tuple[dict[Key, Estimate], set[Key]]:
    """Estimate the mean of each group that has seeds; and return the groups that are clear after Holm over all.

    `span` is the range of such a mean. If all groups agree within themselves, their variance is that of rounding to
    the `grain` of what was measured. Groups of the same `kind` always share a variance: they are differences from the
    same runs.
    """
    filled = {key: list(values.values()) for key, values in groups.items() if values}
    kinds: dict[Hashable, dict[Key, list[float]]] = {}
    for key, values in filled.items():
        kinds.setdefault(kind(key), {})[key] = values
    whole = _spread(filled)
    spreads = {name: _spread(part) for name, part in kinds.items()}
    if not are_unequal([_discount(spreads[name], len(part)) for name, part in kinds.items()]):
        spreads = dict.fromkeys(kinds, whole)
    estimates: dict[Key, Estimate] = {}
    p_values: dict[Key, float] = {}
    for key, values in filled.items():
        variance, freedom = max(spreads[kind(key)], whole)
        if variance <= (ROUNDING * grain) ** 2:
            variance = grain**2 / 12
        half_width = critical_t(freedom) * math.sqrt(variance / len(values)) if freedom else None
        estimates[key] = Estimate(statistics.fmean(values), half_width, len(values), span)
        p_values[key] = compute_p(estimates[key], freedom)
    return estimates, holm(p_values)


def are_unequal(spreads: Sequence[tuple[float, float]]) -> bool:
    """Are variances (with their degrees of freedom) less alike, by Bartlett's test, than equal ones usually are?"""
    from scipy.special import chdtrc  # the upper tail of χ²

    known = [(variance, freedom) for variance, freedom in spreads if freedom]
    whole = sum(freedom for _, freedom in known)
    together = sum(variance * freedom for variance, freedom in known) / whole if whole else 0.0
    if len(known) < 2 or together == 0:
        return False
    if not all(variance for variance, _ in known):
        return True  # some groups vary and others do not
    misses = whole * math.log(together) - sum(freedom * math.log(variance) for variance, freedom in known)
    shrink = 1 + (sum(1 / freedom for _, freedom in known) - 1 / whole) / (3 * (len(known) - 1))
    return float(chdtrc(len(known) - 1, misses / shrink)) < UNEQUAL


def _spread(groups: Mapping[Key, Sequence[float]]) -> tuple[float, float]:
    """Return the pooled variance about the groups' own means, and its degrees of freedom."""
    several = [values for values in groups.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    squares = sum((len(values) - 1) * statistics.variance(values) for values in several)
    return (squares / freedom if freedom else 0.0), freedom


def _discount(spread: tuple[float, float], groups: int) -> tuple[float, float]:
    """Reduce the degrees of freedom of groups that go up and down together."""
    return spread[0], spread[1] / (1 + (groups - 1) * ALIKE**2)
