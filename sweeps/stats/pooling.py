"""Many means over a few seeds each, with a variance that only groups of a kind share.

Two or three differences say little about their spread; those of a kind, such as all gains on one target, say more
together. Their pooled variance is Σ(k - 1)s²/Σ(k - 1). Other kinds lend nothing: a noisy target would make the
intervals of a quiet one far too wide, and a quiet one those of a noisy one too narrow.

Groups of a kind are differences from the same runs, so they go up and down together, with a correlation of 1/2 if both
sides are equally noisy. So g groups of (k - 1) degrees of freedom count as g(k - 1) / (1 + (g - 1)/4). In simulations
of 5 targets with 2 to 5 seeds, one of them four times as noisy, the intervals of every target hold the truth in .95 or
more, and at most 5 % of experiments without any effect claim one (`tests/bench/claims.py`).

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


class GroupSpread(NamedTuple):
    """A variance of the differences of a group, and its degrees of freedom: 0 if no group has two seeds."""

    variance: float
    freedom: float

    def add(self, other: "GroupSpread") -> "GroupSpread":
        """Return the spread of a difference of two groups that are independent (Welch and Satterthwaite)."""
        variance = self.variance + other.variance
        if not (self.freedom and other.freedom):
            return GroupSpread(variance, 0.0)
        doubt = self.variance**2 / self.freedom + other.variance**2 / other.freedom
        return GroupSpread(variance, variance**2 / doubt if doubt else self.freedom + other.freedom)


def pool_family(
    groups: Mapping[Key, Mapping[int, float]],
    kind: Callable[[Key], Hashable],
    scale: FamilyScale = FamilyScale(),  # noqa: B008 - it cannot be changed
    find_items: Callable[[Key], ItemDifference | None] = lambda _: None,
) -> Family[Key]:
    """Estimate the mean of each group that has seeds; groups of the same `kind` share a variance.

    They are differences from the same runs. If all of them agree within themselves, the items of each say how sure it
    is. Without items, their variance is that of rounding to the grain of what was measured; and of values without a
    known grain, such as losses, nothing is known.
    """
    spreads = measure_spreads(groups, kind)
    return judge_family(groups, lambda key: spreads[kind(key)], scale, find_items)


def judge_family(
    groups: Mapping[Key, Mapping[int, float]],
    find_spread: Callable[[Key], GroupSpread],
    scale: FamilyScale = FamilyScale(),  # noqa: B008 - it cannot be changed
    find_items: Callable[[Key], ItemDifference | None] = lambda _: None,
) -> Family[Key]:
    """Estimate the mean of each group that has seeds from a spread that is known, and judge them together."""
    judged = {
        key: _judge_group(key, [*values.values()], find_spread(key), find_items, scale)
        for key, values in groups.items()
        if values
    }
    p_values = {key: p for key, (_, p) in judged.items()}
    return Family({key: estimate for key, (estimate, _) in judged.items()}, p_values, holm(p_values))


def measure_spreads(
    groups: Mapping[Key, Mapping[int, float]], kind: Callable[[Key], Hashable]
) -> dict[Hashable, GroupSpread]:
    """Pool the variance about the groups' own means within each kind."""
    kinds: dict[Hashable, list[list[float]]] = {}
    for key, values in groups.items():
        kinds.setdefault(kind(key), []).append([*values.values()])
    return {name: _pool_spread([values for values in part if len(values) > 1]) for name, part in kinds.items()}


def _judge_group(
    key: Key,
    values: Sequence[float],
    spread: GroupSpread,
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


def _pool_spread(groups: Sequence[Sequence[float]]) -> GroupSpread:
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum((len(values) - 1) * statistics.variance(values) for values in groups)
    return (
        GroupSpread(squares / freedom, freedom / (1 + (len(groups) - 1) * ALIKE**2))
        if freedom
        else GroupSpread(0.0, 0.0)
    )
