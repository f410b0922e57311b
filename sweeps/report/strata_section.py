"""Show results by stratum: a table for each metric."""

from collections.abc import Sequence
from typing import Any

from sweeps.analysis.item_analysis import StratumResult
from sweeps.analysis.targets import name_cells
from sweeps.formatting import format_count
from sweeps.records import canonicalize_row
from sweeps.report.document import Paragraph, Section, Table, make_table
from sweeps.report.table_cells import MINUS, TableCell, show_number

LONG = 24  # rows of a table that is shown at once
NOTE = (
    "The held-out items of each value. 95 % intervals are for other groups of items if the data has groups, else for "
    "other items, and with several seeds for other seeds too. Values are not compared with each other."
)

TEST_SET = "test set"
TESTED = (
    "The same models on the holdout and on each further test set. 95 % intervals are for other groups of items if the "
    "data has groups, else for other items, and with several seeds for other seeds too. Test sets are not compared "
    "with each other: they have different items."
)


def show_strata(columns: Sequence[str], results: Sequence[StratumResult]) -> list[Section]:
    """Tabulate every metric by cell and stratum; nothing if no column is named."""
    if not columns or not results:
        return []
    cells = {canonicalize_row(stratum.cell): stratum.cell for stratum in results}
    names = dict(zip(cells, name_cells(list(cells.values())), strict=True))
    tables = [
        _tabulate(metric, [stratum for stratum in results if stratum.metric == metric], names, columns)
        for metric in dict.fromkeys(stratum.metric for stratum in results)
    ]
    return [Section(f"Results by {' and '.join(columns)}", (*tables, Paragraph(NOTE)))]


def show_test_sets(results: Sequence[StratumResult]) -> list[Section]:
    """Tabulate every metric by cell and test set; nothing if there is no further test set."""
    if not results:
        return []
    cells = {canonicalize_row(stratum.cell): stratum.cell for stratum in results}
    names = dict(zip(cells, name_cells(list(cells.values())), strict=True))
    tables = [
        _tabulate(metric, [stratum for stratum in results if stratum.metric == metric], names, [TEST_SET])
        for metric in dict.fromkeys(stratum.metric for stratum in results)
    ]
    return [Section("Results by test set", (*tables, Paragraph(TESTED)))]


def _tabulate(metric: str, results: Sequence[StratumResult], names: dict[bytes, str], columns: Sequence[str]) -> Table:
    column = columns[0] if len(columns) == 1 else "stratum"
    rows: list[dict[str, Any]] = [
        {
            **({"cell": names[canonicalize_row(stratum.cell)]} if len(names) > 1 else {}),
            column: stratum.stratum,
            metric: show_number(stratum.mean),
            "95 % interval": _show_interval(stratum),
            "items": _show_items(stratum),
            "seeds": stratum.seeds,
        }
        for stratum in results
    ]
    return make_table(rows, caption=f"{metric} by {column}", folded=len(rows) > LONG)


def _show_interval(stratum: StratumResult) -> TableCell | str:
    if stratum.low is None or stratum.high is None:
        return "unknown"
    return TableCell(f"{stratum.low:.4f} to {stratum.high:.4f}".replace("-", MINUS), [stratum.low, stratum.high])


def _show_items(stratum: StratumResult) -> TableCell | str:
    if not stratum.items:
        return "not read"
    groups = f" in {format_count(stratum.clusters, 'group')}" if stratum.clusters < stratum.items else ""
    return TableCell(f"{stratum.items:,}{groups}", stratum.items)
