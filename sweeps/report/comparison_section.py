"""Which method: means, and differences that are paired by seed."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from sweeps.analysis.comparison import METHOD, Comparison, Difference, MethodResult, compare
from sweeps.analysis.item_analysis import ItemsBy, difference_rows, over_as_many, select_items
from sweeps.analysis.run_counts import Tally
from sweeps.analysis.targets import Spec, format_estimate, list_compared, name_with_unit, split_variants
from sweeps.figures.bars import Row, RowPlot, draw_intervals
from sweeps.figures.svg import UNTRAINED
from sweeps.formatting import format_usd
from sweeps.report.document import Conclusion, Figure, Paragraph, Part, Section, both, table
from sweeps.results import RunResult
from sweeps.spec.sections import Best, Equal
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import ItemDifference
from sweeps.training.schedule import describe_equal

DRAWN = 45  # pairs: those of ten methods
BY_ITEM = (
    "± of these checkpoints: on other items of the kind. ± of the recipe: with other seeds, too. * clear when all "
    "pairs are judged together (Holm). McNemar: p of what is right and what is wrong. Needed: items that would make a "
    "difference of this size clear in the checkpoints."
)


def comparison(spec: Spec, rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """Two figures for each variant, and what the items say, where there are some."""
    sentences, sections, asked = list[str](), list[Section](), list_compared(spec, rows)
    for place, (best, (variant, group)) in enumerate(product(asked, split_variants(rows, {METHOD}))):
        found = compare(group, metric=best.metric, items=select_items(items, best.metric))
        by = [f"by {best.metric}"] if len(asked) > 1 else []
        where = f" ({variant})" if variant else ""
        title = f" ({', '.join([*by, variant] if variant else by)})" if by or variant else ""
        sentences.append(said(found, best, where))
        parts: list[Part] = [
            _equal(spec),
            *lacking(found.runs),
            _means(f"methods-{place}", found, best),
            *_pairs(f"differences-{place}", found, best),
            *by_item(found.metric, {_pair(each): each.by_item for each in found.differences}),
        ]
        sections.append(Section(f"Which method?{title}", tuple(parts)))
    return Conclusion(tuple(sentences), tuple(sections))


def said(found: Comparison, best: Best, where: str) -> str:
    """The leader, and whether it is clearly ahead of the next."""
    ranked = _ranked(found, best)
    if not ranked:
        return f"No method{where} has a result by {found.metric} yet."
    first = ranked[0]
    assert first.estimate is not None
    interval = "a single run" if first.estimate.half_width is None else "95 % interval"
    told = f"{named(first.name)} has the best {found.metric}{where}: {format_estimate(first.estimate)} ({interval})"
    if len(ranked) == 1:
        return f"{told}; nothing else has a result."
    second = ranked[1]
    for each in found.differences:
        if {each.one, each.other} == {first.name, second.name}:
            return f"{told}, {_lead(each, first, best)} {named(second.name)}, {_by(each)} (paired by seed)."
    return f"{told}; it shares no seed with {named(second.name)}, the next."


def _lead(each: Difference, first: MethodResult, best: Best) -> str:
    """Ahead, or behind: where one lacks seeds, the better mean may be that of easier ones."""
    mean = each.estimate.mean if each.one == first.name else -each.estimate.mean
    behind = mean < 0 if best.mode == "max" else mean > 0
    clear = "clearly" if each.after_holm else "not clearly"
    return f"but over the seeds that both have {clear} behind" if behind else f"{clear} ahead of"


def _by(each: Difference) -> str:
    return f"by {format_estimate(each.estimate._replace(mean=abs(each.estimate.mean)))}"


def _pair(each: Difference) -> str:
    return f"{named(each.one)} − {named(each.other)}"


def _ranked(found: Comparison, best: Best) -> list[MethodResult]:
    measured = [one for one in found.contestants if one.estimate]
    return sorted(measured, key=lambda one: one.estimate.mean if one.estimate else 0, reverse=best.mode == "max")


def named(method: str | None) -> str:
    return "untrained" if method is None else method


def by_item(metric: str, found: Mapping[str, ItemDifference | None]) -> list[Part]:
    """A table of the differences that were asked item by item, each under its name."""
    known = {name: each for name, each in found.items() if each}
    if not known:
        return []
    return [
        table(difference_rows(known, "difference in"), caption=f"{metric}, {over_as_many(known)}"),
        Paragraph(BY_ITEM),
    ]


def _equal(spec: Spec) -> Paragraph:
    wish = spec.get("equal")
    return Paragraph(
        f"Held equal: {describe_equal(Equal.model_validate(wish))}." if wish else "Nothing was held equal."
    )


def lacking(runs: Tally) -> list[Part]:
    """What is in no mean, if anything."""
    said = runs.said()
    return [Paragraph(f"{said}.", warning=True)] if said else []


def row(name: str, estimate: Estimate | None, kind: int, *, clear: bool = True, signed: bool = False) -> Row:
    """A mean with its interval, to be drawn."""
    if estimate is None:
        return Row(name, None, said="no result")
    low, high = estimate.ends[:2] if estimate.ends else (None, None)
    return Row(name, estimate.mean, low, high, format_estimate(estimate, signed=signed), clear, kind)


def _means(name: str, found: Comparison, best: Best) -> Figure:
    trained = [one.name for one in found.contestants if one.name is not None]
    kinds = [UNTRAINED if one.name is None else trained.index(one.name) % UNTRAINED for one in found.contestants]
    rows = [row(named(one.name), one.estimate, kind) for one, kind in zip(found.contestants, kinds, strict=True)]
    better = "more is better" if best.mode == "max" else "less is better"
    told = "; ".join(f"{each.name}: {each.said}" for each in rows)
    plot = RowPlot(name, f"{found.metric} of each method", told, f"{name_with_unit(found.metric)}, {better}")
    numbers = table([_contestant(one, found.metric) for one in found.contestants])
    note = "Means over the seeds with 95 % intervals (t). Tokens and dollars are those of a run, with its evaluations."
    return Figure(name, plot.title, **both(lambda w, s: draw_intervals(plot, rows, w, s)), table=numbers, note=note)


def _contestant(one: MethodResult, metric: str) -> dict[str, Any]:
    return {
        "method": named(one.name),
        metric: "no result" if one.estimate is None else format_estimate(one.estimate),
        "seeds": one.estimate.seeds if one.estimate else 0,
        "missing": one.missing,
        "tokens": round(one.tokens) if one.estimate else None,
        "$": format_usd(round(one.micro_usd)) if one.estimate else None,
    }


def _pairs(name: str, found: Comparison, best: Best) -> list[Figure]:
    """Every pair; of very many, those of the leader."""
    if not found.differences:
        return []
    many, leader = len(found.differences) > DRAWN, _ranked(found, best)[0].name
    drawn = [each for each in found.differences if not many or leader in (each.one, each.other)][:DRAWN]
    rows = [row(_pair(each), each.estimate, 0, clear=each.after_holm, signed=True) for each in drawn]
    told = "; ".join(f"{each.name}: {each.said}" for each in rows)
    plot = RowPlot(name, "Differences, paired by seed", told, f"difference in {found.metric}", zero=True)
    numbers = table(
        [
            {
                "method": named(each.one),
                "against": named(each.other),
                found.metric: format_estimate(each.estimate, signed=True),
                "clear": "of all pairs" if each.after_holm else "by itself" if each.clear else "no",
            }
            for each in found.differences
        ],
        folded=many,
    )
    left = f" {len(drawn)} of {len(found.differences):,} pairs are drawn, of {named(leader)}; the table has all."
    note = f"95 % intervals. Hollow: not clear when all pairs are judged together (Holm).{left if many else ''}"
    return [Figure(name, plot.title, **both(lambda w, s: draw_intervals(plot, rows, w, s)), table=numbers, note=note)]
