"""Say in sentences which method is the best by a metric, and what is known where none is."""

from collections.abc import Sequence

from sweeps.analysis.comparison import Comparison, Difference, MethodResult
from sweeps.analysis.idle_policies import INACTIVE
from sweeps.analysis.told_items import FEWEST, warn_unknown
from sweeps.experiments.conclude_comparison import rank_methods
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.contrasts import Design, name_method
from sweeps.report.shared_parts import mark_told
from sweeps.report.table_cells import format_estimate
from sweeps.spec.metric_wishes import ask_direction
from sweeps.spec.sections import Best
from sweeps.stats.intervals import turn_estimate

LEVELS = "95 % intervals for other seeds, on these items"


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
    if any(_says_all(claim, ranked) for claim in headline):
        return _write_levels(ranked[:2], comparison.metric, where)
    alone = "a single run" if first.estimate.seeds == 1 else "all seeds agree, and no items were kept to judge by"
    interval = alone if first.estimate.half_width is None else "95 % interval"
    items = f", {first.told.describe()} items tell it" if first.told and first.told.is_conditional else ""
    leader = (
        f"{name_method(first.name)} has the best {comparison.metric}{where}: {format_estimate(first.estimate)} "
        f"({interval}{items})"
    )
    if len(ranked) == 1:
        return f"{leader}; no other method has a result."
    second = ranked[1]
    for difference in comparison.differences:
        if {difference.one, difference.other} == {first.name, second.name}:
            estimate = difference.estimate
            gap = format_estimate(turn_estimate(estimate) if estimate.mean < 0 else estimate)
            return f"{leader}, {_say_lead(difference, first, best)} {name_method(second.name)}, by {gap}."
    share = "no item that tells it" if items else "no seed"
    return f"{leader}; it shares {share} with {name_method(second.name)}, the next."


def _says_all(headline: Conclusion, ranked: Sequence[MethodResult]) -> bool:
    """Whether the headline compares the first with the second."""
    return len(ranked) > 1 and {headline.subject, headline.against} == {name_method(row.name) for row in ranked[:2]}


def _write_levels(methods: Sequence[MethodResult], metric: str, where: str) -> str:
    """Write what the first methods have: nll (model=s): rl 1.5011 ± 0.0015, sl 1.9995 ± 0.0041 (and the intervals)."""
    known = [(method, method.estimate) for method in methods if method.estimate]
    means = ", ".join(
        f"{name_method(method.name)} {format_estimate(level)}{mark_told(method.told)}" for method, level in known
    )
    has_intervals = any(level.half_width is not None for _, level in known)
    return f"{metric}{where}: {means}{f' ({LEVELS})' if has_intervals else ''}."


def _say_lead(difference: Difference, first: MethodResult, best: Best) -> str:
    """Say ahead, or behind: a method that lacks seeds may have the better mean because its seeds are easier."""
    mean = difference.estimate.mean if difference.one == first.name else -difference.estimate.mean
    behind = mean < 0 if best.mode == "max" else mean > 0
    clear = (
        "clearly"
        if difference.after_holm
        else "clearly by itself, but not among all pairs,"
        if difference.clear
        else "not clearly"
    )
    return f"but over the seeds that both have {clear} behind" if behind else f"{clear} ahead of"
