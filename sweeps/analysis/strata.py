"""Results by stratum: each metric over the items with one value of the column that `by` names.

The interval of a mean is for other items of that kind, or for other groups if the data has groups, and with several
seeds for other seeds too: that of the same items against zero.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeps.analysis.pooled_changes import pool_scores
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import Spec
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.classes import CHOSEN, TRUE
from sweeps.evaluation.confidence import calibrate
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.metric_prefixes import CLASS_F1, get_base_name
from sweeps.evaluation.registry import EVALUATORS, MEASURED_BY, identify_metric
from sweeps.metrics.classification import split_balanced_accuracy, split_macro_f1
from sweeps.metrics.influence import POOLED
from sweeps.metrics.ranges import clip_interval, find_range
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, Scores, compare_items, item_key, read_scores

SPLITS = {"macro_f1": split_macro_f1, "balanced_accuracy": split_balanced_accuracy}
BY_ALL = ("auroc",)  # an item's value is what it contributes among all items, and says nothing about a stratum
NOTHING = Scores({}, {}, {})
SeedRows = Mapping[int, Sequence[ItemRow]]


@dataclass(frozen=True)
class StratumResult:
    """One metric of one cell over the items of one stratum; without `low` and `high` its interval is not known."""

    cell: Mapping[str, Json]
    metric: str
    stratum: str
    mean: float
    low: float | None
    high: float | None
    items: int
    clusters: int
    seeds: int


def list_columns(spec: Spec) -> tuple[str, ...]:
    """List the columns that `by` names in the data of a spec."""
    data = spec.get("data")
    sections = data.values() if isinstance(data, Mapping) else ()
    named = [section.get("by") for section in sections if isinstance(section, Mapping)]
    return tuple(dict.fromkeys(str(column) for column in named if column))


def list_strata(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumResult]:
    """List each metric by cell and stratum, in the order of metrics, cells and names."""
    found = []
    for metric in sort_metrics({name for row in keep_measured(rows) for name in row.metrics}):
        measure, known = identify_metric(metric)
        if measure is None or measure not in items or (known is not None and known.fixed):
            continue
        for cell, runs in group_by_cell(keep_measured(rows)):
            kept = {run.seed: items[measure].get(item_key(cell, run.seed), ()) for run in runs}
            for stratum in sorted({row.stratum for each in kept.values() for row in each if row.stratum is not None}):
                inside = {seed: [row for row in each if row.stratum == stratum] for seed, each in kept.items()}
                if result := _measure(cell, metric, stratum, {seed: each for seed, each in inside.items() if each}):
                    found.append(result)
    return found


def _measure(cell: Mapping[str, Json], metric: str, stratum: str, rows: SeedRows) -> StratumResult | None:
    """Estimate a metric over the items of a stratum; None if none of them tells it."""
    scores = {seed: each for seed, kept in rows.items() if (each := _score(kept, metric)).amounts}
    if not scores:
        return _summarize(cell, metric, stratum, rows)
    zero = {seed: each._replace(amounts=dict.fromkeys(each.amounts, 0.0)) for seed, each in scores.items()}
    level = compare_items(scores, zero, cross_check=False)
    if level is None:
        return None
    claim = level.recipe or level.checkpoints
    low, high, _ = clip_interval(level.mean, claim.half_width, find_range(metric)) if claim else (None, None, False)
    return StratumResult(cell, metric, stratum, level.mean, low, high, level.items, level.clusters, level.seeds)


def _score(rows: Sequence[ItemRow], metric: str) -> Scores:
    """Read what the rows say of a metric; one of all items together is computed anew from those of the stratum."""
    name = get_base_name(metric)
    if name in POOLED:
        return pool_scores(rows, name)
    if name in SPLITS:
        judged = [row for row in rows if TRUE in row.values]
        true, chosen = ([int(row.values[key]) for row in judged] for key in (TRUE, CHOSEN))
        split = SPLITS[name](true, chosen).tolist() if judged else []
        return read_scores(
            [replace(row, values={name: value}) for row, value in zip(judged, split, strict=True)], metric
        )
    return NOTHING if name in BY_ALL or name.startswith(CLASS_F1) else read_scores(rows, metric)


def _summarize(cell: Mapping[str, Json], metric: str, stratum: str, rows: SeedRows) -> StratumResult | None:
    """Compute a metric of all items together that no item tells; its interval is not known."""
    name = get_base_name(metric)
    evaluator = EVALUATORS[MEASURED_BY[name]] if name in MEASURED_BY else None
    values = []
    for kept in rows.values():
        summary = calibrate(kept)
        if name not in summary and isinstance(evaluator, AnswerEvaluator):
            summary = evaluator.summarize(kept)
        values += [summary[name]] if math.isfinite(summary.get(name, math.nan)) else []
    if not values:
        return None
    every = {row.item: row.group for kept in rows.values() for row in kept}
    mean = float(np.mean(values))
    return StratumResult(cell, metric, stratum, mean, None, None, len(every), len({*every.values()}), len(values))
