"""Conclude a comparison: what was asked against one method, the best against the next, controls, and what else fell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from sweeps.analysis.comparison import METHOD, UNTRAINED, Comparison, MethodResult, compare
from sweeps.analysis.deflated_sharpe import deflate_methods
from sweeps.analysis.idle_policies import drop_inactive
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.experiments.caveats import Caveat, order_caveats
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.contrasts import (
    OF_A_PAIR,
    Design,
    drop_controls,
    find_difference,
    is_matched_by_control,
    judge_pair,
    list_contrasts,
    list_controls,
    list_falls,
    name_method,
)
from sweeps.experiments.evidence import (
    conclude_guess,
    is_saturated,
    list_coverage,
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
from sweeps.stats.intervals import ALPHA

UNEQUAL = 1.5  # times: what runs of equal length may differ by in tokens, because their evaluations do
CONTRASTS = 3  # that a headline tells; all of them are in JSON
FALLS = 2


class _Ranked(NamedTuple):
    """The methods of one variant by one metric."""

    comparison: Comparison
    methods: Sequence[MethodResult]  # that can be the best, the best first
    design: Design
    sign: float  # -1 where less is better


def _rank(spec: Mapping[str, Json], wish: MetricWish, group: Sequence[RunResult], items: ItemsBy) -> _Ranked:
    design, mode = Design.read(spec), wish.mode or "min"
    kept = select_items(items, wish.metric)
    comparison = compare(group, metric=wish.metric, items=kept, cross_check=False, against=design.against)
    return _Ranked(comparison, rank_methods(comparison, mode, design), design, 1.0 if mode == "max" else -1.0)


def conclude_comparison(
    spec: Mapping[str, Json],
    asked: Sequence[MetricWish],
    group: Sequence[RunResult],
    items: ItemsBy,
    *,
    place: str = "",
    several: bool = False,
    most: int = CONTRASTS,
) -> list[Conclusion]:
    """Conclude what the methods of one variant do by the first metric asked; by the others, what fell.

    Against a method, each of the others is told by every metric, what is clearly worse first.
    At `most` so many contrasts are told, and the rest is aside; with one, the best against the next is aside, too.
    """
    wish, *rest = asked
    if wish.mode is None:
        return [refuse_direction(wish.metric)]
    ranked = _rank(spec, wish, group, items)
    leader = _conclude_leader(ranked, group, items)
    claims = _join(list_contrasts(ranked.comparison, ranked.design, ranked.sign), leader, most)
    claims += list_controls(ranked.comparison, ranked.design, ranked.sign)
    limited = _merge_ties([_limit(claim, ranked, _list_caveats(ranked, spec)) for claim in claims])
    praised = [claim for claim in limited if _praises(claim, leader.subject) and not claim.aside]
    falls = [fall for wish in rest if wish.mode for fall in _list_others(praised, spec, wish, group, items)]
    gained = {claim.subject for claim in praised}
    falls.sort(key=lambda fall: (fall.claim != "worse", fall.subject not in gained))
    limited += [replace(fall, aside=at >= FALLS or fall.claim != "worse") for at, fall in enumerate(falls)]
    shared: set[Caveat] = {"one_of_several"} if several else set()
    return [replace(claim, place=place, caveats=order_caveats({*claim.caveats, *shared})) for claim in limited]


def _join(contrasts: Sequence[Conclusion], leader: Conclusion, most: int) -> list[Conclusion]:
    """Put what was asked before the best and the next; first of all, that nothing was learnt, or can be said."""
    pair = {leader.subject, leader.against}
    others = [claim for claim in contrasts if {claim.subject, claim.against} != pair]
    if leader.claim not in OF_A_PAIR or (leader.against == UNTRAINED and leader.claim == "worse"):
        return [leader, *(replace(claim, aside=at >= most) for at, claim in enumerate(others))]
    claims = [replace(claim, aside=at >= most) for at, claim in enumerate(contrasts)]
    return claims if len(others) < len(contrasts) else [*claims, replace(leader, aside=bool(claims) and most == 1)]


def _merge_ties(claims: Sequence[Conclusion]) -> list[Conclusion]:
    """Put aside what says again that the same methods have the same value."""
    seen, merged = set[tuple[str, ...]](), list[Conclusion]()
    for claim in claims:
        ties = claim.ties if claim.claim == "no_clear_difference" else ()
        merged.append(replace(claim, aside=claim.aside or ties in seen))
        seen |= {ties} if ties and not claim.aside else set()
    return merged


def _praises(claim: Conclusion, leader: str) -> bool:
    """Whether it says of a method that it is better than what was asked about, or that it is the best."""
    return claim.claim == "better" or (claim.claim == "no_clear_difference" and claim.subject == leader)


def _list_others(
    praised: Sequence[Conclusion],
    spec: Mapping[str, Json],
    wish: MetricWish,
    group: Sequence[RunResult],
    items: ItemsBy,
) -> list[Conclusion]:
    """List what another metric says: of every method against what was asked, or else what is praised and has fallen."""
    if not praised and Design.read(spec).against is None:
        return []
    other = _rank(spec, wish, group, items)
    ranked = {name_method(method.name) for method in other.methods}
    falls = [*list_falls(praised, other.comparison, other.design, other.sign, ranked)]
    asked = list_contrasts(other.comparison, other.design, other.sign)
    known = {(fall.subject, fall.against) for fall in falls}
    falls += [claim for claim in asked if (claim.subject, claim.against) not in known]
    return [_limit(fall, other, _list_caveats(other, spec)) for fall in falls]


def _limit(claim: Conclusion, ranked: _Ranked, codes: set[Caveat]) -> Conclusion:
    """Add what limits every claim by a metric; that its subject cannot be better, or is no better than its control."""
    comparison, design, sign = ranked.comparison, ranked.design, ranked.sign
    own = {name_method(method.name): method.estimate for method in comparison.contestants}
    if is_saturated(own.get(claim.subject), comparison.metric, sign):
        codes = {*codes, "saturated"}
    praised = claim.claim == "better" and is_matched_by_control(comparison, design, claim.subject, sign)
    if praised or claim.claim == "control_as_good":
        codes = {*codes, "control_as_good"}
    return replace(claim, caveats=order_caveats({*codes, *claim.caveats}))


def rank_methods(comparison: Comparison, mode: str, design: Design) -> list[MethodResult]:
    """Rank the methods that enough items tell, the best first.

    No control is among them, nor what does nothing and is ahead of what does something.
    """
    enough = [method for method in drop_controls(comparison.contestants, design) if not _is_too_few(method)]
    known = [(method, method.estimate) for method in enough if method.estimate]
    ranked = [method for method, _ in sorted(known, key=lambda pair: pair[1].mean, reverse=mode == "max")]
    return drop_inactive(ranked, [method.inactive is not None for method in ranked])


def _is_too_few(method: MethodResult) -> bool:
    return method.told is not None and method.told.is_too_few


def _conclude_leader(ranked: _Ranked, group: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude which is the best, against the next; whether it beats a guess; whether it may be luck."""
    kept, metric = select_items(items, ranked.comparison.metric), ranked.comparison.metric
    conclusion = _compare_leader(ranked)
    leader = ranked.methods[0].name if ranked.methods else None
    if leader is not None and conclusion.claim not in ("nothing_learnt", "worse"):
        runs = [row for row in group if row.cell.get(METHOD) == leader]
        conclusion = conclude_guess(runs, leader, metric, kept) or conclusion
    deflated = deflate_methods(ranked.comparison, group, kept).get(leader)
    luck: tuple[Caveat, ...] = ("may_be_luck",) if deflated and deflated.probability < 1 - ALPHA else ()
    return replace(conclusion, caveats=(*conclusion.caveats, *luck))


def _compare_leader(ranked: _Ranked) -> Conclusion:
    """Compare the best with the next; first of all, the trained ones with the untrained model."""
    comparison, sign = ranked.comparison, ranked.sign
    if not ranked.methods:
        few = any(map(_is_too_few, comparison.contestants))
        return (
            Conclusion("too_few_items", comparison.metric) if few else miss_results(comparison.metric, comparison.runs)
        )
    trained = [method for method in ranked.methods if method.name is not None]
    first, *rest = ranked.methods
    if not rest:
        return Conclusion("measured", comparison.metric, name_method(first.name), None, *orient(first.estimate))
    is_judged = len(trained) < len(ranked.methods) or _may_lose_by_acting(comparison, sign)
    if trained and is_judged and (untaught := _judge_untrained(comparison, first, trained, sign)):
        return untaught
    judged = judge_pair(comparison, name_method(first.name), name_method(rest[0].name), sign)
    if judged.claim == "worse":  # the means are of other seeds
        return judge_pair(comparison, name_method(rest[0].name), name_method(first.name), sign)
    return judged


def _judge_untrained(
    comparison: Comparison, first: MethodResult, trained: Sequence[MethodResult], sign: float
) -> Conclusion | None:
    """Conclude that nothing is better than the untrained model; None where something is, or nothing can say it."""
    pairs = {method.name: find_difference(comparison, str(method.name), UNTRAINED) for method in trained}
    known = {name: pair for name, pair in pairs.items() if pair}
    if any(pair.after_holm and sign * pair.estimate.mean > 0 for pair in known.values()):
        return None
    if first.name is not None and any(pair.estimate.seeds < 2 for pair in known.values()):
        return None
    best = trained[0].name
    if best not in known:
        return None
    pair, metric = known[best], comparison.metric
    if pair.estimate.seeds < 2:
        return Conclusion("not_judged", metric, UNTRAINED, best, *orient(pair.estimate, -sign))
    effect, covered = orient(pair.estimate, sign), list_coverage(pair.covers)
    return Conclusion(
        "worse" if pair.after_holm else "nothing_learnt", metric, str(best), UNTRAINED, *effect, caveats=covered
    )


def _may_lose_by_acting(comparison: Comparison, sign: float) -> bool:
    """Whether the untrained model never acts, and more is better: then who acts may have lost, which is an answer.

    Where less is better, as of a turnover, doing nothing is ahead whatever the others can do.
    """
    idle = [method for method in comparison.contestants if method.name is None and method.inactive == "never_acts"]
    return bool(idle) and sign > 0


def _list_caveats(ranked: _Ranked, spec: Mapping[str, Json]) -> set[Caveat]:
    comparison = ranked.comparison
    trained = [method for method in comparison.contestants if method.name is not None]
    counts = [method.told for method in comparison.contestants]
    codes = list_run_caveats(comparison.runs) | list_item_caveats(comparison.metric, counts)
    codes |= list_seed_caveats([method.estimate.seeds for method in trained if method.estimate])
    equal = spec.get("equal")
    tokens = [method.tokens for method in trained if method.estimate and method.tokens]
    if isinstance(equal, Mapping) and equal.get("tokens") and tokens and max(tokens) > UNEQUAL * min(tokens):
        codes.add("unequal_lengths")
    return codes
