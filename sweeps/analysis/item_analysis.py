"""Choose the kept items that an answer needs, and list what they say: what training changed, and results by stratum.

The interval of a mean of a stratum is for other items of that kind, or for other groups if the data has groups, and
with several seeds for other seeds too: that of the same items against zero.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sweeps.analysis.baselines import AGAINST, UNTRAINED, Against
from sweeps.analysis.change_estimate import Change
from sweeps.analysis.changes import Changed, compare_with_baselines
from sweeps.analysis.comparison import METHOD
from sweeps.analysis.idle_policies import find_inactivity
from sweeps.analysis.pooled_changes import pool_scores
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import (
    Spec,
    describe_cell,
)
from sweeps.analysis.told_items import may_be_conditional
from sweeps.environments import REGIME
from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.class_scores import is_of_classes, share_classes, split_rows
from sweeps.evaluation.confidence import calibrate
from sweeps.evaluation.evaluator import Metric
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.metric_prefixes import VALIDATION, get_base_name
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import EVALUATORS, MEASURED_BY, find_measure, identify_metric
from sweeps.evaluation.task_completion import OF_RETURNS, RETURN, TASK_COMPLETION
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.formatting import format_count
from sweeps.metrics.influence import POOLED
from sweeps.metrics.ranges import clip_interval, find_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, find_shared_keys, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items, Scores, compare_items, item_key, read_scores

NEAR = 4  # cells of a grid that are compared item by item with the best: those that may be as good

ItemsBy = Mapping[str, Items]  # by measure: "answers", "source.nll"
SeedRows = Mapping[int, Sequence[ItemRow]]


@dataclass(frozen=True)
class CellChanges:
    """What training changed for one cell, in every metric, against one baseline."""

    cell: Mapping[str, Json]
    name: str  # the cell, as far as it differs from the others
    against: Against
    changes: tuple[Change, ...]
    largest: bool  # Is its size the largest, among cells that are alike in everything else?
    known: Mapping[str, Metric | None]  # what is known of each metric
    aside: bool = False  # the question is about another baseline, so that tables alone have it

    @property
    def title(self) -> str:
        """The comparison: rl against untrained, 3 seeds."""
        seeds = format_count(max(change.seeds for change in self.changes), "seed")
        return f"{self.name} against {self.against}, {seeds}" if self.name else f"against {self.against}, {seeds}"


class WantedItems(NamedTuple):
    """What is read for a measure: its metrics, and the runs (None: all of them)."""

    metrics: Collection[str]
    runs: Collection[ItemKey] | None = None


def choose_items(spec: Spec, rows: Sequence[RunResult]) -> dict[str, WantedItems]:
    """Choose by measure which items are read: losses only where they decide, everything else for what changed."""
    shown = sort_metrics({name for row in keep_measured(rows) for name in row.metrics})
    by_measure: dict[str, list[str]] = {}
    for metric in shown:
        if (measure := find_measure(metric)) and not measure.startswith(VALIDATION):
            by_measure.setdefault(measure, []).append(metric)
    by = bool(list_columns(spec)) or _has_tests(spec)  # results by stratum and by test set are of all measures
    kept = {measure: metrics for measure, metrics in by_measure.items() if by or not _is_loss(measure)}
    kind = get_experiment(spec.get("experiment"))
    for metric in kind.list_deciding(spec, rows) if kind else ():
        deciding = find_measure(metric)
        if deciding in by_measure and deciding not in kept:
            kept = {str(deciding): [metric], **kept}
    runs = kind.choose_runs(spec, rows) if kind and kind.choose_runs else None
    return {measure: WantedItems(metrics, runs) for measure, metrics in kept.items()}


def _has_tests(spec: Spec) -> bool:
    data = spec.get("data")
    sections = data.values() if isinstance(data, Mapping) else ()
    return any(isinstance(section, Mapping) and section.get("tests") for section in sections)


def choose_conditional(rows: Sequence[RunResult]) -> dict[str, WantedItems]:
    """Choose by measure the items of metrics that some items may not tell."""
    by_measure: dict[str, list[str]] = {}
    for metric in dict.fromkeys(name for row in keep_measured(rows) for name in row.metrics):
        if may_be_conditional(metric) and (measure := find_measure(metric)):
            by_measure.setdefault(measure, []).append(metric)
    return {measure: WantedItems(metrics) for measure, metrics in by_measure.items()}


def select_items(items: ItemsBy, metric: str) -> Items | None:
    """Select the items that a metric is the mean of."""
    measure = find_measure(metric)
    return None if measure is None else items.get(measure)


def _is_loss(measure: str) -> bool:
    return get_base_name(measure) == NLL.name


def list_changes(rows: Sequence[RunResult], items: ItemsBy, reference: str | None = None) -> tuple[CellChanges, ...]:
    """List for every trained cell, in the order of the rows, what changed besides the loss.

    With a `reference`, the method that a comparison is against, changes from the untrained model are aside, and left
    out where all answers of that model were cut, so that its score measures nothing.
    """
    by_cell: dict[tuple[bytes, Against], tuple[Mapping[str, Json], list[Change]]] = {}
    known: dict[str, Metric | None] = {}
    for metric in sort_metrics({name for row in keep_measured(rows) for name in row.metrics}):
        measure, known[metric] = identify_metric(metric)
        fixed = (kind := known[metric]) is not None and kind.fixed
        if measure is not None and measure in items and not fixed and not _is_loss(measure):
            for changed in _compare_cells(rows, items[measure], metric, reference):
                by_cell.setdefault((canonicalize_row(changed.cell), changed.against), (changed.cell, []))[1].append(
                    changed.change
                )
    same = find_shared_keys([cell for cell, _ in by_cell.values()])
    names = {key: describe_cell(cell, without=same).removeprefix(f"{METHOD}=") for key, (cell, _) in by_cell.items()}
    largest = mark_largest([cell for cell, _ in by_cell.values()])
    other = {UNTRAINED} if reference in {against for _, against in by_cell} - {UNTRAINED} else set[str]()
    changes = {
        key: CellChanges(cell, names[key], key[1], tuple(changes), is_largest, known, key[1] in other)
        for (key, (cell, changes)), is_largest in zip(by_cell.items(), largest, strict=True)
    }
    order = {key: place for place, key in enumerate(dict.fromkeys(canonicalize_row(row.cell) for row in rows))}
    sides = [*([reference] if reference else []), *AGAINST]
    return tuple(changes[key] for key in sorted(changes, key=lambda key: (order[key[0]], sides.index(key[1]))))


def _compare_cells(rows: Sequence[RunResult], items: Items, metric: str, reference: str | None) -> Iterator[Changed]:
    """Compare with the baselines; with a reference, not with an untrained model of which all answers were cut."""
    for changed in compare_with_baselines(rows, items, metric=metric, reference=reference):
        bases = [row for row in rows if row.cell == changed.beside]
        is_aside = reference not in (None, UNTRAINED) and changed.against == UNTRAINED
        if not (is_aside and find_inactivity(bases, items) == "all_cut"):
            yield changed


def mark_largest(cells: Sequence[Mapping[str, Json]]) -> list[bool]:
    """Say of each cell whether its size is the largest among those that are alike in everything else."""
    largest: dict[bytes, float] = {}
    for cell in cells:
        largest[_strip_size(cell)] = max(largest.get(_strip_size(cell), 0), _read_size(cell))
    return [_read_size(cell) == largest[_strip_size(cell)] for cell in cells]


def _strip_size(cell: Mapping[str, Json]) -> bytes:
    return canonicalize_row({key: value for key, value in cell.items() if key != "size"})


def _read_size(cell: Mapping[str, Json]) -> float:
    return float(str(cell.get("size") or 0))


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


def name_stratum(spec: Spec, metric: str) -> str:
    """Name what the strata of a metric are: the regime of episodes, or the columns that `by` names in the data."""
    played = get_base_name(find_measure(metric) or "") == TASK_COMPLETION.name
    return REGIME if played else " and ".join(list_columns(spec))


def list_strata(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[StratumResult]:
    """List each metric by cell and stratum, in the order of metrics, cells and names."""
    strata = []
    for metric in sort_metrics({name for row in keep_measured(rows) for name in row.metrics}):
        measure, known = identify_metric(metric)
        if measure is None or measure not in items or (known is not None and known.fixed):
            continue
        for cell, runs in group_by_cell(keep_measured(rows)):
            for stratum, inside in list_stratum_rows(cell, runs, items[measure]).items():
                if result := estimate_part(cell, metric, stratum, inside):
                    strata.append(result)
    return strata


def list_stratum_rows(cell: Mapping[str, Json], runs: Sequence[RunResult], items: Items) -> dict[str, SeedRows]:
    """List the rows of a cell by stratum and seed, in the order of the strata's names."""
    read = {run.seed: items.get(item_key(cell, run.seed), ()) for run in runs}
    names = sorted({row.stratum for rows in read.values() for row in rows if row.stratum is not None})
    kept = {seed: share_classes(rows) for seed, rows in read.items()} if names else {}
    inside = {
        name: {seed: [row for row in rows if row.stratum == name] for seed, rows in kept.items()} for name in names
    }
    return {name: {seed: rows for seed, rows in by_seed.items() if rows} for name, by_seed in inside.items()}


def estimate_part(cell: Mapping[str, Json], metric: str, stratum: str, rows: SeedRows) -> StratumResult | None:
    """Estimate a metric over the items of a stratum; None if none of them tells it."""
    scores = {seed: measured for seed, kept in rows.items() if (measured := score_rows(kept, metric)).amounts}
    if not scores and is_of_classes(get_base_name(metric)):
        return None  # not defined: what its items contribute among all says nothing about the stratum
    if not scores:
        return _summarize(cell, metric, stratum, rows)
    zero = {seed: measured._replace(amounts=dict.fromkeys(measured.amounts, 0.0)) for seed, measured in scores.items()}
    level = compare_items(scores, zero, cross_check=False)
    if level is None:
        return None
    claim = level.recipe or level.checkpoints
    low, high, _ = clip_interval(level.mean, claim.half_width, find_range(metric)) if claim else (None, None, False)
    return StratumResult(cell, metric, stratum, level.mean, low, high, level.items, level.clusters, level.seeds)


def score_rows(rows: Sequence[ItemRow], metric: str) -> Scores:
    """Read what the rows say of a metric; one of all items together is computed anew from those of the stratum."""
    name = get_base_name(metric)
    if name in POOLED:
        return pool_scores(rows, name)
    if name in OF_RETURNS:
        earning = [row for row in rows if RETURN in row.values]
        split = OF_RETURNS[name]([row.values[RETURN] for row in earning]).tolist() if earning else []
        parts = [replace(row, values={name: value}) for row, value in zip(earning, split, strict=False)]
        return read_scores(parts, metric)
    return read_scores(split_rows(rows, name) if is_of_classes(name) else rows, metric)


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
