"""Judge one pair of methods, and what was asked against one of them, what controls learnt, and what else fell.

Each pair has one interval and one verdict, that of its row in the table of differences.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sweeps.analysis.comparison import METHOD, UNTRAINED, Comparison, Difference, MethodResult
from sweeps.experiments.caveats import Caveat
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.experiments.evidence import list_agreement, list_coverage, orient
from sweeps.stage import Json
from sweeps.stats.intervals import turn_estimate

OF_A_PAIR: tuple[Claim, ...] = ("better", "worse", "no_clear_difference", "not_judged")  # in the order of telling


@dataclass(frozen=True)
class Design:
    """What a spec asks of its methods: the one that the others are told against, and whose twin each control is."""

    against: str | None = None
    controls: Mapping[str, str] = field(default_factory=dict)  # by the control's name
    notes: Mapping[str, str] = field(default_factory=dict)  # what the file says of a method, by its name

    @classmethod
    def read(cls, spec: Mapping[str, Json]) -> "Design":
        methods, against = spec.get("methods"), spec.get("against")
        named = methods.items() if isinstance(methods, Mapping) else ()
        twins, notes = (
            {name: str(method[key]) for name, method in named if isinstance(method, Mapping) and method.get(key)}
            for key in ("control_of", "note")
        )
        return cls(None if against is None else str(against), twins, notes)

    def is_control(self, cell: Mapping[str, Json]) -> bool:
        """Whether a cell is that of a control."""
        return cell.get(METHOD) in self.controls

    @property
    def baseline(self) -> str:
        """What a control must not be better than, and a method not worse than."""
        return self.against or UNTRAINED


def list_control_data(spec: Mapping[str, Json]) -> set[str]:
    """List the data sets that controls alone are trained on: that nobody learns them is as it should be."""
    methods, controls = spec.get("methods"), Design.read(spec).controls
    named = (
        {name: method for name, method in methods.items() if isinstance(method, Mapping)}
        if isinstance(methods, Mapping)
        else {}
    )
    compared = [name for name, method in named.items() if method.get("compared", True)]
    own = {name: _list_data(name, named) for name in compared}
    used = {data for name in compared if name not in controls for data in own[name]}
    return {data for name in controls for data in own.get(name, ())} - used


def _list_data(name: str, methods: Mapping[str, Mapping[str, Json]]) -> set[str]:
    chain = methods[name].get("then")
    parts = (
        [next(iter(part)) if isinstance(part, Mapping) else str(part) for part in chain]
        if isinstance(chain, Sequence)
        else [name]
    )
    return {str(methods[part].get("data")) for part in parts if part in methods and methods[part].get("data")}


def name_method(method: str | None) -> str:
    """Name a method; none is the untrained model."""
    return UNTRAINED if method is None else method


def find_difference(comparison: Comparison, first: str, second: str) -> Difference | None:
    """Find the difference of the first less the second, by their names; None if they share no seed."""
    for pair in comparison.differences:
        names = name_method(pair.one), name_method(pair.other)
        if names == (first, second):
            return pair
        if names == (second, first):
            return replace(pair, one=pair.other, other=pair.one, estimate=turn_estimate(pair.estimate))
    return None


def judge_pair(comparison: Comparison, first: str, second: str, sign: float) -> Conclusion:
    """Conclude whether the first is clearly better or worse than the second; `sign` is -1 where less is better."""
    pair = find_difference(comparison, first, second)
    if pair is None:
        return Conclusion("not_judged", comparison.metric, first, second, caveats=("no_shared_seed",))
    estimate, effect = pair.estimate, orient(pair.estimate, sign)
    claim: Claim = "no_clear_difference"
    if pair.after_holm:
        claim = "better" if (effect.effect or 0) > 0 else "worse"
    elif estimate.half_width is None and (estimate.seeds < 2 or estimate.mean):
        claim = "not_judged"
    caveats: tuple[Caveat, ...] = (*list_agreement(estimate), *list_coverage(pair.covers))
    over = describe_common(pair)
    ties = list_ties(comparison, first, second) if claim == "no_clear_difference" else ()
    family = comparison.count_family(pair.one, pair.other)
    claimed = Conclusion(claim, comparison.metric, first, second, *effect, caveats=caveats)
    return replace(claimed, ties=ties, over=over, family=family)


def describe_common(pair: Difference) -> str:
    """Say of how many items a difference is, where not all tell it: then it is not that of the two means."""
    kept = pair.by_item
    if kept is None or not kept.left_out:
        return ""
    return f", on the {kept.items:,} of {kept.items + kept.left_out:,} items that both tell"


def list_ties(comparison: Comparison, first: str, second: str) -> tuple[str, ...]:
    """List all that have the value that both have, in the order of the results; nothing if they differ."""
    means = {name_method(method.name): method.estimate.mean for method in comparison.contestants if method.estimate}
    if first not in means or second not in means or not math.isclose(means[first], means[second], abs_tol=1e-9):
        return ()
    return tuple(name for name, mean in means.items() if math.isclose(mean, means[first], abs_tol=1e-9))


def list_contrasts(comparison: Comparison, design: Design, sign: float) -> list[Conclusion]:
    """List every other method against the one that was asked about: the clear ones first, the largest of each first.

    None where nothing was asked, or it has no result.
    """
    known = _list_known(comparison)
    if design.against not in known:
        return []
    others = [name for name in known if name not in (design.against, UNTRAINED, *design.controls)]
    claims = [judge_pair(comparison, name, design.against, sign) for name in others]
    return sorted(claims, key=lambda claim: (OF_A_PAIR.index(claim.claim), -abs(claim.effect or 0)))


def list_controls(comparison: Comparison, design: Design, sign: float) -> Iterator[Conclusion]:
    """Say of each control whether it learnt nothing, as it should, or did as well as the method whose twin it is."""
    known = _list_known(comparison)
    for control, twin in design.controls.items():
        if control not in known:
            continue
        beside = judge_pair(comparison, control, design.baseline, sign) if design.baseline in known else None
        is_flat = beside and beside.claim in ("no_clear_difference", "worse") and not (beside.low or 0) > 0
        if beside and is_flat and not _has_matched_gain(comparison, design, twin, sign):
            yield replace(beside, claim="control_learnt_nothing")
        elif twin in known:
            judged = judge_pair(comparison, control, twin, sign)
            yield replace(judged, claim="control_behind" if judged.claim == "worse" else _call_as_good(judged))


def _call_as_good(judged: Conclusion) -> Claim:
    return "control_not_judged" if judged.claim == "not_judged" else "control_as_good"


def _has_matched_gain(comparison: Comparison, design: Design, twin: str, sign: float) -> bool:
    """Whether the method of a control is clearly better than the baseline, and not clearly better than the control."""
    if twin not in _list_known(comparison):
        return False
    has_gained = judge_pair(comparison, twin, design.baseline, sign).claim == "better"
    return has_gained and is_matched_by_control(comparison, design, twin, sign)


def is_matched_by_control(comparison: Comparison, design: Design, method: str, sign: float) -> bool:
    """Whether a control of a method did about as well, so that what the method gained is no better than chance."""
    known = _list_known(comparison)
    judged = (
        judge_pair(comparison, method, control, sign)
        for control, twin in design.controls.items()
        if twin == method and control in known
    )
    return any(claim.claim in ("worse", "no_clear_difference") for claim in judged)


def list_falls(
    praised: Sequence[Conclusion], comparison: Comparison, design: Design, sign: float, known: Collection[str]
) -> Iterator[Conclusion]:
    """List by another metric what is praised and clearly worse than what it is told against, or than the baseline.

    `known` are the methods that are ranked by it: nothing has fallen from what does nothing.
    """
    for claim in praised:
        for reference in dict.fromkeys((claim.against, design.baseline)):
            if reference and reference in known and claim.subject in known and reference != claim.subject:
                judged = judge_pair(comparison, claim.subject, reference, sign)
                yield from [judged] if judged.claim == "worse" else []


def _list_known(comparison: Comparison) -> list[str]:
    return [name_method(method.name) for method in comparison.contestants if method.estimate]


def drop_controls(methods: Sequence[MethodResult], design: Design) -> list[MethodResult]:
    """Drop the controls: they are never the best, nor the next."""
    return [method for method in methods if method.name not in design.controls]
