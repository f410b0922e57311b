"""What training changed beside the loss: the same items before and after."""

import math
from collections.abc import Sequence

from sweeps.analysis.changes import Change
from sweeps.analysis.item_analysis import (
    CellChanges,
    ItemsBy,
    change_row,
    describe_comparison,
    describe_context,
    list_changes,
    select_largest,
)
from sweeps.figures.bars import Row, RowPlot, draw_intervals
from sweeps.report.document import Conclusion, Figure, Paragraph, Part, Section, both, table
from sweeps.results import RunResult
from sweeps.spec.metric_names import find_measure

DRAWN = 6  # cells
LEAST = 0.01  # of an axis of shares: rounding alone makes changes of a few billionths
# Not between 0 and 1, so that an axis with those that are would show neither.
OTHERWISE = ("preference_margin", "preference_kl", "semantic_entropy", "reward", "turns")
NOTE = (
    "The same items before and after; 95 % intervals for other seeds and other items of the kind, of a single seed for "
    "other items. Hollow: not clear, or not when all cells are judged together (Holm)."
)


def changed_by_training(rows: Sequence[RunResult], items: ItemsBy) -> Conclusion:
    """A figure for each trained cell of the largest size, and everything in tables."""
    told = list_changes(rows, items)
    shown = select_largest(told)
    if not shown:
        return Conclusion(())
    sentences = tuple(f"{said}." for said in describe_context(shown))
    parts: list[Part] = [Paragraph(said) for said in sentences]
    for place, each in enumerate(shown[:DRAWN]):
        parts.append(_figure(f"changes-{place}", each) or _table(each, folded=False))
    parts += [_table(each, folded=True) for each in told if each not in shown[:DRAWN]]
    return Conclusion(sentences, (Section("What did training change?", (*parts, Paragraph(NOTE))),))


def _table(told: CellChanges, *, folded: bool) -> Part:
    return table([change_row(each) for each in told.changes], caption=describe_comparison(told), folded=folded)


def _figure(name: str, told: CellChanges) -> Figure | None:
    """Those that are shares, on one axis; None where none is."""
    rows = [_row(each) for each in told.changes if _is_share(each.metric)]
    if not rows:
        return None
    words = "; ".join(f"{each.name}: {each.said}" for each in rows)
    plot = RowPlot(
        name, f"What training changed: {describe_comparison(told)}", words, "after − before", zero=True, least=LEAST
    )
    numbers = table([change_row(each) for each in told.changes])
    return Figure(
        name, plot.title, **both(lambda width, suffix: draw_intervals(plot, rows, width, suffix)), table=numbers
    )


def _is_share(metric: str) -> bool:
    return metric.rpartition(".")[2] not in OTHERWISE and "episode." not in metric and find_measure(metric) is not None


def _row(one: Change) -> Row:
    """The change with its interval."""
    known = math.isfinite(one.low)
    said = f"{one.before:.3f} → {one.after:.3f}"
    return Row(one.metric, one.mean, one.low if known else None, one.high if known else None, said, one.after_holm)
