"""Find the parts of the held-out items that miss a target which all items together reach, or that are too few to tell.

A mean reaches a target although some kinds of items are far from it. A part misses the target if its whole interval
does. If its interval holds the target, and it has fewer items than a metric needs to be ranked, nothing can be said.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sweeps.analysis.item_analysis import StratumResult, estimate_part, list_stratum_rows
from sweeps.analysis.told_items import FEWEST
from sweeps.results import RunResult
from sweeps.stats.paired_items import Items

NAMED = 5  # parts that words name


class TargetParts(NamedTuple):
    """Of the `parts` strata of some runs, those that clearly miss a target, and those that are too small to tell."""

    missing: Sequence[StratumResult]
    too_small: Sequence[StratumResult]
    parts: int


def split_by_target(runs: Sequence[RunResult], metric: str, items: Items, target: float) -> TargetParts:
    """Judge the strata of runs that share a cell by a target of a metric that rises."""
    cell = runs[0].cell
    judged = [estimate_part(cell, metric, name, rows) for name, rows in list_stratum_rows(cell, runs, items).items()]
    parts = [part for part in judged if part]
    missing = [part for part in parts if part.high is not None and part.high < target]
    open_ones = [part for part in parts if part not in missing and (part.low is None or part.low < target)]
    return TargetParts(missing, [part for part in open_ones if part.items < FEWEST], len(parts))


def describe_missing(parts: TargetParts, column: str, where: str) -> str:
    """Write which parts miss the target: "2 of 10 values of rule miss the target with 64 rows: a (0.40), b (0.52)"."""
    named = [f"{part.stratum} ({part.mean:.2f})" for part in parts.missing]
    verb = "misses" if len(named) == 1 else "miss"
    return f"{len(named)} of {parts.parts} values of {column} {verb} the target with {where}: {_list_first(named)}"


def describe_too_small(parts: TargetParts, column: str) -> str:
    """Write which parts have too few items to say whether they reach the target."""
    named = [f"{part.stratum} ({part.items})" for part in parts.too_small]
    return f"{len(named)} of {parts.parts} values of {column} have too few items to tell: {_list_first(named)}"


def _list_first(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
