"""Many means over a few seeds each, with a pooled variance as far as their variances are alike.

Two or three differences say little about their spread; many such groups together say much. Their pooled variance is
Σ(k - 1)s²/Σ(k - 1), with as many degrees of freedom. But pooling takes a noisy group for a quiet one: if one target in
five is four times as noisy as the rest, more than a third of experiments without any effect claim one. So if the
spreads are not plainly alike (Bartlett 1937), groups of a kind, such as the cells of one target, take the variance of
their kind if it is larger. In simulations of 3 to 5 domains with 3 seeds, whatever the spread of one of them, that
leaves at most about 7 % false claims, and most of the power of pooling if all are alike.

Groups of a kind are differences from the same runs, so they go up and down together, with a correlation of 1/2 if both
sides are equally noisy. In the test, g groups of (k - 1) degrees of freedom count as g(k - 1) / (1 + (g - 1)/4).

Where all groups of a kind agree within themselves, there is nothing to pool, and their items say how sure a mean is.
"""

import math
import statistics
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from sweeps.evaluation.registry import find_metric
from sweeps.metrics.ranges import ANY, Range, find_difference_range
from sweeps.stats.intervals import ROUNDING, Estimate, compute_p, critical_t, find_grain, holm
from sweeps.stats.paired_items import ItemDifference

UNEQUAL = 0.5  # careful: half of all experiments with equal spreads look less alike than this
ALIKE = 0.5  # the correlation of differences from the same runs

Key = TypeVar("Key", bound=Hashable)


class FamilyScale(NamedTuple):
    """Of a metric: the smallest step between its values, if it is a share, and the range of a mean."""

    grain: float = 0.0
    span: Range = ANY

    @classmethod
    def read(cls, metric: str, values: Iterable[float]) -> "FamilyScale":
        """Read it for differences of values of a metric."""
        known = find_metric(metric)
        return cls(find_grain(values) if known and known.is_share else 0.0, find_difference_range(metric))


class Family(NamedTuple, Generic[Key]):
    """The means of groups that are judged together: how likely chance alone makes one as large, and which are clear."""

    estimates: dict[Key, Estimate]
    p: dict[Key, float]
    clear: set[Key]  # after Holm over all


def pool_family(
    groups: Mapping[Key, Mapping[int, float]],
    kind: Callable[[Key], Hashable],
    scale: FamilyScale = FamilyScale(),  # noqa: B008 - it cannot be changed
    find_items: Callable[[Key], ItemDifference | None] = lambda _: None,
) -> Family[Key]:
    """Estimate the mean of each group that has seeds.

    Groups of the same `kind` always share a variance: they are differences from the same runs. If all groups agree
    within themselves, the items of each say how sure it is. Without items, their variance is that of rounding to the
    grain of what was measured; and of values without a known grain, such as losses, nothing is known.
    """
    filled = {key: list(values.values()) for key, values in groups.items() if values}
    kinds: dict[Hashable, dict[Key, list[float]]] = {}
    for key, values in filled.items():
        kinds.setdefault(kind(key), {})[key] = values
    whole = _spread(filled)
    spreads = {name: _spread(part) for name, part in kinds.items()}
    if not are_unequal([_discount(spreads[name], len(part)) for name, part in kinds.items()]):
        spreads = dict.fromkeys(kinds, whole)
    judged = {
        key: _judge_group(key, values, max(spreads[kind(key)], whole), find_items, scale)
        for key, values in filled.items()
    }
    p_values = {key: p for key, (_, p) in judged.items()}
    return Family({key: estimate for key, (estimate, _) in judged.items()}, p_values, holm(p_values))


def _judge_group(
    key: Key,
    values: Sequence[float],
    spread: tuple[float, float],
    find_items: Callable[[Key], ItemDifference | None],
    scale: FamilyScale,
) -> tuple[Estimate, float]:
    """Estimate the mean of one group from a variance and its degrees of freedom; return its p, too."""
    (variance, freedom), (grain, span) = spread, scale
    mean, seeds = statistics.fmean(values), len(values)
    if not freedom:
        return Estimate(mean, None, seeds, span), 1.0
    agree = variance <= (ROUNDING * max(grain, ROUNDING * abs(mean))) ** 2
    by_item = find_items(key) if agree or math.isfinite(span[1]) else None
    if by_item and (agree or variance <= 1 / by_item.items**2 / 12):  # a spread of less than one item is none
        claim = by_item.recipe or by_item.checkpoints
        own = by_item.span if span == ANY else span
        return Estimate(mean, claim and claim.half_width, seeds, own), claim.p if claim else 1.0
    if agree and not grain:  # nothing says that other seeds would agree, too
        return Estimate(mean, None, seeds, span), 1.0
    error = math.sqrt((grain**2 / 12 if agree else variance) / seeds)
    estimate = Estimate(mean, critical_t(freedom) * error, seeds, span)
    return estimate, compute_p(estimate, freedom)


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
