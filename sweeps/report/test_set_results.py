"""List results by test set: each metric on the holdout and on every further test set, and their differences."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from sweeps.analysis.item_analysis import SeedRows, StratumResult, estimate_part
from sweeps.analysis.strata.stratum_differences import StratumDifference, can_be_compared, compare_strata
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import Spec
from sweeps.evaluation.registry import identify_metric
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

HOLDOUT = "holdout"


def list_test_names(spec: Spec) -> tuple[str, ...]:
    """List the names of the further test sets of a stored spec."""
    data = spec.get("data")
    sections = data.values() if isinstance(data, Mapping) else ()
    named = [section.get("tests") for section in sections if isinstance(section, Mapping)]
    return tuple(dict.fromkeys(str(name) for tests in named if isinstance(tests, Mapping) for name in tests))


def list_test_sets(spec: Spec, rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumResult]:
    """List each metric that a further test set has, by cell: on the holdout if it has it, then on each test set.

    The `stratum` of a result is the name of the test set, and its `metric` is named as on the holdout.
    """
    done, test_sets = keep_measured(rows), list[StratumResult]()
    for metric, places in _group_metrics(spec, done).items():
        known = identify_metric(metric)[1]
        if known is not None and known.fixed:
            continue
        for cell, runs in group_by_cell(done):
            for place, name in places.items():
                measured = [run for run in runs if math.isfinite(run.metrics.get(name, math.nan))]
                if measured:
                    kept = items.get(identify_metric(name)[0] or "", {})
                    by_seed = {run.seed: kept.get(item_key(cell, run.seed), ()) for run in measured}
                    part = estimate_part(cell, name, place, by_seed) if all(by_seed.values()) else None
                    test_sets.append(replace(part or _average(measured, name, place, by_seed), metric=metric))
    return test_sets


def list_test_differences(spec: Spec, rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumDifference]:
    """List each pair of test sets, the holdout among them, by metric and cell; `metric` is named as on the holdout."""
    done = keep_measured(rows)
    return [
        pair
        for metric, places in _group_metrics(spec, done).items()
        if can_be_compared(metric)
        for cell, runs in group_by_cell(done)
        for pair in compare_strata(cell, metric, _read_places(cell, runs, places, items))
    ]


def _read_places(
    cell: Mapping[str, Json], runs: Sequence[RunResult], places: Mapping[str, str], items: Mapping[str, Items]
) -> dict[str, SeedRows]:
    """Read the rows of each test set by seed. Items are numbered in each set; groups are the same in all."""
    by_place: dict[str, SeedRows] = {}
    for place, name in places.items():
        kept = items.get(identify_metric(name)[0] or "", {})
        by_seed = {
            run.seed: [replace(row, item=f"{place}/{row.item}") for row in kept.get(item_key(cell, run.seed), ())]
            for run in runs
        }
        by_place[place] = {seed: rows for seed, rows in by_seed.items() if rows}
    return by_place


def _group_metrics(spec: Spec, rows: Sequence[RunResult]) -> dict[str, dict[str, str]]:
    """Group the metrics of test sets by the metric of the holdout: the full name by the name of the test set."""
    tests, data = list_test_names(spec), spec.get("data")
    before = ("", *(f"{name}." for name in (data if isinstance(data, Mapping) else ())))
    prefixes = {f"{place}{test}.": (place, test) for place in before for test in tests}
    names = sort_metrics({name for row in rows for name in row.metrics})
    groups: dict[str, dict[str, str]] = {}
    for name in names:
        for prefix, (place, test) in prefixes.items():
            if name.startswith(prefix):
                groups.setdefault(f"{place}{name.removeprefix(prefix)}", {})[test] = name
    order = {name: place for place, name in enumerate((HOLDOUT, *tests))}
    for metric, places in groups.items():
        if metric in names:
            places[HOLDOUT] = metric
    ranked = sort_metrics(groups)
    return {metric: dict(sorted(groups[metric].items(), key=lambda group: order[group[0]])) for metric in ranked}


def _average(runs: Sequence[RunResult], metric: str, place: str, rows: SeedRows) -> StratumResult:
    """Average the seeds where the items are not read: the interval is not known."""
    values = [run.metrics[metric] for run in runs]
    every = {row.item: row.group for kept in rows.values() for row in kept}
    return StratumResult(
        runs[0].cell, metric, place, fmean(values), None, None, len(every), len({*every.values()}), len(values)
    )
