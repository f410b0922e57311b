"""Methods of which no step was trained: they are the model that they began from, so nothing can be said about them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sweeps.analysis.comparison import METHOD, UNTRAINED
from sweeps.analysis.learning_signs import LearningSign
from sweeps.analysis.learning_words import name_seeds
from sweeps.analysis.targets import describe_cell
from sweeps.experiments.caveats import Caveat, order_caveats
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.records import canonicalize_row
from sweeps.report.inputs import Material
from sweeps.results import GIVEN_UP, RunResult, find_shared_keys

ALONE: tuple[Claim, ...] = ("measured", "no_answer", "nothing_measured")  # what is concluded if nothing else is left


def list_not_trained(signs: Iterable[LearningSign]) -> list[LearningSign]:
    """List the methods of which some runs, or all, trained no step: no group ever differed in reward.

    In a chain another training may have changed the model.
    """
    return [
        sign
        for sign in signs
        if sign.code == "no_group_differed" and sign.chain == 1 and not sign.running and METHOD in sign.cell
    ]


def leave_untaught(material: Material, signs: Iterable[LearningSign]) -> Material:
    """Leave out the rows of methods of which no run was trained: they are compared with nothing."""
    lost = {canonicalize_row(sign.cell) for sign in list_not_trained(signs) if _is_whole(sign, material.rows)}
    rows = [row for row in material.rows if canonicalize_row(row.cell) not in lost] if lost else material.rows
    return replace(material, rows=rows)


def drop_explained(signs: Sequence[LearningSign]) -> list[LearningSign]:
    """Drop the signs of trainings of which it is known that no step was trained."""
    known = {(canonicalize_row(sign.cell), seed) for sign in list_not_trained(signs) for seed in sign.seeds}
    return [sign for sign in signs if any((canonicalize_row(sign.cell), seed) not in known for seed in sign.seeds)]


def tell_not_trained(
    conclusion: Conclusion | None, material: Material, signs: Sequence[LearningSign], against: str | None
) -> Conclusion | None:
    """Add to a conclusion which methods were not trained; first of all, if nothing else can be concluded.

    Claims about a method of which some runs were not trained name these.
    """
    shared = find_shared_keys([row.cell for row in material.rows])
    listed = list_not_trained(signs)
    whole = [sign for sign in listed if _is_whole(sign, material.rows)]
    metric = conclusion.metric if conclusion else None
    claims = [_conclude(sign, metric, shared) for sign in whole]
    if conclusion is None:
        return replace(claims[0], others=(*claims[1:],)) if claims else None
    parts = {_name(sign): sign for sign in listed if sign not in whole}
    every = [_name_runs(claim, parts) for claim in (conclusion, *conclusion.others)]
    leads = conclusion.claim in ALONE or against in {claim.subject for claim in claims}
    every = [*claims, *every] if leads else [every[0], *claims, *every[1:]]
    return replace(every[0], others=(*every[1:],), more=conclusion.more)


def _is_whole(sign: LearningSign, rows: Sequence[RunResult]) -> bool:
    """Whether none of the runs of its method was trained, and none is still to come."""
    return all(row.seed in sign.seeds or row.state in GIVEN_UP for row in rows if row.cell == sign.cell)


def _name(sign: LearningSign) -> str:
    return UNTRAINED if sign.cell[METHOD] is None else str(sign.cell[METHOD])


def _conclude(sign: LearningSign, metric: str | None, shared: Collection[str]) -> Conclusion:
    place = describe_cell(sign.cell, without={*shared, METHOD})
    details: Mapping[Caveat, str] = {"not_trained": f"no group differed in reward ({name_seeds(sign)})"}
    return Conclusion("not_trained", metric, _name(sign), caveats=("not_trained",), place=place, details=details)


def _describe_part(sign: LearningSign) -> str:
    return f"{_name(sign)} was not trained with {name_seeds(sign)}, because no group differed in reward"


def _name_runs(claim: Conclusion, parts: Mapping[str, LearningSign]) -> Conclusion:
    named = [parts[name] for name in (claim.subject, claim.against or "") if name in parts]
    if not named:
        return claim
    details = {**claim.details, "not_trained": "; ".join(map(_describe_part, named))}
    return replace(claim, caveats=order_caveats({*claim.caveats, "not_trained"}), details=details)
