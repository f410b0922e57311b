"""What training changed besides the loss: the same items before and after."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.change_estimate import Change
from sweeps.analysis.item_analysis import CellChanges
from sweeps.analysis.strata.stratum_differences import BIASED
from sweeps.analysis.told_items import Told
from sweeps.evaluation.evaluator import ANY_NUMBER
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.rag import UPLIFT
from sweeps.figures.bars import Row, RowPlot
from sweeps.figures.charts import IntervalChart
from sweeps.formatting import format_count, format_interval
from sweeps.report.document import Answer, Figure, Paragraph, Part, Section, make_table
from sweeps.report.shared_parts import describe_rows
from sweeps.report.table_cells import MINUS, TableCell, show_number
from sweeps.stats.intervals import Estimate

DRAWN = 6  # cells
FEW_ITEMS = 5  # a change over fewer is left out, unless the file names its metric
LEAST = 0.01  # of an axis of shares: rounding alone makes changes of a few billionths
LEGEND = "Hollow: not clear when all conditions are judged together."
NOTE = (
    "The same items before and after; 95 % intervals for other seeds and other items of the same kind, or of a single "
    "seed for other items. Clear: `alone`, beyond its own interval; `among all`, also when this metric of all "
    "conditions is judged together (Holm)."
)
LEFT_OUT = f"0 before and after in every item, or told by fewer than {FEW_ITEMS} items. JSON has them."
UNBIASED = (
    "A change of a calibration error is less its bias: noise alone makes an error, more in one model than in another. "
    "`before` and `after` are as measured, so the change is not exactly their difference."
)


def show_changes(cells: Sequence[CellChanges], named: Sequence[str] = (), order: Sequence[str] = ()) -> Answer:
    """Draw a figure for each trained cell of the largest size, and fold the other cells away.

    `order` has the metrics that are shown, the first ones first; all others stand in folded tables. Only metrics that
    the file names are drawn, if it names some.
    """
    every = [replace(cell, changes=_sort_changes(cell.changes, order or named)) for cell in cells]
    kept = [replace(cell, changes=tuple(change for change in cell.changes if _tells(change, named))) for cell in every]
    left_out = sum(len(cell.changes) for cell in every) - sum(len(cell.changes) for cell in kept)
    shown = {*order} or {change.metric for cell in kept for change in cell.changes}
    cells, others = (
        [replace(cell, changes=changes) for cell in kept if (changes := _pick(cell, shown, wanted=wanted))]
        for wanted in (True, False)
    )
    largest = [cell for cell in cells if cell.largest]
    if not (largest or others):
        return Answer(())
    sentences = tuple(f"{words}." for words in describe_context(largest))
    drawn = largest[:DRAWN]
    charts = [_draw_changes(f"changes-{place}", cell, named) for place, cell in enumerate(drawn)]
    parts: list[Part] = []
    for cell, chart in zip(drawn, charts, strict=True):
        rows = [show_change(change) for change in cell.changes]
        parts.append(Figure(chart, make_table(rows), LEGEND) if chart else make_table(rows, caption=cell.title))
    for cell in cells:
        if cell not in drawn:
            rows = [show_change(change) for change in cell.changes]
            parts.append(make_table(rows, caption=cell.title, folded=True))
    for cell in others:
        rows = [show_change(change) for change in cell.changes]
        parts.append(make_table(rows, caption=f"Other metrics, {cell.title}", folded=True))
    parts.append(Paragraph(NOTE))
    if left_out:
        parts.append(Paragraph(f"{format_count(left_out, 'change')} left out: {LEFT_OUT}"))
    if any(get_base_name(change.metric) in BIASED for cell in kept for change in cell.changes):
        parts.append(Paragraph(UNBIASED))
    return Answer(sentences, (Section("What did training change?", (*parts,)),))


def _pick(cell: CellChanges, shown: Collection[str], *, wanted: bool) -> tuple[Change, ...]:
    """Pick the changes of a cell whose metrics are shown, or are not."""
    return tuple(change for change in cell.changes if (change.metric in shown) == wanted)


def _tells(change: Change, named: Sequence[str]) -> bool:
    """Whether a change is worth a row: something was not 0, and items enough tell it; or the file names its metric."""
    always_zero = change.before == change.after == change.mean == 0
    return change.metric in named or not (always_zero or change.items < FEW_ITEMS)


def _sort_changes(changes: Sequence[Change], order: Sequence[str]) -> tuple[Change, ...]:
    """Put the metrics of an order first."""
    places = {metric: place for place, metric in enumerate(order)}
    return tuple(sorted(changes, key=lambda change: places.get(change.metric, len(places))))


def _draw_changes(name: str, cell: CellChanges, named: Sequence[str]) -> IntervalChart | None:
    """Draw the changes that are shares, on one axis; None where none is."""
    shares = {metric for metric, known in cell.known.items() if known and known.is_share}
    shares &= {*named} or shares
    rows = [_draw_change(change) for change in cell.changes if change.metric in shares]
    if not rows:
        return None
    title = f"What training changed: {cell.title}"
    words = RowPlot(name, title, describe_rows(rows), f"after {MINUS} before", zero=True, least=LEAST)
    return IntervalChart(words, rows)


def _draw_change(change: Change) -> Row:
    known = math.isfinite(change.low)
    words = f"{change.before:.3f} → {change.after:.3f}"
    low, high = (change.low, change.high) if known else (None, None)
    return Row(change.metric, change.mean, low, high, words, change.after_holm)


def show_change(change: Change) -> dict[str, Any]:
    """Show one change as a row of a table."""
    interval = f"{change.low:+.3f} to {change.high:+.3f}".replace("-", MINUS)
    return {
        "metric": change.metric,
        "before": show_number(change.before, 3),
        "after": show_number(change.after, 3),
        "change": show_number(change.mean, 3, signed=True),
        "95 % interval": TableCell(interval, [change.low, change.high]) if math.isfinite(change.low) else "unknown",
        "clear": "among all" if change.after_holm else "alone" if change.clear else "no",
        "items": TableCell(Told(change.items, change.items + change.left_out).describe(), change.items)
        if change.left_out
        else change.items,
    }


def describe_context(cells: Sequence[CellChanges]) -> Iterator[str]:
    """Say how the worth of context changed: the change of the uplift is a difference in differences."""
    for cell in cells:
        for change in cell.changes:
            if get_base_name(change.metric) == UPLIFT:
                words = _describe_uplift(change, cell)
                yield f"{cell.name}: {words}" if cell.name else words


def _describe_uplift(uplift: Change, cell: CellChanges) -> str:
    reach, known = max(uplift.high - uplift.mean, uplift.mean - uplift.low), math.isfinite(uplift.low)
    metric = cell.known[uplift.metric]
    span = metric.difference_span if metric else ANY_NUMBER
    estimate = Estimate(uplift.mean, reach if known else None, uplift.seeds, span)
    change = format_interval(estimate, 2, signed=True, sign=" ± ").replace("-", MINUS)
    what = "fine-tuning changed the worth of context by" if uplift.clear else "no clear change in the worth of context:"
    sides = f"{uplift.metric} {uplift.before:.2f} → {uplift.after:.2f}"
    return f"{what} {change} ({sides}, against {cell.against}; a difference in differences)"
