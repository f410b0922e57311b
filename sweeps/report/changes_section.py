"""What training changed besides the loss: the same items before and after."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.baselines import AGAINST
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
LEGEND_OF_ONE = "Hollow: not clear."
NOTE = (
    "The same items on both sides; 95 % intervals for other seeds and other items of the same kind, or of a single "
    "seed for other items. Clear: "
)
CLEAR_OF_ONE = "beyond its interval."
LEFT_OUT = f"0 on both sides in every item, or told by fewer than {FEW_ITEMS} items. JSON has them."
UNBIASED = (
    "A change of a calibration error is less its bias: noise alone makes an error, more in one model than in another. "
    "The change as measured stands in brackets."
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
    largest = [cell for cell in cells if cell.largest and not cell.aside]
    if not (largest or others):
        return Answer(())
    sentences = tuple(f"{words}." for words in describe_context(largest))
    drawn = largest[:DRAWN]
    families = Counter(cell.against for cell in every)
    legend = LEGEND if max(families.values()) > 1 else LEGEND_OF_ONE
    charts = [_draw_changes(f"changes-{place}", cell, named) for place, cell in enumerate(drawn)]
    parts: list[Part] = []
    for cell, chart in zip(drawn, charts, strict=True):
        rows = _list_rows(cell, families)
        parts.append(Figure(chart, make_table(rows), legend) if chart else make_table(rows, caption=cell.title))
    left = [cell for cell in cells if cell not in drawn]
    parts += [make_table(_list_rows(cell, families), caption=cell.title, folded=True) for cell in left]
    parts += [
        make_table(_list_rows(cell, families), caption=f"Other metrics, {cell.title}", folded=True) for cell in others
    ]
    parts.append(Paragraph(f"{NOTE}{_describe_families(families)}"))
    if left_out:
        parts.append(Paragraph(f"{format_count(left_out, 'change')} left out: {LEFT_OUT}"))
    if any(get_base_name(change.metric) in BIASED for cell in kept for change in cell.changes):
        parts.append(Paragraph(UNBIASED))
    compared = next((cell.against for cell in cells if is_of_a_method(cell)), "")
    title = f"What differs from {compared}?" if compared else "What did training change?"
    return Answer(sentences, (Section(title, (*parts,)),))


def is_of_a_method(cell: CellChanges) -> bool:
    """Whether a cell is told against another method: then neither side is before the other."""
    return cell.against not in AGAINST


def _describe_families(families: Mapping[str, int]) -> str:
    """Say what clear means: of several conditions, how many are judged together against each baseline."""
    if max(families.values()) == 1:
        return CLEAR_OF_ONE
    counts = " and ".join(f"the {count:,} conditions against {against}" for against, count in families.items())
    return (
        f"`alone`, beyond its own interval; `among all`, also when this metric of {counts} is judged together (Holm)."
    )


def _list_rows(cell: CellChanges, families: Mapping[str, int]) -> list[dict[str, Any]]:
    """List the changes of a cell as rows; beside another method, each side has its name instead of before and after."""
    names = (cell.against, cell.name, "difference") if is_of_a_method(cell) else ("before", "after", "change")
    together = "among all" if families[cell.against] > 1 else "yes"
    return [show_change(change, names, together) for change in cell.changes]


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
    what, across = "What training changed", f"after {MINUS} before"
    if is_of_a_method(cell):
        what, across = "What differs", f"{cell.name} {MINUS} {cell.against}"
    words = RowPlot(name, f"{what}: {cell.title}", describe_rows(rows), across, zero=True, least=LEAST)
    return IntervalChart(words, rows)


def _draw_change(change: Change) -> Row:
    known = math.isfinite(change.low)
    words = f"{change.before:.3f} → {change.after:.3f}"
    low, high = (change.low, change.high) if known else (None, None)
    return Row(change.metric, change.mean, low, high, words, change.after_holm)


def show_change(
    change: Change, names: tuple[str, str, str] = ("before", "after", "change"), together: str = "among all"
) -> dict[str, Any]:
    """Show one change as a row of a table; `together` says that it is clear among all that are judged together."""
    before, after, difference = names
    interval = f"{change.low:+.3f} to {change.high:+.3f}".replace("-", MINUS)
    return {
        "metric": change.metric,
        before: show_number(change.before, 3),
        after: show_number(change.after, 3),
        difference: _show_mean(change),
        "95 % interval": TableCell(interval, [change.low, change.high]) if math.isfinite(change.low) else "unknown",
        "clear": together if change.after_holm else "alone" if change.clear else "no",
        "items": TableCell(Told(change.items, change.items + change.left_out).describe(), change.items)
        if change.left_out
        else change.items,
    }


def _show_mean(change: Change) -> TableCell:
    """Show a change; that of a calibration error, which is less its bias, beside the change as it was measured."""
    mean = show_number(change.mean, 3, signed=True)
    if get_base_name(change.metric) not in BIASED:
        return mean
    measured = show_number(change.after - change.before, 3, signed=True)
    return TableCell(f"{mean.text} ({measured.text})", mean.value)


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
    sides = f"{uplift.metric} {uplift.before:.2f} → {uplift.after:.2f}, against {cell.against}"
    if is_of_a_method(cell):
        what = "the worth of context differs by" if uplift.clear else "no clear difference in the worth of context:"
        sides = f"{uplift.metric} {uplift.after:.2f}, of {cell.against} {uplift.before:.2f}"
    elif uplift.clear:
        what = "fine-tuning changed the worth of context by"
    else:
        what = "no clear change in the worth of context:"
    return f"{what} {change} ({sides}; a difference in differences)"
