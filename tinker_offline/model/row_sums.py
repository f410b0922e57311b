"""Sum rows of tables, and add to them, each in one fixed order.

What selects rows is a sparse matrix of ones. A product with it adds row by row, in the order in which the
matrix lists them.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinker_offline.model.ngram import Floats, Ints, Rows

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


def add_entries(table: Floats, rows: Rows, counts: Ints, values: Floats) -> None:
    """Add values[0] to the first counts[0] rows of the table, values[1] to the next counts[1], …

    What comes last for the few rows that occur most is summed apart, which rounds less.
    """
    targets, occurrences = rows.astype(np.int32), np.bincount(rows, minlength=len(table))
    short = max(1, int(np.partition(occurrences, -_LONG - 1)[-_LONG - 1]))
    long, ends = np.flatnonzero(occurrences > short), np.cumsum(counts)
    apart = np.empty((len(long), values.shape[1]), np.float32)
    for number, row in enumerate(long):
        late = np.flatnonzero(rows == row)[short:]
        apart[number] = values.take(np.searchsorted(ends, late, side="right"), axis=0).sum(axis=0)
        targets[late] = len(table)  # one row more, which is left out
    sums = _select_rows(targets, counts, len(table) + 1).T @ values
    sums[long] += apart
    table += sums[:-1]


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
