"""Say in sentences which method is the best by a metric, and what is known where none is."""

from collections.abc import Sequence

import numpy as np

from sweeps.analysis.calibration_cells import list_calibrations
from sweeps.analysis.comparison import Comparison, Difference, MethodResult
from sweeps.analysis.idle_policies import INACTIVE
from sweeps.analysis.strata.stratum_differences import BIASED
from sweeps.analysis.told_items import FEWEST, warn_unknown
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.registry import find_measure
from sweeps.experiments.conclude_comparison import rank_methods
from sweeps.experiments.conclusion import Claim, Conclusion, say_ahead
from sweeps.experiments.contrasts import (
    Design,
    describe_common,
    drop_controls,
    find_difference,
    judge_pair,
    list_contrasts,
    name_method,
)
from sweeps.experiments.evidence import is_saturated
from sweeps.formatting import join_names
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import MINUS, format_estimate
from sweeps.results import RunResult
from sweeps.spec.metric_wishes import ask_direction
from sweeps.spec.sections import Best
from sweeps.stats.intervals import turn_estimate
from sweeps.stats.paired_items import Items

LOSSES_FIRST: tuple[Claim, ...] = ("worse", "better", "no_clear_difference", "not_judged")
LEVELS = "95 % intervals for other seeds, on these items"
BOUNDS = "where all seeds agree, bounds of so many items"
AS_GOOD = "as good as it can be: these items cannot tell them apart"


def list_levels(comparison: Comparison, where: str) -> str:
    """List the mean of each method by a metric of which no direction is known: none is the best."""
    known = [(method, method.estimate) for method in comparison.contestants if method.estimate]
    if not known:
        return f"No method{where} has a result for {comparison.metric}."
    means = ", ".join(
        f"{name_method(method.name)} {format_estimate(level)}{mark_told(method.told)}" for method, level in known
    )
    return f"{comparison.metric}{where}: {means} ({LEVELS}); {ask_direction(comparison.metric)}."


def name_leader(
    comparison: Comparison, best: Best, where: str, design: Design, headline: Sequence[Conclusion] = ()
) -> str:
    """Name the best method, and say whether it is clearly ahead of the next one. What the headline says is left out."""
    ranked = rank_methods(comparison, best.mode, design)
    few = [method for method in comparison.contestants if method.estimate and method.told and method.told.is_too_few]
    left = warn_unknown(comparison.metric, ranked[0].told) if ranked else ""
    left += f" Not ranked, because fewer than {FEWEST} items tell it: {_list_told(few)}." if few else ""
    left += _list_inactive(comparison, ranked)
    return (
        _name_first(comparison, best, ranked, where, headline)
        if ranked or not few
        else _refuse_leader(comparison, where)
    ) + left


def tell_against(
    comparison: Comparison, best: Best, where: str, design: Design, headline: Sequence[Conclusion] = ()
) -> str:
    """Say of every method how it compares with the one that the question is about, what is clearly worse first.

    Nothing if that one has no result. What the headline says of all of them is left out.
    """
    sign, known = (
        (1.0 if best.mode == "max" else -1.0),
        {name_method(method.name): method for method in comparison.contestants if method.estimate},
    )
    claims = list_contrasts(comparison, design, sign)
    if not claims or design.against is None:
        return ""
    known_pairs = {(name, claim.against) for claim in headline for name in (claim.subject, *claim.ties)}
    methods = [known[name] for name in (design.against, *(claim.subject for claim in claims))]
    if all((claim.subject, claim.against) in known_pairs for claim in claims):
        return _write_levels(methods, comparison.metric, where)
    claims.sort(key=lambda claim: LOSSES_FIRST.index(claim.claim))
    equal = [claim for claim in claims if claim.ties and is_saturated(methods[0].estimate, comparison.metric, sign)]
    parts = [_tell_contrast(claim, comparison, known[claim.subject]) for claim in claims if claim not in equal]
    if equal:
        parts.append(f"{join_names([claim.subject for claim in equal])} the same, {AS_GOOD}")
    few = [method for method in methods if method.told and method.told.is_too_few]
    left = warn_unknown(comparison.metric, methods[0].told)
    left += f" Fewer than {FEWEST} items tell it: {_list_told(few)}." if few else ""
    return f"{comparison.metric}{where} against {_show_level(methods[0])}: {'; '.join(parts)}.{left}"


def _show_level(method: MethodResult) -> str:
    assert method.estimate
    return f"{name_method(method.name)} {method.estimate.mean:.4f}{mark_told(method.told)}".replace("-", MINUS)


def _tell_contrast(claim: Conclusion, comparison: Comparison, method: MethodResult) -> str:
    """Tell one method: after_closed 0.0000, worse by 0.9778 (95 % interval 0.8610 to 1.0000)."""
    if claim.claim in ("better", "worse"):
        return f"{_show_level(method)}, {say_ahead(claim)}{claim.over}"
    pair = find_difference(comparison, claim.subject, str(claim.against))
    if pair is None:
        return f"{_show_level(method)}, which shares no seed with it"
    verdict = "no clear difference" if claim.claim == "no_clear_difference" else "nothing says how sure a difference is"
    return f"{_show_level(method)}, {verdict}: {format_estimate(pair.estimate, signed=True)}{claim.over}"


def tell_floor(comparison: Comparison, best: Best, design: Design) -> str:
    """Say what a method that does nothing scores, and which trained methods are not clearly better; or nothing.

    Such a score is what an empty answer is worth, as guessing is where there are classes.
    """
    sign = 1.0 if best.mode == "max" else -1.0
    idle = [
        (method, method.estimate)
        for method in comparison.contestants
        if method.inactive and method.estimate and sign > 0 and method.estimate.mean > 0
    ]
    if not idle:
        return ""
    floor, level = max(idle, key=lambda pair: pair[1].mean)
    name, why = name_method(floor.name), INACTIVE[floor.inactive or "never_acts"]
    trained = [method for method in drop_controls(comparison.contestants, design) if method.name and method.estimate]
    below = [
        name_method(method.name)
        for method in trained
        if not method.inactive and judge_pair(comparison, name_method(method.name), name, sign).claim != "better"
    ]
    verdict = f"; not clearly better: {join_names(below)}" if below else ""
    return f" Doing nothing scores {level.mean:.4f} ({name}: {why}){verdict}."


def tell_confidence(rows: Sequence[RunResult], items: Items | None, metric: str) -> str:
    """Say how sure each method is and how often it is right: an error of calibration has no direction; or nothing.

    Nothing of answers that are written, whose confidence is the probability of a whole text.
    """
    if get_base_name(metric) not in BIASED or items is None:
        return ""
    for calibration in list_calibrations(rows, {str(find_measure(metric)): items}):
        levels = [
            f"{cell.name} {np.mean(cell.confidence):.2f} and {np.mean(cell.right):.2f}" for cell in calibration.cells
        ]
        return "" if calibration.written else f" Mean confidence and share right: {'; '.join(levels)}."
    return ""


def _list_inactive(comparison: Comparison, ranked: Sequence[MethodResult]) -> str:
    """List what does nothing and would be ahead, with the reason: Not ranked: untrained 0.0000 (it never acts)."""
    names = {method.name for method in ranked}
    idle = [
        f"{name_method(method.name)} {method.estimate.mean:.4f} ({INACTIVE[method.inactive]})"
        for method in comparison.contestants
        if method.inactive and method.estimate and method.name not in names
    ]
    return f" Not ranked: {'; '.join(idle)}." if idle else ""


def _refuse_leader(comparison: Comparison, where: str) -> str:
    return f"No method is named the best by {comparison.metric}{where}."


def _list_told(methods: Sequence[MethodResult]) -> str:
    """List methods with what they have and how many items tell it: untrained 1.000 (1 of 200)."""
    return "; ".join(
        f"{name_method(method.name)} {method.estimate.mean:.4f} ({method.told.describe()})"
        for method in methods
        if method.estimate and method.told
    )


def _name_first(
    comparison: Comparison, best: Best, ranked: Sequence[MethodResult], where: str, headline: Sequence[Conclusion]
) -> str:
    if not ranked:
        return f"No method{where} has a result for {comparison.metric}."
    first = ranked[0]
    assert first.estimate is not None
    if len(ranked) == 1 and any(claim.claim == "measured" for claim in headline):
        return ""
    ties = [method for method in ranked if method.estimate and method.estimate.mean == first.estimate.mean]
    if any(_says_all(claim, ranked) for claim in headline):
        return _write_levels(ranked[: max(2, len(ties))], comparison.metric, where)
    if len(ties) > 1:
        names = join_names([name_method(method.name) for method in ties])
        can = is_saturated(first.estimate, comparison.metric, 1.0 if best.mode == "max" else -1.0)
        return f"{names} have the same {_write_first(comparison, first, where)}{f', {AS_GOOD}' if can else ''}."
    return _compare_first(comparison, best, ranked, where)


def _write_first(comparison: Comparison, first: MethodResult, where: str) -> str:
    assert first.estimate
    return f"{comparison.metric}{where}: {format_estimate(first.estimate)} ({_name_interval(first)})"


def _compare_first(comparison: Comparison, best: Best, ranked: Sequence[MethodResult], where: str) -> str:
    """Name the best method only where it is clearly ahead, or where nothing can say so."""
    first = ranked[0]
    leader = f"{name_method(first.name)} has the best {_write_first(comparison, first, where)}"
    if len(ranked) == 1:
        return f"{leader}; no other method has a result."
    second = ranked[1]
    difference = find_difference(comparison, name_method(first.name), name_method(second.name))
    if difference is None:
        share = "no item that tells it" if first.told and first.told.is_conditional else "no seed"
        return f"{leader}; it shares {share} with {name_method(second.name)}, the next."
    gap, over = format_estimate(difference.estimate, signed=True), describe_common(difference)
    if difference.after_holm:
        size = difference.estimate
        gap = format_estimate(turn_estimate(size) if size.mean < 0 else size)
        return f"{leader}, {_say_lead(difference, best)} {name_method(second.name)}, by {gap}{over}."
    pair = f"{name_method(first.name)} {MINUS} {name_method(second.name)} = {gap}{over}"
    family = comparison.count_family(difference.one, difference.other)
    alone = f", clear alone, but not among {family:,} pairs" if difference.clear else ""
    if difference.estimate.half_width is None:
        return f"{leader}; nothing says how sure the difference is: {pair}."
    levels = ", ".join(f"{_show_level(method)}" for method in (first, second))
    return f"No clear difference in {comparison.metric}{where}: {pair}{alone} ({levels})."


def _name_interval(method: MethodResult) -> str:
    """Name the interval of a mean: that of the seeds, or a bound from its items where all seeds agree."""
    assert method.estimate
    kind = "95 % interval" if method.estimate.interval is None else "95 % bound of so many items; all seeds agree"
    if method.estimate.half_width is None:
        alone = method.estimate.seeds == 1
        kind = "a single run" if alone else "all seeds agree, and no items were kept to judge by"
    items = f", {method.told.describe()} items tell it" if method.told and method.told.is_conditional else ""
    return f"{kind}{items}"


def _says_all(headline: Conclusion, ranked: Sequence[MethodResult]) -> bool:
    """Whether the headline compares the first with the second."""
    return len(ranked) > 1 and {headline.subject, headline.against} == {name_method(row.name) for row in ranked[:2]}


def _write_levels(methods: Sequence[MethodResult], metric: str, where: str) -> str:
    """Write what the first methods have: nll (model=s): rl 1.5011 ± 0.0015, sl 1.9995 ± 0.0041 (and the intervals)."""
    known = [(method, method.estimate) for method in methods if method.estimate]
    means = ", ".join(
        f"{name_method(method.name)} {format_estimate(level)}{mark_told(method.told)}" for method, level in known
    )
    kinds = {level.interval is not None for _, level in known if level.half_width is not None}
    words = LEVELS if kinds == {False} else f"{LEVELS}; {BOUNDS}" if kinds else ""
    return f"{metric}{where}: {means}{f' ({words})' if words else ''}."


def _say_lead(difference: Difference, best: Best) -> str:
    """Say ahead, or behind: a method that lacks seeds may have the better mean because its seeds are easier."""
    mean = difference.estimate.mean
    is_behind = mean < 0 if best.mode == "max" else mean > 0
    return "but over the seeds that both have clearly behind" if is_behind else "clearly ahead of"
