"""Comparison: which method does better at equal cost? The mean of each, and one verdict for each pair."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

from sweeps.analysis.comparison import METHOD, Comparison, Difference, MethodResult, compare
from sweeps.analysis.deflated_sharpe import deflate_methods
from sweeps.analysis.guessing import weigh_guess
from sweeps.analysis.item_analysis import ItemsBy, select_items
from sweeps.analysis.strata.stratum_differences import BIASED
from sweeps.analysis.targets import Spec, choose_best, name_with_unit, split_variants
from sweeps.evaluation.metric_prefixes import get_base_name, strip_validation
from sweeps.experiments.comparison_facts import list_pairs, select_runs
from sweeps.experiments.comparison_words import list_levels, name_leader, tell_against, tell_confidence, tell_floor
from sweeps.experiments.conclude_comparison import CONTRASTS, conclude_comparison, rank_methods
from sweeps.experiments.conclusion import Conclusion, find_claims, gather
from sweeps.experiments.contrast_table import Contrast, describe_extent, explain_contrasts, list_contrast_rows
from sweeps.experiments.contrasts import Design, name_method
from sweeps.experiments.evidence import SENTENCES, list_measured_first
from sweeps.experiments.kind import Experiment, Fact
from sweeps.figures.bars import RowPlot
from sweeps.figures.charts import IntervalChart
from sweeps.figures.svg import UNTRAINED
from sweeps.planning.method_runs import plan_methods
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, make_table, say_once
from sweeps.report.shared_parts import describe_rows, draw_row, mark_told, warn_of_missing
from sweeps.report.table_cells import MINUS, show_dollars, show_estimate, show_number
from sweeps.results import RunResult, group_by_cell
from sweeps.spec.contrast_rules import check_against, check_controls
from sweeps.spec.metric_wishes import list_wishes
from sweeps.spec.model import SweepFields
from sweeps.spec.sections import Best, Equal, MetricWish
from sweeps.training.schedule import describe_equal

UNBIASED = "A difference of a calibration error is less its bias, so it is not exactly that of the two means:"
BIASES = 6  # pairs of which both are told: those of four methods
DRAWN = 45  # pairs: those of ten methods
FULL = 2  # metrics, in each variant, of which the terminal shows the tables
MEANS = (
    "Means over the seeds with their 95 % intervals for other seeds, on these items (Student's t). Tokens and dollars "
    "are those of one run, with its evaluations."
)

AGREEING = "Where all seeds agree (sd 0), the interval is a bound of so many items (Wilson), not of seeds."


def list_values(sweep: SweepFields) -> Mapping[str, Any]:
    """List what the cells hold besides what is varied."""
    return {METHOD: (None, *_list_compared(sweep))}


def count_axes(sweep: SweepFields) -> Mapping[str, int]:
    """Count the methods."""
    return {"methods": len(_list_compared(sweep))}


def _list_compared(sweep: SweepFields) -> list[str]:
    return [name for name, method in (sweep.methods or {}).items() if method.compared]


def list_asked(spec: Spec, rows: Sequence[RunResult]) -> list[MetricWish]:
    """List what methods are compared by: the metrics that the file names, or that of `best`, on each data set.

    Methods are not measured on a validation set.
    """
    best = choose_best(spec)
    wishes = list_wishes(spec) or [MetricWish(metric=best.metric, mode=best.mode)]
    known, data = {name for row in rows for name in row.metrics}, spec.get("data")
    names = tuple(data) if isinstance(data, Mapping) else ()
    return [placed for wish in wishes for placed in _place_metric(wish, known, names)]


def _place_metric(wish: MetricWish, known: Collection[str], data: Sequence[str]) -> list[MetricWish]:
    """List a metric on each data set that it is measured on, if it is not measured under its own name."""
    if wish.metric in known:
        return [wish]
    metric = strip_validation(wish.metric)
    placed = [name for name in sorted({metric, *(f"{name}.{metric}" for name in data)}) if name in known]
    return [wish.model_copy(update={"metric": name}) for name in placed] or [wish]


def list_bests(spec: Spec, rows: Sequence[RunResult]) -> list[Best]:
    """List what the best is the best by: the metrics that methods are compared by, as far as a direction is known."""
    return [Best(metric=wish.metric, mode=wish.mode) for wish in list_asked(spec, rows) if wish.mode]


def list_deciding(spec: Spec, rows: Sequence[RunResult]) -> list[str]:
    """Name the metrics that methods are compared by."""
    return [wish.metric for wish in list_asked(spec, rows)]


def list_differences(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> list[Fact]:
    """List the difference of every pair of methods, by every metric that they are compared by."""
    return [
        {"variant": dict(variant), **pair}
        for metric in list_deciding(spec, rows)
        for variant, group in group_by_cell(rows, without={METHOD})
        for pair in list_pairs(group, metric, select_items(items, metric), Design.read(spec).against)
    ]


def conclude(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Conclude what was asked by the first metric, on each data set and in each variant; by the others, what fell."""
    asked, variants = list_asked(spec, rows), split_variants(rows, {METHOD})
    name = get_base_name(asked[0].metric)
    same = [wish for wish in asked if get_base_name(wish.metric) == name]
    answers = len(asked) * len(variants)
    places = [(wish, place, group) for wish in same for place, group in list_measured_first(variants)][:SENTENCES]
    settings, has_against = [place for _, place, _ in places], Design.read(spec).against is not None
    claims = [
        conclude_comparison(
            spec,
            [
                wish,
                *(() if has_against and place in settings[:at] else (other for other in asked if other is not wish)),
            ],
            group,
            items,
            place=place,
            several=answers > 1,
            most=1 if at else max(2, CONTRASTS + 1 - len(places)),
        )
        for at, (wish, place, group) in enumerate(places)
    ]
    listed = _drop_repeated([claim for here in claims for claim in here])
    return gather(listed, answers + len(listed) - len(places))


def _drop_repeated(claims: Sequence[Conclusion]) -> list[Conclusion]:
    """Drop claims about a pair that an earlier one is about, which is told if one of them is."""
    seen = dict[tuple[str | None, ...], Conclusion]()
    for claim in claims:
        key = (claim.metric, claim.place, claim.subject, claim.against)
        earlier = seen.setdefault(key, claim)
        seen[key] = replace(earlier, aside=earlier.aside and claim.aside)
    return [*seen.values()]


def answer_comparison(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, conclusion: Conclusion) -> Answer:
    """Say what the conclusion leaves out: the best by each metric, the means, the paired differences, and by item."""
    losses, others, sections = list[str](), list[str](), list[Section]()
    asked, design = list_asked(spec, rows), Design.read(spec)
    for place, (wish, (variant, group)) in enumerate(product(asked, split_variants(rows, {METHOD}))):
        kept = select_items(items, wish.metric)
        comparison = compare(group, metric=wish.metric, items=kept, cross_check=False, against=design.against)
        best = Best(metric=wish.metric, mode=wish.mode) if wish.mode else None
        where = f" ({variant})" if variant else ""
        of_several = [f"by {wish.metric}"] if len(asked) > 1 else []
        title = ", ".join([*of_several, *filter(None, [variant])])
        if best:
            headline = [claim for claim in find_claims(conclusion, wish.metric, place=variant) if not claim.aside]
            contrasts = tell_against(comparison, best, where, design, headline)
            leader = contrasts or name_leader(comparison, best, where, design, headline)
            weighed = _weigh_leader(comparison, best, design, group, items) + tell_floor(comparison, best, design)
            weighed += tell_confidence(group, kept, wish.metric)
            sentence = (leader + weighed).strip()
            is_lost = any(claim.claim == "worse" for claim in find_claims(conclusion, wish.metric, place=variant))
            (losses if contrasts and is_lost else others).append(sentence)
        else:
            others.append(list_levels(comparison, where))
        parts: list[Part] = [
            _say_what_is_equal(spec),
            *(Paragraph(f"{name}: {note}.") for name, note in design.notes.items()),
            *warn_of_missing(comparison.runs),
            _draw_means(f"methods-{place}", comparison, best),
            *_draw_differences(f"differences-{place}", comparison, best, design),
            *_tell_bias(comparison),
        ]
        sections.append(Section(f"Which method?{f' ({title})' if title else ''}", tuple(parts), further=place >= FULL))
    return Answer(tuple(filter(None, [*losses, *others])), say_once(sections))


def _weigh_leader(comparison: Comparison, best: Best, design: Design, rows: Sequence[RunResult], items: ItemsBy) -> str:
    """Say whether the leader is better than a guess, if that is known; of a Sharpe ratio, whether it may be luck."""
    ranked, kept = rank_methods(comparison, best.mode, design), select_items(items, comparison.metric)
    leader = ranked[0].name if ranked else None
    subject = name_method(leader)
    guess = weigh_guess(select_runs(rows, leader) if ranked else [], comparison.metric, kept, subject)
    deflated = deflate_methods(comparison, rows, kept).get(leader)
    beyond_luck = deflated.describe("methods") if deflated else ""
    return (f" {guess}" if guess else "") + beyond_luck


def _name_pair(difference: Difference) -> str:
    return f"{name_method(difference.one)} {MINUS} {name_method(difference.other)}"


def _say_what_is_equal(spec: Spec) -> Paragraph:
    wish, methods = spec.get("equal"), spec.get("methods")
    if not wish:
        return Paragraph("Nothing was held equal.")
    named = methods.values() if isinstance(methods, dict) else ()
    acts = any(isinstance(method, dict) and method.get("method") == "rl" for method in named)
    return Paragraph(f"Held equal: {describe_equal(Equal.model_validate(wish), acts=acts)}.")


def _draw_means(name: str, comparison: Comparison, best: Best | None) -> Figure:
    trained = [method.name for method in comparison.contestants if method.name is not None]
    rows = [
        draw_row(
            name_method(method.name),
            method.estimate,
            UNTRAINED if method.name is None else trained.index(method.name) % UNTRAINED,
            clear=not (method.told and method.told.is_too_few),
            mark=mark_told(method.told),
        )
        for method in comparison.contestants
    ]
    better = ("more is better" if best.mode == "max" else "less is better") if best else ""
    across = ", ".join(filter(None, (name_with_unit(comparison.metric), better)))
    words = RowPlot(name, f"{comparison.metric} of each method", describe_rows(rows), across)
    numbers = make_table([_show_method(method, comparison.metric) for method in comparison.contestants])
    agree = any(method.estimate and method.estimate.interval for method in comparison.contestants)
    return Figure(IntervalChart(words, rows), numbers, note=f"{MEANS} {AGREEING}" if agree else MEANS)


def _show_method(method: MethodResult, metric: str) -> dict[str, Any]:
    return {
        "method": name_method(method.name),
        metric: show_estimate(method.estimate, missing="no result", mark=mark_told(method.told)),
        "seeds": method.estimate.seeds if method.estimate else 0,
        "missing": method.missing,
        "tokens": round(method.tokens) if method.estimate else None,
        "$": show_dollars(round(method.micro_usd)) if method.estimate else None,
    }


def _draw_differences(name: str, comparison: Comparison, best: Best | None, design: Design) -> list[Figure]:
    """Draw every pair; of very many, those of the leader."""
    if not comparison.differences:
        return []
    many = len(comparison.differences) > DRAWN
    ranked = rank_methods(comparison, best.mode, design) if best else []
    leader = (ranked or comparison.contestants)[0].name
    drawn = [
        difference for difference in comparison.differences if not many or leader in (difference.one, difference.other)
    ][:DRAWN]
    rows = [
        draw_row(_name_pair(difference), difference.estimate, 0, clear=difference.after_holm, signed=True)
        for difference in drawn
    ]
    count, against = len(comparison.differences), comparison.against
    contrasts = [_show_pair(difference, single=count == 1) for difference in comparison.differences]
    title = f"Differences{describe_extent(contrasts)}"
    words = RowPlot(name, title, describe_rows(rows), f"difference in {comparison.metric}", zero=True)
    numbers = make_table(list_contrast_rows(comparison.metric, contrasts), folded=many)
    left = f" {len(drawn)} of {len(comparison.differences):,} pairs are drawn, those of {name_method(leader)}."
    together = f" when {count:,} pairs are judged together (Holm)" if count > 1 else ""
    legend = f"Hollow: not clear{together}.{left if many else ''}"
    family = f"the {count:,} pairs of this table" if count > 1 else ""
    asked = comparison.count_family(against) if against else 0
    note = explain_contrasts(contrasts, family=family, against=against, asked=asked)
    return [Figure(IntervalChart(words, rows), numbers, legend, note)]


def _tell_bias(comparison: Comparison) -> list[Paragraph]:
    """Put the difference of the two means beside that of a calibration error, which is less its bias."""
    if get_base_name(comparison.metric) not in BIASED:
        return []
    means = {method.name: method.estimate.mean for method in comparison.contestants if method.estimate}
    pairs = [
        f"{_name_pair(pair)} is {show_number(measured, 3, signed=True).text} as measured, of which "
        f"{show_number(measured - pair.estimate.mean, 3, signed=True).text} is bias"
        for pair in [pair for pair in comparison.differences if pair.by_item][:BIASES]
        for measured in [means[pair.one] - means[pair.other]]
    ]
    return [Paragraph(f"{UNBIASED} {'; '.join(pairs)}.")] if pairs else []


def _show_pair(difference: Difference, *, single: bool) -> Contrast:
    together = "yes" if single else "all pairs"
    return Contrast(
        _name_pair(difference),
        difference.estimate,
        together if difference.after_holm else "alone" if difference.clear else "no",
        difference.covers,
        None if difference.clear else difference.needed_seeds,
        difference.by_item,
    )


EXPERIMENT = Experiment(
    name="compare",
    title="comparison of methods",
    question="Which method does better?",
    needs=("methods", "equal"),
    takes=("best", "methods", "equal", "against"),
    rules=((("methods", "against"), check_against), (("methods",), check_controls)),
    plan_runs=plan_methods,
    conclude=conclude,
    answer=answer_comparison,
    facts_key="differences",
    list_facts=list_differences,
    list_cell_values=list_values,
    count_axes=count_axes,
    list_bests=list_bests,
    list_deciding=list_deciding,
    acts=True,
    names_data=True,
)
