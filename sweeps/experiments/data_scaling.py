"""Data scaling: how much data does a domain need? Every size of every data set, a fitted law, and its target."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.seed_estimates import estimate_level, read_run_scores
from sweeps.analysis.targets import (
    Spec,
    describe_cell,
    describe_goal_source,
    find_metric,
    fit_runs,
    split_variants,
)
from sweeps.experiments.caveats import order_caveats
from sweeps.experiments.conclude_control import DataRoles, conclude_controls
from sweeps.experiments.conclude_scaling import conclude_scaling, limit_by_runs, size_runs
from sweeps.experiments.conclusion import OF_TARGET, Conclusion, find_claim, gather
from sweeps.experiments.evidence import SENTENCES, list_measured_first, orient
from sweeps.experiments.kind import Experiment, Fact
from sweeps.experiments.scaling_parts import describe_plot, draw_curves, list_measured, tabulate_fits
from sweeps.planning.cells import Variant
from sweeps.planning.runs import DatasetRun, plan_sizes
from sweeps.planning.stage_builder import StageBuilder
from sweeps.report.document import Answer, Section, join_answers, make_table
from sweeps.report.plain_values import simplify
from sweeps.report.scaling_words import (
    describe_told,
    explain_fit,
    summarise_fit,
    weigh_largest,
)
from sweeps.results import RunResult, group_by_cell, keep_measured, read_values
from sweeps.scaling.coded_text import read_code
from sweeps.scaling.fit import ScalingFit
from sweeps.spec.data_role_rules import check_data_controls
from sweeps.spec.metric_wishes import split_spec
from sweeps.spec.model import SweepFields
from sweeps.spec.size_units import SizeUnit, find_unit
from sweeps.spec.until_rules import check_until
from sweeps.spec.variation_rules import list_sizes
from sweeps.stats.intervals import find_grain

LONG = 40  # rows of a table that is shown at once
FACTS = ("law", "params", "r2", "holdout_error", "minimum_data", "warnings", "refused")


def plan_scaling(builder: StageBuilder, variant: Variant) -> Iterator[DatasetRun]:
    """Plan every size of every data set, and the untrained base, size 0, once."""
    for name, spec in variant.data.items():
        yield from plan_sizes(builder, variant, {"data": name}, builder.data.dataset(name, spec))


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {"data": tuple(sweep.data), "size": list_sizes(sweep)}


def list_deciding(spec: Spec, _rows: Sequence[RunResult]) -> list[str]:
    """Name the metric of the target: its items widen the interval."""
    return [find_metric(spec)] if spec.get("target") else []


def list_fits(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the law of each data set, and every law that cannot be distinguished from it, with what the target takes."""
    roles = DataRoles.read(spec)
    return [
        {
            **on,
            "control_of": roles.controls.get(str(on.get("data"))),
            "note": roles.notes.get(str(on.get("data"))),
            "metric": metric,
            "unit": find_unit(spec, [str(on.get("data"))]).many,
            **{name: simplify(getattr(law, name)) for name in FACTS},
            "measured": _list_means(asked, group, items, law.minimum_data.target if law.minimum_data else None),
        }
        for asked in split_spec(spec)
        for metric in [find_metric(asked)]
        for on, group in group_by_cell(rows, without={"size"})
        for fit in [fit_runs(asked, keep_measured(group), select_items(items, metric))]
        for law in (fit, *fit.alternatives)
    ]


def _list_means(asked: Spec, rows: Sequence[RunResult], items: ItemsBy, target: float | None) -> list[Fact]:
    runs = size_runs(asked, rows, items, data=str(rows[0].cell.get("data")))
    return [dict(mean.document()) for mean in runs.list_means(target)] if runs else []


def conclude(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude how much data each data set needs, by the first metric; then what controls learnt: no answer."""
    asked, roles = split_spec(spec), DataRoles.read(spec)
    groups = [(describe_cell(on, without={"data"}), runs) for on, runs in group_by_cell(rows, without={"size"})]
    own = [(place, group) for place, group in groups if not roles.is_control(group[0].cell)]
    answers = {
        (find_metric(wish), at)
        for wish in asked
        for at, (_, rows) in enumerate(own)
        if _has_metric(rows, find_metric(wish))
    }
    claims = []
    for place, group in list_measured_first(own):
        data = str(group[0].cell.get("data"))
        claim = _conclude_data(asked, group, items, data=data, place=place, several=len(answers) > 1)
        answers -= {(claim.metric, at) for at, (_, rows) in enumerate(own) if rows is group}
        claims.append(replace(claim, note=roles.notes.get(data, "")))
    controls = list(conclude_controls(asked[0], groups, items))
    matched = {control.against for control in controls if control.claim == "control_as_good"}
    weighed = [_doubt(claim) if claim.subject in matched else claim for claim in claims]
    gathered = gather(weighed, len(weighed) + len(answers))
    return replace(gathered, others=(*gathered.others, *controls[:SENTENCES]))


def _conclude_data(
    asked: Sequence[Spec], rows: Sequence[RunResult], items: ItemsBy, *, data: str, place: str, several: bool
) -> Conclusion:
    """Conclude about one data set by the first metric, or by the first that it can give: no target is set for that."""
    question = _choose_question(asked, rows)
    measured = _conclude_measured(question, rows, items, data=data, place=place) if question is not asked[0] else None
    return measured or conclude_scaling(asked[0], rows, items, data=data, place=place, several=several)


def _doubt(claim: Conclusion) -> Conclusion:
    """Say that what cannot learn did about as well."""
    return replace(claim, caveats=order_caveats({*claim.caveats, "control_as_good"}))


def answer_scaling(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion) -> Answer:
    """Answer for each metric that the file names, or for that of the target, what the conclusion leaves out."""
    questions = split_spec(spec)
    several = len(questions) > 1
    return join_answers(
        _answer_metric(asked, rows, items, f"scaling-{place}" if place else "scaling", conclusion, several=several)
        for place, asked in enumerate(questions)
    )


def _answer_metric(
    asked: Spec, rows: Sequence[RunResult], items: ItemsBy, figure: str, conclusion: Conclusion, *, several: bool
) -> Answer:
    """Say for each data set how much data the target takes, with one figure for each variant."""
    metric = find_metric(asked)
    sentences, sections, kept = list[str](), list[Section](), select_items(items, metric)
    roles = DataRoles.read(asked)
    title = f"How much data, by {metric}?" if several else "How much data?"
    for variant, group in split_variants(keep_measured(rows), ("size", "data")):
        where = f" ({variant})" if variant else ""
        by_unit = _group_by_unit(asked, group)
        for unit, by_data in by_unit.items():
            fits = {name: fit_runs(asked, own, kept) for name, own in by_data.items()}
            claims = {name: find_claim(conclusion, metric, subject=name + where) for name in fits}
            for name, fit in fits.items():
                claim = claims[name]
                if name not in roles.controls and not (claim and claim.claim == "nothing_measured"):
                    sentences += _tell_data(asked, by_data[name], items, fit, claim=claim, name=name + where)
            measured = [row for name, own in by_data.items() for row in list_measured(name, own, metric, unit, kept)]
            numbers = make_table(measured, caption=f"Measured {metric}, over the seeds", folded=len(measured) > LONG)
            words = describe_plot(f"{figure}-{len(sections)}", metric, fits, unit)
            curves = draw_curves(words, metric, by_data, fits, numbers)
            misses = {name for name, known in claims.items() if known and "law_misses" in known.caveats}
            laws = tabulate_fits(metric, fits, unit, misses=misses, roles=roles)
            counted = f" In {unit.many}" if len(by_unit) > 1 else ""
            sections.append(Section(f"{title}{counted}{where}", (*curves, *laws)))
        groups = [(variant, own) for _, own in group_by_cell(group, without={"size"})]
        sentences += _tell_new(conclude_controls(asked, groups, items), conclusion)
    return Answer(tuple(sentences), tuple(sections))


def _group_by_unit(asked: Spec, rows: Sequence[RunResult]) -> dict[SizeUnit, dict[str, list[RunResult]]]:
    """Group the runs of the data sets that can give the metric by what their sizes count: no axis has two units."""
    by_unit: dict[SizeUnit, dict[str, list[RunResult]]] = {}
    for cell, own in group_by_cell(rows, without={"size"}):
        name = str(cell.get("data"))
        if _has_metric(own, find_metric(asked)) or not _has_ended(own):
            by_unit.setdefault(find_unit(asked, [name]), {})[name] = own
    return by_unit


def _tell_new(controls: Iterable[Conclusion], conclusion: Conclusion) -> list[str]:
    """Tell of controls what the headline does not."""
    return [
        claim.sentence for claim in controls if not find_claim(conclusion, claim.metric or "", subject=claim.subject)
    ]


def _has_ended(rows: Sequence[RunResult]) -> bool:
    """Whether a trained run has all of its evaluations: what it lacks, its data set cannot give."""
    return any(row.state == "succeeded" for row in rows if row.cell.get("size"))


def _tell_data(
    asked: Spec, rows: Sequence[RunResult], items: ItemsBy, fit: ScalingFit, *, claim: Conclusion | None, name: str
) -> list[str]:
    """Tell what one data set says by one metric: no sentence where the headline has told all of it."""
    metric, data = find_metric(asked), str(rows[0].cell.get("data"))
    kept, origin, unit = select_items(items, metric), describe_goal_source(asked, rows), find_unit(asked, [data])
    no_law = read_code(fit.refused) == "no_known_law"
    measured = _conclude_measured(asked, rows, items, data=data) if no_law else None
    if claim and claim.claim in OF_TARGET:
        words = explain_fit(name, fit, origin, unit)
    elif claim and claim.claim == "without_target":
        words = ""
    elif measured:
        words = replace(measured, subject=name).sentence
    else:
        words = summarise_fit(name, fit, metric, origin, unit=unit)
    more = weigh_largest(rows, metric, kept), describe_told(rows, metric, kept)
    sentence = " ".join(filter(None, (words, *more)))
    return [sentence if words else f"{name}: {sentence}"] if sentence else []


def _has_metric(rows: Sequence[RunResult], metric: str) -> bool:
    """Whether some trained run has the metric."""
    return any(metric in row.metrics for row in rows if row.cell.get("size"))


def _choose_question(questions: Sequence[Spec], rows: Sequence[RunResult]) -> Spec:
    """Choose the first question, or else the first that the runs of a data set can answer.

    Runs that succeeded and lack the metric of the first one cannot give it: the data set is there for another one.
    """
    ended = [row for row in keep_measured(rows) if row.state == "succeeded" and row.cell.get("size")]
    if not ended or _has_metric(rows, find_metric(questions[0])):
        return questions[0]
    return next((asked for asked in questions if _has_metric(ended, find_metric(asked))), questions[0])


def _conclude_measured(
    spec: Spec, rows: Sequence[RunResult], items: ItemsBy, *, data: str, place: str = ""
) -> Conclusion | None:
    """Conclude what the largest size has of a metric, beside the untrained model; None without a value."""
    runs = size_runs(spec, rows, items, data=data, place=place)
    if runs is None or not runs.trained:
        return None
    size, base = max(runs.trained), read_values(runs.base, runs.metric)
    values, scores = runs.values(size), read_run_scores(runs.trained[size], runs.metric, runs.items)
    level = orient(estimate_level(values, runs.metric, find_grain(values.values()), scores))
    against = f"untrained {statistics.fmean(base.values()):.4f}" if base else None
    where = f"with {runs.unit.write(size)}"
    return limit_by_runs(Conclusion("without_target", runs.metric, runs.name, against, *level, place=where), runs, rows)


EXPERIMENT = Experiment(
    name="data_scaling",
    title="data scaling",
    question="How much data is needed?",
    needs=("train", "sizes"),
    takes=("train", "sizes", "target", "until"),
    rules=((("data",), check_data_controls), (("until", "target", "sizes", "seeds"), check_until)),
    plan_runs=plan_scaling,
    conclude=conclude,
    answer=answer_scaling,
    facts_key="fits",
    list_facts=list_fits,
    list_cell_values=list_values,
    list_deciding=list_deciding,
    tells_roles=True,
    competes=False,
)
