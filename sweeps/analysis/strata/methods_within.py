"""Compare methods within each stratum, item by item: what is better on the whole may be worse where it matters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from sweeps.analysis.comparison import METHOD
from sweeps.analysis.item_analysis import SeedRows, list_stratum_rows
from sweeps.analysis.strata.stratum_differences import (
    MOST,
    Stratum,
    StratumDifference,
    can_be_compared,
    find_weakness,
    read_strata,
)
from sweeps.analysis.tables import sort_metrics
from sweeps.evaluation.registry import identify_metric
from sweeps.metrics.ranges import clip_interval, find_difference_range
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.intervals import holm
from sweeps.stats.paired_items import Items, compare_items

WHERE = "value"  # of a stratum, in the place of a cell


def compare_methods_within(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumDifference]:
    """Compare each pair of methods within each stratum, metric by metric; `cell` names the stratum.

    All pairs of one metric are judged together (Holm). Nothing for runs that differ in more than their method, and of
    more strata than are compared elsewhere, too.
    """
    trained = [row for row in keep_measured(rows) if row.cell.get(METHOD) is not None]
    variants = [variant for variant, _ in group_by_cell(trained, without={METHOD})]
    differences: list[StratumDifference] = []
    for metric in sort_metrics({name for row in trained for name in row.metrics}) if len(variants) == 1 else ():
        measure = identify_metric(metric)[0]
        if measure is not None and measure in items and can_be_compared(metric):
            methods = _read_methods(trained, items[measure], metric)
            pairs = [*_compare_pairs(methods, metric)]
            clear = holm({place: pair.p for place, pair in enumerate(pairs) if pair.p is not None})
            differences += [replace(pair, clear=place in clear) for place, pair in enumerate(pairs)]
    return differences


def _read_methods(rows: Sequence[RunResult], items: Items, metric: str) -> dict[str, dict[str, Stratum]]:
    """Read the strata of each method, by their names."""
    kept: dict[str, Mapping[str, SeedRows]] = {
        str(cell[METHOD]): list_stratum_rows(cell, runs, items) for cell, runs in group_by_cell(rows)
    }
    read = {name: {stratum.name: stratum for stratum in read_strata(own, metric)} for name, own in kept.items()}
    return {name: strata for name, strata in read.items() if strata and len(strata) <= MOST}


def _compare_pairs(methods: Mapping[str, Mapping[str, Stratum]], metric: str) -> Iterator[StratumDifference]:
    for other, method in combinations(methods, 2):
        for name in sorted(methods[method].keys() & methods[other].keys()):
            yield _compare_pair(metric, name, (method, methods[method][name]), (other, methods[other][name]))


def _compare_pair(metric: str, name: str, first: tuple[str, Stratum], second: tuple[str, Stratum]) -> StratumDifference:
    where: Mapping[str, Json] = {WHERE: name}
    refused = find_weakness(first[1], metric) or find_weakness(second[1], metric)
    kept = None if refused else compare_items(first[1].scores, second[1].scores, cross_check=False)
    claim = None if kept is None else kept.recipe or kept.checkpoints
    if kept is None or claim is None:
        refused = refused or f"{first[0]} and {second[0]} have no seed in common, or one value, where it is {name}"
        return StratumDifference(where, metric, first[0], second[0], refused=refused)
    low, high, _ = clip_interval(kept.mean, claim.half_width, find_difference_range(metric))
    return StratumDifference(where, metric, first[0], second[0], kept.mean, low, high, claim.p)
