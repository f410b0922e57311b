"""Show results by stratum: a table for each metric."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.item_analysis import StratumResult, name_stratum
from sweeps.analysis.strata.stratum_differences import StratumDifference
from sweeps.analysis.targets import Spec, name_cells
from sweeps.formatting import format_count
from sweeps.records import canonicalize_row
from sweeps.report.document import Paragraph, Part, Section, Table, make_table
from sweeps.report.table_cells import MINUS, TableCell, show_number

NAMED = 6  # differences, and reasons, that are named
DIFFERENT = (
    "Intervals are for other items, or other groups of items, and with several seeds for other seeds too. * clear"
)
WITHIN = (
    "Methods on the same items of one value, with the 95 % interval for other items of that value, or other groups of "
    "them, and with several seeds for other seeds too. * clear"
)
LONG = 24  # rows of a table that is shown at once
NOTE = (
    "The held-out items of each value. 95 % intervals are for other groups of items if the data has groups, else for "
    "other items, and with several seeds for other seeds too."
)

TEST_SET = "test set"
TESTED = (
    "The same models on the holdout and on each further test set. 95 % intervals are for other groups of items if the "
    "data has groups, else for other items, and with several seeds for other seeds too."
)
OTHER_ITEMS = "Two test sets have other items: what differs may be how hard these are, for every model."


def show_strata(spec: Spec, results: Sequence[StratumResult]) -> list[Section]:
    """Tabulate every metric by cell and stratum: the values of a column, or the regimes of episodes."""
    columns: dict[str, list[StratumResult]] = {}
    for stratum in results:
        columns.setdefault(name_stratum(spec, stratum.metric), []).append(stratum)
    return [_show_column(column, listed) for column, listed in columns.items() if column]


def _show_column(column: str, results: Sequence[StratumResult]) -> Section:
    cells = {canonicalize_row(stratum.cell): stratum.cell for stratum in results}
    names = dict(zip(cells, name_cells(list(cells.values())), strict=True))
    tables = [
        _tabulate(metric, [stratum for stratum in results if stratum.metric == metric], names, column)
        for metric in dict.fromkeys(stratum.metric for stratum in results)
    ]
    return Section(f"Results by {column}", (*tables, Paragraph(NOTE)))


def show_test_sets(results: Sequence[StratumResult]) -> list[Section]:
    """Tabulate every metric by cell and test set; nothing if there is no further test set."""
    if not results:
        return []
    cells = {canonicalize_row(stratum.cell): stratum.cell for stratum in results}
    names = dict(zip(cells, name_cells(list(cells.values())), strict=True))
    tables = [
        _tabulate(metric, [stratum for stratum in results if stratum.metric == metric], names, TEST_SET)
        for metric in dict.fromkeys(stratum.metric for stratum in results)
    ]
    return [Section("Results by test set", (*tables, Paragraph(TESTED)))]


def _tabulate(metric: str, results: Sequence[StratumResult], names: dict[bytes, str], column: str) -> Table:
    column = "stratum" if " and " in column else column
    rows: list[dict[str, Any]] = [
        {
            **({"condition": names[canonicalize_row(stratum.cell)]} if len(names) > 1 else {}),
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


def show_differences(spec: Spec, differences: Sequence[StratumDifference]) -> list[Section]:
    """Say which strata clearly differ, tabulate all pairs, and say which were not compared; nothing without pairs."""
    columns: dict[str, list[StratumDifference]] = {}
    for pair in differences:
        columns.setdefault(name_stratum(spec, pair.metric), []).append(pair)
    return [_show_pairs(f"Do values of {column} differ?", listed) for column, listed in columns.items() if column]


def show_methods_within(spec: Spec, differences: Sequence[StratumDifference]) -> list[Section]:
    """Say which methods clearly differ within a stratum, and tabulate all pairs; nothing without pairs."""
    columns: dict[str, list[StratumDifference]] = {}
    for pair in differences:
        columns.setdefault(name_stratum(spec, pair.metric), []).append(pair)
    return [
        _show_pairs(f"Do methods differ within {column}?", listed, WITHIN)
        for column, listed in columns.items()
        if column
    ]


def show_test_differences(differences: Sequence[StratumDifference]) -> list[Section]:
    """Say which test sets clearly differ, and tabulate all pairs; nothing without pairs."""
    if not differences:
        return []
    section = _show_pairs("Do test sets differ?", differences)
    return [replace(section, parts=(*section.parts, Paragraph(OTHER_ITEMS)))]


def _show_pairs(title: str, differences: Sequence[StratumDifference], words: str = DIFFERENT) -> Section:
    cells = {canonicalize_row(pair.cell): pair.cell for pair in differences}
    names = dict(zip(cells, name_cells(list(cells.values())), strict=True))
    compared = [pair for pair in differences if not pair.refused]
    clear = [_describe_difference(pair, names) for pair in compared if pair.clear]
    none = f"No two of them clearly differ in any metric ({format_count(len(compared), 'pair')} compared)"
    parts: list[Part] = [Paragraph(f"{words}.") for words in clear[:NAMED] or ([none] if compared else [])]
    if len(clear) > NAMED:
        parts.append(Paragraph(f"{len(clear) - NAMED} more differences are clear; the table has them."))
    if compared:
        rows = [_make_difference_row(pair, names) for pair in compared]
        note = Paragraph(f"{words}{_describe_family(compared, among_conditions=words == WITHIN)}")
        parts += [make_table(rows, caption="Differences", folded=len(rows) > LONG), note]
    refused = dict.fromkeys(pair.refused for pair in differences if pair.refused)
    parts += [Paragraph(f"Not compared: {'; '.join(list(refused)[:NAMED])}.")] if refused else []
    return Section(title, tuple(parts))


def _describe_family(pairs: Sequence[StratumDifference], *, among_conditions: bool) -> str:
    """Say how many pairs are judged together; a single one is not corrected."""
    families = Counter((pair.metric, b"" if among_conditions else canonicalize_row(pair.cell)) for pair in pairs)
    fewest, most = min(families.values()), max(families.values())
    count = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    of_each = "metric" if among_conditions else "metric and condition"
    return f", also when the {count} pairs of a {of_each} are judged together (Holm)." if most > 1 else "."


def _describe_difference(pair: StratumDifference, names: Mapping[bytes, str]) -> str:
    """Describe a clear difference from the stratum with the larger value."""
    mean, low, high = pair.mean or 0.0, pair.low or 0.0, pair.high or 0.0
    above, below, ends = (pair.one, pair.other, (low, high)) if mean > 0 else (pair.other, pair.one, (-high, -low))
    where = f" ({names[canonicalize_row(pair.cell)]})" if len(names) > 1 else ""
    return f"{pair.metric}{where}: {above} is above {below} by {abs(mean):.4f} ({ends[0]:.4f} to {ends[1]:.4f})"


def _make_difference_row(pair: StratumDifference, names: Mapping[bytes, str]) -> dict[str, Any]:
    ends = f"{pair.low:+.4f} to {pair.high:+.4f}".replace("-", MINUS)
    return {
        "metric": pair.metric,
        **({"condition": names[canonicalize_row(pair.cell)]} if len(names) > 1 else {}),
        "pair": f"{pair.one} {MINUS} {pair.other}",
        "difference": show_number(pair.mean, signed=True),
        "95 % interval": TableCell(ends, [pair.low, pair.high]),
        "p": TableCell(f"{pair.p:.2g}{'*' * pair.clear}", pair.p),
    }
