"""Choose the kept items that an answer needs, and list what they say training changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeps.analysis.baselines import AGAINST, Against
from sweeps.analysis.change_estimate import Change
from sweeps.analysis.changes import compare_with_baselines
from sweeps.analysis.comparison import METHOD
from sweeps.analysis.strata import list_columns
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import (
    Spec,
    describe_cell,
    find_shared_keys,
)
from sweeps.evaluation.evaluator import Metric
from sweeps.evaluation.metric_prefixes import VALIDATION, get_base_name
from sweeps.evaluation.nll import NLL
from sweeps.evaluation.registry import find_measure, identify_metric
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.formatting import format_count
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items

NEAR = 4  # cells of a grid that are compared item by item with the best: those that may be as good

ItemsBy = Mapping[str, Items]  # by measure: "answers", "source.nll"


@dataclass(frozen=True)
class CellChanges:
    """What training changed for one cell, in every metric, against one baseline."""

    cell: Mapping[str, Json]
    name: str  # the cell, as far as it differs from the others
    against: Against
    changes: tuple[Change, ...]
    largest: bool  # Is its size the largest, among cells that are alike in everything else?
    known: Mapping[str, Metric | None]  # what is known of each metric

    @property
    def title(self) -> str:
        """The comparison: rl against untrained, 3 seeds."""
        seeds = format_count(max(each.seeds for each in self.changes), "seed")
        return f"{self.name} against {self.against}, {seeds}" if self.name else f"against {self.against}, {seeds}"


class WantedItems(NamedTuple):
    """What is read for a measure: its metrics, and the runs (None: all of them)."""

    metrics: Collection[str]
    runs: Collection[ItemKey] | None = None


def choose_items(spec: Spec, rows: Sequence[RunResult]) -> dict[str, WantedItems]:
    """Choose by measure which items are read: losses only where they decide, everything else for what changed."""
    shown = sort_metrics({name for row in keep_measured(rows) for name in row.metrics})
    found: dict[str, list[str]] = {}
    for metric in shown:
        if (measure := find_measure(metric)) and not measure.startswith(VALIDATION):
            found.setdefault(measure, []).append(metric)
    by = bool(list_columns(spec))  # results by stratum are of all measures
    kept = {measure: each for measure, each in found.items() if by or not _is_loss(measure)}
    kind = get_experiment(spec.get("experiment"))
    for metric in kind.list_deciding(spec, rows) if kind else ():
        deciding = find_measure(metric)
        if deciding in found and deciding not in kept:
            kept = {str(deciding): [metric], **kept}
    runs = kind.choose_runs(spec, rows) if kind and kind.choose_runs else None
    return {measure: WantedItems(metrics, runs) for measure, metrics in kept.items()}


def select_items(items: ItemsBy, metric: str) -> Items | None:
    """Select the items that a metric is the mean of."""
    measure = find_measure(metric)
    return None if measure is None else items.get(measure)


def _is_loss(measure: str) -> bool:
    return get_base_name(measure) == NLL.name


def list_changes(rows: Sequence[RunResult], items: ItemsBy) -> tuple[CellChanges, ...]:
    """List for every trained cell, in the order of the rows, what changed besides the loss."""
    found: dict[tuple[bytes, Against], tuple[Mapping[str, Json], list[Change]]] = {}
    known: dict[str, Metric | None] = {}
    for metric in sort_metrics({name for row in keep_measured(rows) for name in row.metrics}):
        measure, known[metric] = identify_metric(metric)
        fixed = (kind := known[metric]) is not None and kind.fixed
        if measure is not None and measure in items and not fixed and not _is_loss(measure):
            for each in compare_with_baselines(rows, items[measure], metric=metric):
                found.setdefault((canonicalize_row(each.cell), each.against), (each.cell, []))[1].append(each.change)
    same = find_shared_keys([cell for cell, _ in found.values()])
    names = {key: describe_cell(cell, without=same).removeprefix(f"{METHOD}=") for key, (cell, _) in found.items()}
    largest = _find_largest([cell for cell, _ in found.values()])
    changes = {
        key: CellChanges(cell, names[key], key[1], tuple(each), _read_size(cell) == largest[_strip_size(cell)], known)
        for key, (cell, each) in found.items()
    }
    order = {key: place for place, key in enumerate(dict.fromkeys(canonicalize_row(row.cell) for row in rows))}
    return tuple(changes[key] for key in sorted(changes, key=lambda key: (order[key[0]], AGAINST.index(key[1]))))


def _find_largest(cells: Iterable[Mapping[str, Json]]) -> dict[bytes, float]:
    """Find the largest size among cells that are alike in everything else."""
    largest: dict[bytes, float] = {}
    for cell in cells:
        largest[_strip_size(cell)] = max(largest.get(_strip_size(cell), 0), _read_size(cell))
    return largest


def _strip_size(cell: Mapping[str, Json]) -> bytes:
    return canonicalize_row({key: value for key, value in cell.items() if key != "size"})


def _read_size(cell: Mapping[str, Json]) -> float:
    return float(str(cell.get("size") or 0))
