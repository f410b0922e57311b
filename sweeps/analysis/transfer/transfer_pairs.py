"""Judge the gains of the pairs of a transfer: over all sizes, between sizes, and in both directions."""

import itertools
import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Literal, NamedTuple

from sweeps.analysis.told_items import ToldRuns
from sweeps.stats.intervals import ALPHA, Estimate
from sweeps.stats.paired_items import ItemDifference, subtract_unlike
from sweeps.stats.pooling import FamilyScale, GroupSpread, judge_family, pool_family
from sweeps.stats.seed_pairs import Values

Verdict = Literal["helps", "hurts", "unclear", "missing", "too_few_items"]
SourceVerdict = Literal["forgotten", "better", "unclear", "missing"]
Cell = tuple[str | None, str, int]  # source, target, size
Pair = tuple[str, str]  # source, target
Gains = Mapping[tuple[str, str, int], Values]  # of source, target and size, by seed
Spreads = Mapping[int, Mapping[Hashable, GroupSpread]]  # of the gains, by size and target


class MeasuredGains(NamedTuple):
    """The gains of all pairs at all sizes, with what says how sure they are."""

    values: Gains
    spreads: Spreads
    scale: FamilyScale
    told_runs: ToldRuns[Cell]


class Overall(NamedTuple):
    """One pair over all its sizes above 0; `gain` is None where no seed has them all."""

    source: str
    target: str
    gain: Estimate | None
    sizes: tuple[int, ...]
    verdict: Verdict
    after_holm: bool
    sizes_differ: bool  # clearly: the mean hides that the pair gains more at one size than at another


class Asymmetry(NamedTuple):
    """By how much `one` helps `other` more than `other` helps `one`, at one size."""

    one: str
    other: str
    size: int
    difference: Estimate
    clear: bool
    after_holm: bool


class SourceDifference(NamedTuple):
    """By how much the source that helps a target most, helps it more than the next that clearly helps, at one size."""

    source: str
    other: str
    target: str
    size: int
    difference: Estimate
    clear: bool
    after_holm: bool  # among all targets of this size


def list_overall(pairs: Sequence[Pair], sizes: Sequence[int], measured: MeasuredGains) -> Iterable[Overall]:
    """Compute each pair over the sizes at which it has a gain, for the seeds that have all of them."""
    gains, _, scale, told_runs = measured
    sizes_of = {pair: tuple(size for size in sizes if size and gains[(*pair, size)]) for pair in pairs}
    means: dict[Pair, Values] = {}
    for pair in pairs:
        by_size = [gains[(*pair, size)] for size in sizes_of[pair]]
        seeds = [seed for seed in by_size[0] if all(seed in values for values in by_size)] if by_size else []
        means[pair] = {seed: statistics.fmean(values[seed] for values in by_size) for seed in seeds}

    def compare_means(pair: Pair) -> ItemDifference | None:
        return told_runs.compare_means([((*pair, size), (None, pair[1], size)) for size in sizes_of[pair]])

    family = pool_family(means, itemgetter(1), scale, compare_means)
    for pair in pairs:
        gain = family.estimates.get(pair)
        few = any(told_runs.share_too_few((None, pair[1], size), (*pair, size)) for size in sizes)
        verdict = judge_gain(gain, family.p.get(pair), few=few)
        differ = _do_sizes_differ(pair, sizes_of[pair], measured)
        yield Overall(*pair, gain, sizes_of[pair], verdict, pair in family.clear, differ)


def _do_sizes_differ(pair: Pair, sizes: Sequence[int], measured: MeasuredGains) -> bool:
    """Whether the gains of a pair at any two sizes differ clearly, after Holm over all two sizes."""
    gains, spreads, scale, _ = measured
    differences = {
        (few, many): _subtract(gains[(*pair, few)], gains[(*pair, many)])
        for few, many in itertools.combinations(sizes, 2)
    }
    of_target = {size: spreads[size][pair[1]] for size in sizes}
    family = judge_family(differences, lambda both: of_target[both[0]].add(of_target[both[1]]), _double(scale))
    return bool(family.clear)


def _subtract(there: Values, back: Values) -> Values:
    return {seed: there[seed] - back[seed] for seed in there if seed in back}


def _double(scale: FamilyScale) -> FamilyScale:
    """Return the scale of a difference of two differences."""
    low, high = scale.span
    return scale._replace(span=(2 * low, 2 * high))


def list_asymmetries(pairs: Sequence[Pair], size: int, measured: MeasuredGains) -> Iterable[Asymmetry]:
    """List every two domains that are source and target of each other, once."""
    gains, spreads, scale, told_runs = measured
    known = set(pairs)
    differences: dict[Pair, Values] = {}
    for source, other in pairs:
        if (other, source) in known and (other, source) not in differences:
            differences[source, other] = _subtract(gains[source, other, size], gains[other, source, size])

    def compare_both(pair: Pair) -> ItemDifference | None:
        there, back = (
            told_runs.compare((source, target, size), (None, target, size)) for source, target in (pair, pair[::-1])
        )
        return subtract_unlike(there, back)

    of_target = spreads[size]
    family = judge_family(
        differences, lambda pair: of_target[pair[0]].add(of_target[pair[1]]), _double(scale), compare_both
    )
    for pair, difference in family.estimates.items():
        sure = judge_gain(difference, family.p[pair]) in ("helps", "hurts")
        yield Asymmetry(*pair, size, difference, sure, pair in family.clear)


def list_source_differences(
    helpers: Mapping[str, Sequence[str]], size: int, measured: MeasuredGains
) -> Iterable[SourceDifference]:
    """Compare the first two sources that clearly help a target, by target; what they share is not the first's alone.

    Both are compared with the same runs of the target alone, which cancel. So each difference has a variance of its
    own, seed by seed.
    """
    gains, _, scale, told_runs = measured
    differences = {
        (first, second, target): _subtract(gains[first, target, size], gains[second, target, size])
        for target, (first, second, *_) in helpers.items()
    }

    def compare_sources(key: tuple[str, str, str]) -> ItemDifference | None:
        return told_runs.compare((key[1], key[2], size), (key[0], key[2], size))

    family = pool_family(differences, lambda key: key, scale, compare_sources)
    for key, difference in family.estimates.items():
        sure = judge_gain(difference, family.p[key]) in ("helps", "hurts")
        yield SourceDifference(*key, size, difference, sure, key in family.clear)


def judge_gain(gain: Estimate | None, p: float | None, *, few: bool = False) -> Verdict:
    """Say whether a gain is beyond its interval, and chance alone seldom makes one as large."""
    if gain is None:
        return "too_few_items" if few else "missing"
    if gain.half_width is None or abs(gain.mean) <= gain.half_width or (p or 0.0) > ALPHA:
        return "unclear"
    return "helps" if gain.mean > 0 else "hurts"


def judge_loss(lost: Estimate | None, p: float | None) -> SourceVerdict:
    """Say of forgetting, which is positive where something was forgotten, whether it is clear."""
    verdict = judge_gain(lost, p)
    known: dict[Verdict, SourceVerdict] = {"helps": "forgotten", "hurts": "better", "unclear": "unclear"}
    return known.get(verdict, "missing")
