"""Conclude a sweep from its material: the claim of its kind, with the caveats that every kind has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sweeps.analysis.confusion_cells import list_rare_classes
from sweeps.analysis.idle_policies import list_idle
from sweeps.analysis.learning_evidence import find_signs
from sweeps.analysis.learning_signs import FLAT, LearningSign
from sweeps.analysis.run_counts import find_cuts
from sweeps.analysis.strata.unlearnt_parts import UnlearntPart, describe_unlearnt, list_unlearnt
from sweeps.errors import SweepsError
from sweeps.evaluation.classes import RARE
from sweeps.evaluation.metric_prefixes import CUT, get_base_name, get_prefix
from sweeps.evaluation.registry import EVALUATORS, find_measure
from sweeps.experiments.caveats import CAVEATS, Caveat, order_caveats
from sweeps.experiments.conclude_control import DataRoles
from sweeps.experiments.conclusion import Claim, Conclusion
from sweeps.experiments.contrasts import Design, list_control_data
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.experiments.kind import Experiment
from sweeps.experiments.not_trained import drop_explained, leave_untaught, tell_not_trained
from sweeps.experiments.repeated_metrics import drop_repeated_metrics
from sweeps.formatting import join_names
from sweeps.rendering.prompts import find_prompt_axes
from sweeps.report.inputs import Material
from sweeps.results import GIVEN_UP, keep_measured
from sweeps.stage import Json, LeftOut

UNCLEAR: tuple[Claim, ...] = ("no_clear_difference", "nothing_learnt", "tied_best")  # all are judged together (Holm)
UNANSWERED = (SweepsError, ValueError, KeyError, ArithmeticError)
"""What rows can lack for an answer. It costs the answer, never the report or the rows."""


def conclude_sweep(material: Material) -> Conclusion:
    """Conclude a sweep, finished or not: the first line of every answer about it."""
    return conclude_material(material, get_experiment(material.experiment), list_signs(material))


def list_signs(material: Material) -> tuple[LearningSign, ...]:
    """List the signs of not having learnt. That a control learns nothing is none."""
    signs = find_signs(material.rows, material.learning, material.training)
    return tuple(sign for sign in signs if not (sign.code in FLAT and _is_control(material.spec, sign.cell)))


def _is_control(spec: Mapping[str, Json], cell: Mapping[str, Json]) -> bool:
    """Whether a cell is that of a control: a method, or a data set."""
    return Design.read(spec).is_control(cell) or DataRoles.read(spec).is_control(cell)


def list_parts(material: Material, metric: str) -> list[UnlearntPart]:
    """List the parts in which nothing was learnt; what only controls learn from is none, and neither are controls."""
    twins = list_control_data(material.spec)
    rows = [row for row in material.rows if not _is_control(material.spec, row.cell)]
    parts = list_unlearnt(material.spec, rows, material.items, metric)
    return [part for part in parts if part.part.partition(".")[0] not in twins]


def conclude_material(material: Material, kind: Experiment | None, signs: Sequence[LearningSign]) -> Conclusion:
    """Conclude what the kind of experiment does, and add what limits any answer."""
    if not keep_measured(material.rows):
        return _miss_everything(material)
    if kind is None:
        return Conclusion("no_answer", caveats=("unknown_experiment",))
    try:
        conclusion = _conclude_trained(material, kind, signs)
    except UNANSWERED:
        return Conclusion("no_answer", caveats=("unusable_rows",))
    material = leave_untaught(material, signs)
    shared = _list_shared_caveats(material, drop_explained(signs))
    claims = (conclusion, *conclusion.others)
    parts = {metric: list_parts(material, metric) for metric in {claim.metric or "" for claim in claims}}
    every = [
        _add_caveats(_weigh_asking(_name_unlearnt(_explain(claim, material.left_out), parts), material), shared)
        for claim in claims
    ]
    if material.spec.get("until"):  # rounds give each size the seeds that narrow the answer most
        every = [_drop_missing_seeds(claim) for claim in every]
    if any(row.state not in (*GIVEN_UP, "succeeded") for row in material.rows):
        every = [_expect_more(claim) for claim in every]
    return replace(every[0], others=tuple(every[1:]))


def _conclude_trained(material: Material, kind: Experiment, signs: Sequence[LearningSign]) -> Conclusion:
    """Conclude about what was trained, and say what was not."""
    trained = leave_untaught(material, signs)
    conclusion = None
    if keep_measured(trained.rows):
        asked = drop_repeated_metrics(trained.spec, trained.rows)
        conclusion = kind.conclude(asked, trained.rows, trained.items)
    concluded = tell_not_trained(conclusion, material, signs, Design.read(material.spec).against)
    return concluded or Conclusion("nothing_measured")


def _expect_more(claim: Conclusion) -> Conclusion:
    """Say of a sweep that goes on that it does, instead of which seeds are missing."""
    return replace(claim, caveats=order_caveats({*_drop_missing_seeds(claim).caveats, "unfinished_runs"}))


def _drop_missing_seeds(claim: Conclusion) -> Conclusion:
    return replace(claim, caveats=tuple(code for code in claim.caveats if code != "missing_seeds"))


def _explain(claim: Conclusion, left_out: Sequence[LeftOut]) -> Conclusion:
    """Say why runs were not measured, where the plan knew that some data cannot give the metric."""
    metric = claim.metric or ""
    reasons = {
        omission.code
        for omission in left_out
        if any(metric == name or metric.endswith(f".{name}") for name in omission.metrics)
    }
    known = [code for code in CAVEATS if code in reasons]
    if "unmeasured_runs" not in claim.caveats or not known:
        return claim
    return replace(claim, caveats=(*known, *(code for code in claim.caveats if code != "unmeasured_runs")))


def _name_unlearnt(claim: Conclusion, parts: Mapping[str, Sequence[UnlearntPart]]) -> Conclusion:
    """Name the parts that got worse, or in which nothing was learnt, although the whole improved."""
    known, details = parts.get(claim.metric or "", []), dict(claim.details)
    codes: Mapping[Caveat, bool] = {"parts_worse": True, "parts_not_learnt": False}
    for code, fell in codes.items():
        named = [part for part in known if part.fell == fell]
        columns = dict.fromkeys(part.column for part in named)
        if columns:
            listed = ([part for part in named if part.column == column] for column in columns)
            details[code] = "; ".join(map(describe_unlearnt, listed))
    caveats: list[Caveat] = [code for code in codes if code in details]
    return replace(claim, caveats=order_caveats({*claim.caveats, *caveats}), details=details)


def _weigh_asking(claim: Conclusion, material: Material) -> Conclusion:
    """Say that its sides were asked with different prompts, that answers were cut, or that few items are of a class."""
    caveats, details = {*claim.caveats}, dict(claim.details)
    if _differ_prompts(material.spec, claim.metric or ""):
        caveats.add("prompts_differ")
    is_against = claim.against == "untrained" or "learning_unclear" in claim.caveats
    trained, untrained = (_is_cut(claim, material, trained=trained) for trained in (True, False))
    if trained or (is_against and untrained):
        caveats.add("answers_cut")  # they may have been right
        details["answers_cut"] = f"some answers{'' if trained else ' of the untrained model'} were cut"
    if rare := list_rare_classes(claim.metric or "", material.items.get(find_measure(claim.metric or "") or "", {})):
        caveats.add("class_rare")
        details["class_rare"] = f"fewer than {RARE} items each are of {join_names(rare)}"
    return replace(claim, caveats=order_caveats(caveats), details=details)


def _is_cut(claim: Conclusion, material: Material, *, trained: bool) -> bool:
    """Whether answers that the metric of a claim is read from were cut."""
    cuts = find_cuts(material.rows, trained=trained)
    measures = {f"{get_prefix(name)}{get_base_name(name).removeprefix(CUT)}" for name in cuts}
    return find_measure(claim.metric or "") in measures


def _differ_prompts(spec: Mapping[str, Json], metric: str) -> bool:
    """Whether the conditions of a sweep were asked with different prompts for a metric."""
    varied, measure = spec.get("vary"), find_measure(metric)
    evaluator = EVALUATORS.get(get_base_name(measure)) if measure else None
    is_asked = evaluator is not None and evaluator.formats != () and not evaluator.reads_whole_context
    return is_asked and isinstance(varied, Mapping) and bool(find_prompt_axes(map(str, varied)))


def _add_caveats(conclusion: Conclusion, shared: set[Caveat]) -> Conclusion:
    alone: set[Caveat] = {"clear_alone"} if _is_clear_alone(conclusion) else set()
    return replace(conclusion, caveats=order_caveats({*conclusion.caveats, *shared, *alone}))


def _is_clear_alone(conclusion: Conclusion) -> bool:
    """Whether a difference that is called unclear has an interval without 0."""
    low, high = conclusion.low, conclusion.high
    return conclusion.claim in UNCLEAR and low is not None and high is not None and (low > 0 or high < 0)


def _miss_everything(material: Material) -> Conclusion:
    """Conclude that nothing is measured, and whether more is to come."""
    lost = [row.state in GIVEN_UP for row in material.rows]
    codes: set[Caveat] = {"failed_runs"} if any(lost) else set()
    codes |= {"unfinished_runs"} if not all(lost) or not lost else set()
    return Conclusion("no_answer" if lost and all(lost) else "nothing_measured", caveats=order_caveats(codes))


def _list_shared_caveats(material: Material, signs: Sequence[LearningSign]) -> set[Caveat]:
    codes: set[Caveat] = {"may_not_have_learnt"} if signs else set()
    codes |= {"idle_policy"} if any(list_idle(material.rows, material.items)) else set()
    return codes | ({"items_unread"} if material.unread else set())
