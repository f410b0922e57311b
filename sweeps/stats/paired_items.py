"""By how much two sets of runs differ, item by item, on the same items.

There are two questions. "Do these checkpoints differ?" takes the trained models as they are and asks about other items:
the error of the mean over items, by clusters if there are any. "Does this recipe differ?" asks about other seeds too:
Var = s²/K + SE², s² the variance over K seeds of their mean differences, with t of K - 1 degrees of freedom if the
seeds are most of it, and otherwise, with h the seeds' share of Var,

    1/f = (1 - h)² / (degrees of freedom over clusters) + h^⅔ / (K - 1)

Satterthwaite (1946) has h² for h^⅔, as if the share were known. But it is estimated from K seeds, and if it is small by
luck, his many degrees of freedom come with a small error. In simulations, his intervals of two seeds held the truth in
.89 of experiments in which ten elevenths of Var are the seeds' and in .91 if two thirds are; these hold it in .93 and
.96. With three seeds his held it in at least .94, these in .95 (`make bench-statistics`).
"""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

import numpy as np

from sweeps.evaluation.item_rows import ItemId, ItemRow
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.registry import find_metric
from sweeps.metrics.ranges import ANY, Range, find_difference_range
from sweeps.records import canonicalize_row
from sweeps.stage import Json
from sweeps.stats.clusters import (
    TINY,
    Floats,
    Places,
    average_clusters,
    bootstrap_crossed,
    bound_p,
    guard_error,
    number_clusters,
)
from sweeps.stats.intervals import compute_p_of_t, critical_t, find_grain, holm
from sweeps.stats.power import count_items_needed, count_seeds_needed
from sweeps.stats.proportions import Interval, mcnemar, newcombe_interval

ItemKey = tuple[bytes, int]
Items = Mapping[ItemKey, Sequence[ItemRow]]  # of each run, by `item_key`
Key = TypeVar("Key", bound=Hashable)


class Claim(NamedTuple):
    """How sure a difference is, for one of the two questions."""

    half_width: float  # of the 95 % interval
    freedom: float
    p: float
    after_holm: bool = False  # still clear if all pairs are judged together


@dataclass(frozen=True)
class ItemDifference:
    """By how much the mean of one is above that of the other, over the items and seeds that both have.

    `mcnemar` is the exact test of right or wrong, over the items (or clusters) at which one side is better.
    `needed_items` and `needed_seeds` find a difference of this size with a power of 80 %: in the checkpoints by more
    items alone, in the recipe by more seeds alone (None: never). `crossed` is the bootstrap's interval of the recipe.
    """

    mean: float
    items: int
    clusters: int
    seeds: int
    left_out: int  # items that a run of either side lacks
    checkpoints: Claim | None  # None for a single cluster, and where every value of every item is the same
    recipe: Claim | None = None  # None for a single seed
    crossed: Interval | None = None
    mcnemar: float | None = None
    mcnemar_after_holm: bool = False
    needed_items: int | None = None
    needed_seeds: int | None = None
    span: Range = ANY  # the range of a difference


class Scores(NamedTuple):
    """One run's items: a mean is Σ amounts / Σ sizes. Several rows of an item are summed."""

    amounts: Mapping[ItemId, float]
    sizes: Mapping[ItemId, float]
    clusters: Mapping[ItemId, ItemId]
    span: Range = ANY  # the range of a difference of two means


def item_key(cell: Mapping[str, Json], seed: int) -> ItemKey:
    """Return the key under which a run's items are; the order of the cell's keys does not matter."""
    return canonicalize_row(cell), seed


def read_scores(rows: Sequence[ItemRow], metric: str) -> Scores:
    """Read what the rows of one run say of a metric. Rows without it are left out.

    The mean of "nll" (nats) is over tokens, that of "bits_per_byte" over bytes.
    """
    known, name = find_metric(metric), get_base_name(metric)
    read = known.read if known and known.read else read_value(name)
    amounts: dict[ItemId, float] = {}
    sizes: dict[ItemId, float] = {}
    clusters: dict[ItemId, ItemId] = {}
    for row in rows:
        measured = read(row.values)
        if measured is None or not math.isfinite(measured[0]) or not math.isfinite(measured[1]):
            continue
        amounts[row.item] = amounts.get(row.item, 0.0) + measured[0]
        sizes[row.item] = sizes.get(row.item, 0.0) + measured[1]
        clusters[row.item] = row.group
    if not any(sizes.values()):  # a ratio with nothing to divide by is not defined
        return Scores({}, {}, {}, find_difference_range(metric))
    return Scores(amounts, sizes, clusters, find_difference_range(metric))


def read_value(name: str) -> Callable[[Mapping[str, float]], tuple[float, float] | None]:
    """Make a reader of the value under a name, which counts as one."""

    def read(values: Mapping[str, float]) -> tuple[float, float] | None:
        return (float(values[name]), 1.0) if name in values else None

    return read


def select_stated(rows: Sequence[ItemRow]) -> tuple[list[ItemRow], Floats, Floats]:
    """Select the rows with a "confidence" (0 to 1) and "right" (0 or 1); return them and both columns."""
    asked = [row for row in rows if 0 <= row.values.get("confidence", -1) <= 1 and row.values.get("right") in (0, 1)]
    confidence, right = (np.array([row.values[key] for row in asked], float) for key in ("confidence", "right"))
    return asked, confidence, right


def compare_items(
    scores: Mapping[int, Scores], other: Mapping[int, Scores], *, cross_check: bool = True
) -> ItemDifference | None:
    """Compare the scores of two sets of runs, each by seed; None if they have no seed or no item in common.

    The mean is that of `scores` minus that of `other`. Without the cross-check there is no `crossed`, which takes
    longer than all the rest.
    """
    seeds = sorted(scores.keys() & other.keys())
    runs = [side[seed] for seed in seeds for side in (scores, other)]
    shared = set(runs[0].amounts).intersection(*(run.amounts for run in runs)) if runs else set()
    items = [item for item in runs[0].amounts if item in shared] if runs else []
    if not items:
        return None
    sides = [[_list_values(side[seed], items) for seed in seeds] for side in (scores, other)]
    if not all(sizes.any() for side in sides for _, sizes in side):
        return None
    differences = np.stack([linearize(*mine) - linearize(*theirs) for mine, theirs in zip(*sides, strict=True)])
    places = number_clusters([runs[0].clusters[item] for item in items], len(items))
    left_out = len(shared.union(*(run.amounts for run in runs))) - len(items)
    binary = all(((size == 1) & ((amount == 0) | (amount == 1))).all() for side in sides for amount, size in side)

    def step() -> float:
        """Find the smallest step between values of items; rarely needed."""
        values = [amount[size > 0] / size[size > 0] for side in sides for amount, size in side]
        return 1.0 if binary else find_grain(np.concatenate(values).tolist())

    span = (-1.0, 1.0) if binary and runs[0].span == ANY else runs[0].span
    judged = replace(_judge(differences, places, left_out, step, cross_check, binary=binary), span=span)
    return replace(judged, mcnemar=_test_signs(differences, places)) if binary else judged


def subtract_unlike(first: ItemDifference | None, other: ItemDifference | None) -> ItemDifference | None:
    """Subtract differences that are of other items: their errors add in quadrature. None if one is not known."""
    if first is None or other is None:
        return None
    claims = [side.recipe or side.checkpoints for side in (first, other)]
    known, mean = [claim for claim in claims if claim], first.mean - other.mean
    error = math.hypot(*(claim.half_width / critical_t(claim.freedom) for claim in known))
    freedom = min((claim.freedom for claim in known), default=1.0)
    return ItemDifference(
        mean,
        min(first.items, other.items),
        min(first.clusters, other.clusters),
        min(first.seeds, other.seeds),
        first.left_out + other.left_out,
        make_claim(mean, error, freedom) if len(known) == 2 else None,
    )


def compare_unpaired(scores: Mapping[int, Scores], other: Mapping[int, Scores]) -> Interval | None:
    """Estimate the difference of two shares that have no item in common, over other items; None if they are none.

    The trials of each share are its clusters, which are items where there are no others.
    """
    sides = [list(side.values()) for side in (scores, other)]
    if not all(sides) or not all(are_binary(side) for side in sides):
        return None
    clusters = [{cluster for run in side for cluster in run.clusters.values()} for side in sides]
    items = [{item for run in side for item in run.amounts} for side in sides]
    if items[0] & items[1]:
        return None
    shares = [float(np.mean([sum(run.amounts.values()) / len(run.amounts) for run in side])) for side in sides]
    (count, other_count), (share, other_share) = map(len, clusters), shares
    return newcombe_interval(share * count, count, other_share * other_count, other_count)


def are_binary(scores: Iterable[Scores]) -> bool:
    """Whether all items of all runs are right or wrong: facts of environments do not say that they are shares."""
    return all(amount in (0, 1) and run.sizes[item] == 1 for run in scores for item, amount in run.amounts.items())


def estimate_error(scores: Scores, base: Scores | None = None, share: float = 1.0) -> float | None:
    """Estimate the standard error over items of the mean of one run; with a base, of one - share·base, item by item.

    It is by clusters if there are any; None for a single cluster, or none.
    """
    items = [item for item in scores.amounts if base is None or item in base.amounts]
    if not items:
        return None
    values = linearize(*_list_values(scores, items))
    if base is not None:
        values = values - share * linearize(*_list_values(base, items))
    return average_clusters(values, number_clusters([scores.clusters[item] for item in items], len(items))).error


def judge_pairs(differences: Mapping[Key, ItemDifference]) -> dict[Key, ItemDifference]:
    """Judge all pairs together by Holm; each of the two questions, and McNemar's test, is a family of its own."""
    first = holm({key: difference.checkpoints.p for key, difference in differences.items() if difference.checkpoints})
    second = holm({key: difference.recipe.p for key, difference in differences.items() if difference.recipe})
    third = holm({key: difference.mcnemar for key, difference in differences.items() if difference.mcnemar is not None})
    return {
        key: replace(
            difference,
            checkpoints=difference.checkpoints and difference.checkpoints._replace(after_holm=key in first),
            recipe=difference.recipe and difference.recipe._replace(after_holm=key in second),
            mcnemar_after_holm=key in third,
        )
        for key, difference in differences.items()
    }


def _list_values(scores: Scores, items: Sequence[ItemId]) -> tuple[Floats, Floats]:
    """List the amounts and sizes of these items."""
    return np.array([scores.amounts[item] for item in items]), np.array([scores.sizes[item] for item in items])


def linearize(amounts: Floats, sizes: Floats) -> Floats:
    """Return values whose mean is Σ amounts / Σ sizes, with the variance of that ratio (the delta method)."""
    if (sizes == 1).all():
        return amounts
    ratio = amounts.sum() / sizes.sum()
    return np.asarray(ratio + (amounts - ratio * sizes) / sizes.mean())


def bound_error(clusters: int, step: float = 1.0) -> float:
    """Return the error of a mean if all clusters agree, so that its interval is 1 - .025^(1/N) steps wide to a side."""
    left_open: float = 1 - 0.025 ** (1 / clusters)
    return step * left_open / critical_t(clusters - 1)


def _judge(
    differences: Floats, places: Places, left_out: int, step: Callable[[], float], cross_check: bool, *, binary: bool
) -> ItemDifference:
    """Judge the differences (seeds, items), given the cluster of each item."""
    of_items = average_clusters(differences.mean(axis=0), places)
    seeds, items = differences.shape
    judged = ItemDifference(of_items.mean, items, of_items.clusters, seeds, left_out, None)
    if of_items.error is None:
        return judged
    freedom, error = of_items.freedom, of_items.error
    if error <= TINY and not step():  # every value is the same: nothing says by how much one could differ
        return judged
    if error <= TINY:
        freedom, error = of_items.clusters - 1, bound_error(of_items.clusters, step())
    elif binary:
        error = guard_error(error, differences.mean(axis=0), places)
    least = bound_p(np.bincount(places, differences.sum(axis=0)))
    needed = count_items_needed(of_items.mean, error**2 * items) if of_items.mean else None
    judged = replace(
        judged,
        checkpoints=_raise_p(make_claim(of_items.mean, error, freedom), least),
        needed_items=None if needed is None else max(2, math.ceil(needed)),
    )
    if seeds < 2:
        return judged
    spread = float(differences.mean(axis=1).var(ddof=1))
    return replace(
        judged,
        recipe=_raise_p(claim_recipe(of_items.mean, spread / seeds, error, seeds - 1, freedom), least),
        crossed=Interval(*bootstrap_crossed(differences, places)) if cross_check else None,
        needed_seeds=count_seeds_needed(of_items.mean, spread, fixed=error**2),
    )


def _raise_p(claim: Claim, p: float) -> Claim:
    return claim._replace(p=max(claim.p, p))


def claim_recipe(mean: float, by_seed: float, error: float, seed_freedom: int, item_freedom: float) -> Claim:
    """Make the claim about a recipe from the squared error by seeds, s²/K, and the error of the mean over items.

    It has the seeds' degrees of freedom if they are most of the error, and more the smaller their share is.
    """
    by_item = error**2
    freedom: float = seed_freedom
    if by_seed < by_item:
        share = by_seed / (by_seed + by_item)
        freedom = 1 / ((1 - share) ** 2 / item_freedom + share ** (2 / 3) / seed_freedom)
    return make_claim(mean, math.sqrt(by_seed + by_item), freedom)


def make_claim(mean: float, error: float, freedom: float) -> Claim:
    """Make a claim by Student's t; a difference without any error is certain."""
    p = compute_p_of_t(mean / error, freedom) if error else float(mean == 0)
    return Claim(critical_t(freedom) * error, freedom, p)


def _test_signs(differences: Floats, places: Places) -> float:
    """Run McNemar's test over clusters; the side with more right answers over all seeds wins a cluster."""
    sums = np.bincount(places, np.round(differences).sum(axis=0))
    return mcnemar(int((sums > 0).sum()), int((sums < 0).sum()))
