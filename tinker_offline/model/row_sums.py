"""Sum rows of tables, and add to them, each in one fixed order.

Where the numbers of rows differ, both work in layers: the first row of every sum, then the second, and
so on. That is several times faster than `np.add.reduceat`.
"""

import numpy as np
import numpy.typing as npt

from tinker_offline.model.feature_rows import Rows
from tinker_offline.model.ngram import Floats, Ints

_NARROW = 16  # sums that are finished one by one


def sum_rows(table: Floats, rows: Rows) -> Floats:
    """Return the sum of the table's rows for each position: (positions, width)."""
    total = table.take(rows[:, 0], axis=0)
    for column in range(1, rows.shape[1]):
        total += table.take(rows[:, column], axis=0)
    return total


def sum_many_rows(table: Floats, rows: Rows, counts: Ints) -> Floats:
    """Return the sum of the first counts[0] rows, of the next counts[1], …: (counts, width)."""
    sums = np.zeros((len(counts), table.shape[1]), np.float32)
    starts = np.cumsum(counts) - counts
    order = np.argsort(-counts, kind="stable")
    starts, widths = starts[order], _count_deeper(counts[order])
    ordered = np.zeros_like(sums)
    for depth, width in enumerate(widths):
        ordered[:width] += table.take(rows[starts[:width] + depth], axis=0)
    sums[order] = ordered
    return sums


def _count_deeper(falling: Ints) -> npt.NDArray[np.intp]:
    """Return, for 0, 1, …, how many of these falling counts are above it, until none is."""
    return np.searchsorted(-falling, -np.arange(falling[0] if len(falling) else 0), side="left")


def add_entries(table: Floats, rows: Rows, sources: Ints, values: Floats) -> None:
    """Add values[sources[i]] to table[rows[i]] for each i."""
    order = np.argsort(rows, kind="stable")  # a radix sort, since rows have 16 bits
    ordered, sources = rows[order], sources[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    counts = np.diff(starts, append=len(ordered))
    by_count = np.argsort(-counts, kind="stable")
    starts, counts = starts[by_count], counts[by_count]
    widths = _count_deeper(counts)
    sums, depth = values.take(sources[starts], axis=0), 1
    while depth < len(widths) and widths[depth] > _NARROW:
        some = starts[: widths[depth]]
        sums[: widths[depth]] += values.take(sources[some + depth], axis=0)
        depth += 1
    for row in range(widths[depth] if depth < len(widths) else 0):
        sums[row] += values.take(sources[starts[row] + depth : starts[row] + counts[row]], axis=0).sum(axis=0)
    table[ordered[starts]] += sums


def count_below(counts: Ints) -> Ints:
    """Return 0, 1, … below each count, one after another."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
