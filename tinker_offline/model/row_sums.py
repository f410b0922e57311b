"""Sum rows of tables, and add to them, each in one fixed order.

What selects rows is a sparse matrix of ones. A product with it adds row by row, in the order in which the
matrix lists them.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinker_offline.model.ngram import Flags, Floats, Ints, Rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_LONG = 16  # rows of a table, at most, to which is added in two parts


def sum_rows(table: Floats, rows: Rows) -> Floats:
    """Return the sum of the table's rows for each position: (positions, width)."""
    return sum_many_rows(table, rows.ravel(), np.full(len(rows), rows.shape[1]))


def sum_many_rows(table: Floats, rows: Rows, counts: Ints) -> Floats:
    """Return the sum of the first counts[0] rows, of the next counts[1], …: (counts, width)."""
    sums: Floats = _select_rows(rows, counts, len(table)) @ table
    return sums


def add_entries(table: Floats, rows: Rows, counts: Ints, values: Floats) -> Flags:
    """Add values[0] to the first counts[0] rows of the table, values[1] to the next counts[1], …

    What comes last for the few rows that occur most is summed apart, which rounds less. Returns which rows of the
    table occur.
    """
    by_row = _select_rows(rows, counts, len(table)).tocsc()  # the values of each row of the table, in order
    starts, occurrences = by_row.indptr, np.diff(by_row.indptr)
    short = max(1, int(np.partition(occurrences, -_LONG - 1)[-_LONG - 1]))
    long = np.flatnonzero(occurrences > short)
    apart = np.empty((len(long), values.shape[1]), np.float32)
    for number, row in enumerate(long):
        late = slice(starts[row] + short, starts[row + 1])
        apart[number] = values.take(by_row.indices[late], axis=0).sum(axis=0)
        by_row.data[late] = 0
    sums = by_row.T @ values
    sums[long] += apart
    table += sums
    occur: Flags = occurrences > 0
    return occur


def _select_rows(rows: Rows | npt.NDArray[np.int32], counts: Ints, height: int) -> "csr_array[np.float32]":
    """Return a sparse matrix that selects the first counts[0] rows, the next counts[1], …: (counts, height)."""
    from scipy.sparse import csr_array  # here: a server that has no chat model starts in half the time without it

    bounds = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=bounds[1:])
    ones = np.ones(len(rows), np.float32)
    return csr_array((ones, rows.astype(np.int32, copy=False), bounds), (len(counts), height))


def count_below(counts: Ints) -> Ints:
    """Return 0, 1, … below each count, one after another."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
