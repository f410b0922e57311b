"""Compare the strata of each cell with each other, metric by metric, and judge all pairs of one together (Holm).

Test sets are compared in the same way: they have other items too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import NamedTuple

from sweeps.analysis.item_analysis import SeedRows, list_stratum_rows, score_rows
from sweeps.analysis.tables import sort_metrics
from sweeps.evaluation.class_scores import count_classes, is_of_classes
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.evaluation.registry import identify_metric
from sweeps.formatting import format_count
from sweeps.metrics.ranges import clip_interval, find_difference_range
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.intervals import holm
from sweeps.stats.paired_items import Items, Scores
from sweeps.stats.part_differences import compare_parts

FEWEST_ITEMS, FEWEST_GROUPS, FEWEST_OF_A_CLASS = 10, 5, 5  # of each stratum
MOST = 12  # strata of a cell: of more, too many pairs would be judged together to find any
BIASED = ("ece", "adaptive_ece")  # grow where items are few, so that a small stratum looks worse


@dataclass(frozen=True)
class StratumDifference:
    """One stratum less another. `refused` says why they are not compared: then there are no numbers."""

    cell: Mapping[str, Json]
    metric: str
    one: str
    other: str
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    clear: bool = False  # also when all pairs of this cell and metric are judged together (Holm)
    refused: str = ""


class Stratum(NamedTuple):
    """The items of one value, and their scores by seed."""

    name: str
    rows: SeedRows
    scores: Mapping[int, Scores]


def list_differences(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumDifference]:
    """List each pair of strata by metric and cell, in the order of metrics, cells and names."""
    differences: list[StratumDifference] = []
    measured = keep_measured(rows)
    for metric in sort_metrics({name for row in measured for name in row.metrics}):
        measure = identify_metric(metric)[0]
        if measure is None or measure not in items or not can_be_compared(metric):
            continue
        for cell, runs in group_by_cell(measured):
            differences += compare_strata(cell, metric, list_stratum_rows(cell, runs, items[measure]))
    return differences


def can_be_compared(metric: str) -> bool:
    """Say whether a metric of some items can be compared with that of others."""
    known = identify_metric(metric)[1]
    return not (known is not None and known.fixed) and get_base_name(metric) not in BIASED


def read_strata(rows: Mapping[str, SeedRows], metric: str) -> list[Stratum]:
    """Read the strata whose items tell the metric."""
    strata = []
    for name, by_seed in rows.items():
        scores = {seed: scored for seed, kept in by_seed.items() if (scored := score_rows(kept, metric)).amounts}
        if scores:
            strata.append(Stratum(name, by_seed, scores))
    return strata


def compare_strata(cell: Mapping[str, Json], metric: str, rows: Mapping[str, SeedRows]) -> list[StratumDifference]:
    """Compare each pair of strata of a cell."""
    strata = read_strata(rows, metric)
    too_many = f"there are {len(strata)} values; at most {MOST} are compared" if len(strata) > MOST else ""
    weak = {stratum.name: too_many or find_weakness(stratum, metric) for stratum in strata}
    if too_many:
        return [StratumDifference(cell, metric, strata[0].name, strata[1].name, refused=too_many)]
    pairs = [_compare_pair(cell, metric, first, second, weak) for first, second in combinations(strata, 2)]
    clear = holm({(pair.one, pair.other): pair.p for pair in pairs if pair.p is not None})
    return [replace(pair, clear=(pair.one, pair.other) in clear) for pair in pairs]


def _compare_pair(
    cell: Mapping[str, Json], metric: str, first: Stratum, second: Stratum, weak: Mapping[str, str]
) -> StratumDifference:
    refused = weak[first.name] or weak[second.name] or _find_other_classes(first, second, metric)
    difference = None if refused else compare_parts(first.scores, second.scores)
    if difference is None:
        refused = refused or f"{first.name} and {second.name} have no seed in common"
        return StratumDifference(cell, metric, first.name, second.name, refused=refused)
    low, high, _ = clip_interval(difference.mean, difference.claim.half_width, find_difference_range(metric))
    return StratumDifference(cell, metric, first.name, second.name, difference.mean, low, high, difference.claim.p)


def find_weakness(stratum: Stratum, metric: str) -> str:
    """Say what a stratum has too little of; nothing if it can be compared."""
    items, clusters = set[object](), set[object]()
    for scores in stratum.scores.values():
        items |= {*scores.amounts}
        clusters |= {*scores.clusters.values()}
    if len(items) < FEWEST_ITEMS:
        return f"{stratum.name} has {format_count(len(items), 'item')}; {FEWEST_ITEMS} are needed"
    if len(clusters) < FEWEST_GROUPS:
        return f"{stratum.name} has {format_count(len(clusters), 'group')}; {FEWEST_GROUPS} are needed"
    fewest = min(_count(stratum).values(), default=0) if is_of_classes(get_base_name(metric)) else FEWEST_OF_A_CLASS
    if fewest < FEWEST_OF_A_CLASS:
        return f"{stratum.name} has {format_count(fewest, 'item')} of a class; {FEWEST_OF_A_CLASS} are needed"
    return ""


def _find_other_classes(first: Stratum, second: Stratum, metric: str) -> str:
    """Say that two strata have different classes, so that a mean over classes is of different things."""
    if not is_of_classes(get_base_name(metric)) or _count(first).keys() == _count(second).keys():
        return ""
    return f"{first.name} and {second.name} have different classes"


def _count(stratum: Stratum) -> dict[int, int]:
    return count_classes(next(iter(stratum.rows.values())))
