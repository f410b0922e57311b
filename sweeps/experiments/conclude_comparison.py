"""Conclude which method does better: the best against the next, by the first metric of the first variant."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeps.analysis.comparison import METHOD, Comparison, MethodResult, compare
from sweeps.analysis.deflated_sharpe import deflate_methods
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.experiments.caveats import Caveat, order_caveats
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.experiments.evidence import (
    conclude_guess,
    is_saturated,
    list_agreement,
    list_item_caveats,
    list_run_caveats,
    list_seed_caveats,
    miss_results,
    orient,
    refuse_direction,
)
from sweeps.results import RunResult
from sweeps.spec.sections import MetricWish
from sweeps.stage import Json
from sweeps.stats.intervals import ALPHA, Estimate

UNTRAINED = "untrained"
UNEQUAL = 1.5  # times: what runs of equal length may differ by in tokens, because their evaluations do


def conclude_comparison(
    spec: Mapping[str, Json],
    wish: MetricWish,
    group: Sequence[RunResult],
    items: ItemsBy,
    *,
    place: str = "",
    several: bool = False,
) -> Conclusion:
    """Conclude which method of one variant is the best by a metric, and whether it is clearly ahead."""
    if wish.mode is None:
        return refuse_direction(wish.metric)
    kept, sign = select_items(items, wish.metric), 1.0 if wish.mode == "max" else -1.0
    comparison = compare(group, metric=wish.metric, items=kept)
    ranked = rank_methods(comparison, wish.mode)
    conclusion = _compare_leader(comparison, ranked, sign)
    leader = ranked[0].name if ranked else None
    if leader is not None and conclusion.claim not in ("nothing_learnt", "worse"):
        runs = [row for row in group if row.cell.get(METHOD) == leader]
        conclusion = conclude_guess(runs, leader, wish.metric, kept) or conclusion
    codes = _list_caveats(comparison, ranked, spec, sign) | {*conclusion.caveats}
    deflated = deflate_methods(comparison, group, kept).get(leader)
    if deflated and deflated.probability < 1 - ALPHA:
        codes.add("may_be_luck")
    if several:
        codes.add("one_of_several")
    return replace(conclusion, place=place, caveats=order_caveats(codes))


def rank_methods(comparison: Comparison, mode: str) -> list[MethodResult]:
    """Rank the methods that enough items tell, the best first."""
    enough = [method for method in comparison.contestants if not _is_too_few(method)]
    known = [(method, method.estimate) for method in enough if method.estimate]
    return [method for method, _ in sorted(known, key=lambda pair: pair[1].mean, reverse=mode == "max")]


def _is_too_few(method: MethodResult) -> bool:
    return method.told is not None and method.told.is_too_few


def _compare_leader(comparison: Comparison, ranked: Sequence[MethodResult], sign: float) -> Conclusion:
    """Compare the best with the next; first of all, the trained ones with the untrained model."""
    if not ranked:
        few = any(map(_is_too_few, comparison.contestants))
        return (
            Conclusion("too_few_items", comparison.metric) if few else miss_results(comparison.metric, comparison.runs)
        )
    trained = [method for method in ranked if method.name is not None]
    first, *rest = ranked
    if len(ranked) == 1:
        return Conclusion("measured", comparison.metric, _name(first.name), None, *orient(first.estimate))
    if len(trained) < len(ranked):
        gains = {method.name: _find_gain(comparison, method.name, None) for method in trained}
        if (untaught := _judge_untrained(comparison.metric, first, trained, gains, sign)) is not None:
            return untaught
    return _compare_pair(comparison, first, rest[0], sign)


def _judge_untrained(
    metric: str,
    first: MethodResult,
    trained: Sequence[MethodResult],
    gains: Mapping[str | None, tuple[Estimate, bool] | None],
    sign: float,
) -> Conclusion | None:
    """Conclude that nothing is better than the untrained model; None where something is, or nothing can say it."""
    known = {name: gain for name, gain in gains.items() if gain}
    if any(is_clear and sign * gain.mean > 0 for gain, is_clear in known.values()):
        return None
    if first.name is not None and any(gain.seeds < 2 for gain, _ in known.values()):
        return None
    best = trained[0]
    if best.name not in known:
        return None
    gain, is_clear = known[best.name]
    if gain.seeds < 2:
        return Conclusion("not_judged", metric, UNTRAINED, best.name, *orient(gain, -sign))
    return Conclusion("worse" if is_clear else "nothing_learnt", metric, str(best.name), UNTRAINED, *orient(gain, sign))


def _compare_pair(comparison: Comparison, first: MethodResult, second: MethodResult, sign: float) -> Conclusion:
    sides = _name(first.name), _name(second.name)
    pair = _find_gain(comparison, first.name, second.name)
    if pair is None:
        return Conclusion("not_judged", comparison.metric, *sides, caveats=("no_shared_seed",))
    estimate, is_clear = pair
    effect = orient(estimate, sign)
    if is_clear and (effect.effect or 0) < 0:  # the means are of other seeds
        return Conclusion("better", comparison.metric, *sides[::-1], *orient(estimate, -sign))
    claim: Claim = "better" if is_clear else "no_clear_difference"
    if estimate.half_width is None and (estimate.seeds < 2 or estimate.mean):
        claim = "not_judged"
    return Conclusion(claim, comparison.metric, *sides, *effect, caveats=list_agreement(estimate))


def _find_gain(comparison: Comparison, first: str | None, second: str | None) -> tuple[Estimate, bool] | None:
    """Find by how much one is above the other, and whether that is clear among all pairs."""
    for pair in comparison.differences:
        if (pair.one, pair.other) == (first, second):
            return pair.estimate, pair.after_holm
        if (pair.one, pair.other) == (second, first):
            return _turn(pair.estimate), pair.after_holm
    return None


def _turn(estimate: Estimate) -> Estimate:
    low, high = estimate.span
    ends = estimate.interval
    turned = None if ends is None else (-ends[1], -ends[0])
    return estimate._replace(mean=-estimate.mean, span=(-high, -low), interval=turned)


def _name(method: str | None) -> str:
    return UNTRAINED if method is None else method


def _list_caveats(
    comparison: Comparison, ranked: Sequence[MethodResult], spec: Mapping[str, Json], sign: float
) -> set[Caveat]:
    trained = [method for method in comparison.contestants if method.name is not None]
    counts = [method.told for method in comparison.contestants]
    codes = list_run_caveats(comparison.runs) | list_item_caveats(comparison.metric, counts)
    codes |= list_seed_caveats([method.estimate.seeds for method in trained if method.estimate])
    if ranked and is_saturated(ranked[0].estimate, comparison.metric, sign):
        codes.add("saturated")
    equal = spec.get("equal")
    tokens = [method.tokens for method in trained if method.estimate and method.tokens]
    if isinstance(equal, Mapping) and equal.get("tokens") and tokens and max(tokens) > UNEQUAL * min(tokens):
        codes.add("unequal_lengths")
    return codes
