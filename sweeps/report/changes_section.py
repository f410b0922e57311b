"""What training changed beside the loss: the same items before and after."""

import math
from collections.abc import Sequence

from sweeps.analysis.changes import Change
from sweeps.analysis.item_analysis import ItemsBy, Told, at_the_largest, change_row, heading, of_context, what_changed
from sweeps.figures.bars import Row, Rows, intervals
from sweeps.report.document import Answer, Figure, Part, Section, Text, both, table
from sweeps.results import RunResult
from sweeps.spec.sections import measure_of

DRAWN = 6  # cells
LEAST = 0.01  # of an axis of shares: rounding alone makes changes of a few billionths
# Not between 0 and 1, so that an axis with those that are would show neither.
OTHERWISE = ("preference_margin", "preference_kl", "semantic_entropy", "reward", "turns")
NOTE = (
    "The same items before and after; 95 % intervals for other seeds and other items of the kind, of a single seed for "
    "other items. Hollow: not clear, or not when all cells are judged together (Holm)."
)


def changed_by_training(rows: Sequence[RunResult], items: ItemsBy) -> Answer:
    """A figure for each trained cell of the largest size, and everything in tables."""
    told = what_changed(rows, items)
    shown = at_the_largest(told)
    if not shown:
        return Answer(())
    sentences = tuple(f"{said}." for said in of_context(shown))
    parts: list[Part] = [Text(said) for said in sentences]
    for place, each in enumerate(shown[:DRAWN]):
        parts.append(_figure(f"changes-{place}", each) or _table(each, folded=False))
    parts += [_table(each, folded=True) for each in told if each not in shown[:DRAWN]]
    return Answer(sentences, (Section("What did training change?", (*parts, Text(NOTE))),))


def _table(told: Told, *, folded: bool) -> Part:
    return table([change_row(each) for each in told.changes], caption=heading(told), folded=folded)


def _figure(name: str, told: Told) -> Figure | None:
    """Those that are shares, on one axis; None where none is."""
    rows = [_row(each) for each in told.changes if _is_share(each.metric)]
    if not rows:
        return None
    words = "; ".join(f"{each.name}: {each.said}" for each in rows)
    plot = Rows(name, f"What training changed: {heading(told)}", words, "after − before", zero=True, least=LEAST)
    numbers = table([change_row(each) for each in told.changes])
    return Figure(name, plot.title, **both(lambda width, suffix: intervals(plot, rows, width, suffix)), table=numbers)


def _is_share(metric: str) -> bool:
    return metric.rpartition(".")[2] not in OTHERWISE and "episode." not in metric and measure_of(metric) is not None


def _row(one: Change) -> Row:
    """The change with its interval."""
    known = math.isfinite(one.low)
    said = f"{one.before:.3f} → {one.after:.3f}"
    return Row(one.metric, one.mean, one.low if known else None, one.high if known else None, said, one.after_holm)
