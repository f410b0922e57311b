"""Which kept items an answer needs, and what they say a training changed: for the terminal and the page alike."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweeps.analysis.changes import Against, Change, compare_with_baselines
from sweeps.analysis.comparison import METHOD
from sweeps.analysis.grid import best_cell
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import (
    Spec,
    choose_best,
    describe_cell,
    find_metric,
    find_shared_keys,
    list_compared,
    split_variants,
)
from sweeps.formatting import format_count, format_interval
from sweeps.metrics.ranges import bounded, difference_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, keep_measured
from sweeps.spec.metric_names import find_measure
from sweeps.stage import Json
from sweeps.stats.intervals import Estimate
from sweeps.stats.paired_items import Claim, ItemDifference, ItemKey, Items, item_key

OF_ITEMS = {"chance"}  # what is said of the items alone, and no training changes
NEAR = 4  # cells of a grid that are compared item by item with the best: those that may be as good

ItemsBy = Mapping[str, Items]  # by measure: "answers", "source.nll"
NO_ITEMS: ItemsBy = {}


@dataclass(frozen=True)
class CellChanges:
    """What the training of one cell changed in everything that was measured of it, against the same."""

    cell: Mapping[str, Json]
    name: str  # the cell, as far as it differs from the others
    against: Against
    changes: tuple[Change, ...]


class WantedItems(NamedTuple):
    """Of a measure: what is asked of each row, and of which runs; None: of all."""

    metrics: Collection[str]
    runs: Collection[ItemKey] | None = None


def choose_items(spec: Spec, rows: Sequence[RunResult]) -> dict[str, WantedItems]:
    """By measure. Losses are asked item by item only where they decide: of all else, what training changed."""
    shown = sort_metrics({name for row in keep_measured(rows) for name in row.metrics})
    found: dict[str, list[str]] = {}
    for metric in shown:
        if (measure := find_measure(metric)) and not measure.startswith("validation."):
            found.setdefault(measure, []).append(metric)
    kept = {measure: each for measure, each in found.items() if not _of_loss(measure)}
    for decides in _decide(spec, rows):
        deciding = find_measure(decides)
        if deciding in found and deciding not in kept:
            kept = {str(deciding): [decides], **kept}
    runs = _near(spec, rows) if spec.get("experiment") == "grid" else None
    return {measure: WantedItems(metrics, runs) for measure, metrics in kept.items()}


def _decide(spec: Spec, rows: Sequence[RunResult]) -> list[str]:
    """The metrics that the answer is drawn from, if their items say more than their means; else none."""
    match spec.get("experiment"):
        case "grid":
            return [choose_best(spec).metric.removeprefix("validation.")]
        case "compare":
            return [best.metric for best in list_compared(spec, rows)]
        case "data_scaling" if spec.get("target"):
            return [find_metric(spec)]
    return []


def select_items(items: ItemsBy, metric: str) -> Items | None:
    """Those that a metric is made of."""
    measure = find_measure(metric)
    return None if measure is None else items.get(measure)


def _of_loss(measure: str) -> bool:
    return measure.rpartition(".")[2] == "nll"


def _near(spec: Spec, rows: Sequence[RunResult]) -> set[ItemKey]:
    """The runs of the best cell on each data set, and of those next to it."""
    best = choose_best(spec)
    others = {key for row in rows for key in row.cell} - {"data"}
    near: set[bytes] = set()
    for _, group in split_variants(rows, others):
        found = best_cell(group, metric=best.metric.removeprefix("validation."), mode=best.mode)
        near |= {canonicalize_row(each.cell) for each in (found.best, *found.alike[:NEAR]) if each}
    return {key for row in rows if (key := item_key(row.cell, row.seed))[0] in near}


def list_changes(rows: Sequence[RunResult], items: ItemsBy) -> tuple[CellChanges, ...]:
    """Of every trained cell, in the order of the rows, what there is beside the loss."""
    found: dict[tuple[bytes, Against], tuple[Mapping[str, Json], list[Change]]] = {}
    for metric in sort_metrics({name for row in keep_measured(rows) for name in row.metrics}):
        measure = None if metric.rpartition(".")[2] in OF_ITEMS else find_measure(metric)
        if measure is not None and measure in items and not _of_loss(measure):
            for each in compare_with_baselines(rows, items[measure], metric=metric):
                found.setdefault((canonicalize_row(each.cell), each.against), (each.cell, []))[1].append(each.change)
    same = find_shared_keys([cell for cell, _ in found.values()])
    told = {key: CellChanges(cell, _name(cell, same), key[1], tuple(each)) for key, (cell, each) in found.items()}
    order = {key: place for place, key in enumerate(dict.fromkeys(canonicalize_row(row.cell) for row in rows))}
    return tuple(told[key] for key in sorted(told, key=lambda key: (order[key[0]], AGAINST.index(key[1]))))


def _name(cell: Mapping[str, Json], same: Collection[str]) -> str:
    return describe_cell(cell, without=same).removeprefix(f"{METHOD}=")


AGAINST: tuple[Against, ...] = ("untrained", "target alone", "source alone")


def select_largest(told: Sequence[CellChanges]) -> list[CellChanges]:
    """Those of the largest size, of cells that are alike in all else."""
    largest: dict[bytes, float] = {}
    for each in told:
        largest[_rest(each)] = max(largest.get(_rest(each), 0), _size(each))
    return [each for each in told if _size(each) == largest[_rest(each)]]


def _rest(told: CellChanges) -> bytes:
    return canonicalize_row({key: value for key, value in told.cell.items() if key != "size"})


def _size(told: CellChanges) -> float:
    return float(str(told.cell.get("size") or 0))


def describe_comparison(told: CellChanges) -> str:
    """rl against untrained, 3 seeds."""
    what = f"{told.name} " if told.name else ""
    return f"{what}against {told.against}, {format_count(max(each.seeds for each in told.changes), 'seed')}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def change_row(one: Change) -> dict[str, Any]:
    """One line of the table of what changed."""
    return {
        "metric": one.metric,
        "before": f"{one.before:.3f}",
        "after": f"{one.after:.3f}",
        "change": f"{one.mean:+.3f}",
        "95 % interval": f"{one.low:+.3f} to {one.high:+.3f}" if math.isfinite(one.low) else "unknown",
        "clear": "of all" if one.after_holm else "yes" if one.clear else "no",
        "items": one.items,
    }


def describe_context(told: Sequence[CellChanges]) -> Iterator[str]:
    """What became of the worth of context, in words: the change of the uplift is a difference in differences."""
    for each in told:
        for one in each.changes:
            if one.metric.rpartition(".")[2] == "uplift":
                yield f"{each.name}: {_worth(one, each.against)}" if each.name else _worth(one, each.against)


def _worth(one: Change, against: Against) -> str:
    reach, known = max(one.high - one.mean, one.mean - one.low), math.isfinite(one.low)
    found = Estimate(one.mean, reach if known else None, one.seeds, difference_range(one.metric))
    change = format_interval(found, 2, signed=True, sign=" ± ")
    said = "fine-tuning changed what context is worth by" if one.clear else "no clear change of what context is worth:"
    sides = f"uplift {one.before:.2f} → {one.after:.2f}"
    return f"{said} {change} ({sides}, against {against}: a difference in differences)"


def difference_rows(found: Mapping[str, ItemDifference], what: str) -> list[dict[str, Any]]:
    """A table of differences item by item; `*`: clear when all pairs are judged together (Holm).

    How many items and seeds they are over is a column only where they are not over as many.
    """
    alike = len({_over(each) for each in found.values()}) == 1
    return [
        {what: name, **_difference(each), **({} if alike else {"over": _over(each)})} for name, each in found.items()
    ]


def over_as_many(found: Mapping[str, ItemDifference]) -> str:
    """item by item (60 items, 3 seeds)."""
    said = {_over(each) for each in found.values()}
    return f"item by item ({said.pop()})" if len(said) == 1 else "item by item"


def _over(found: ItemDifference) -> str:
    left = f" of {found.items + found.left_out:,}" if found.left_out else ""
    clusters = f" in {format_count(found.clusters, 'cluster')}" if found.clusters < found.items else ""
    items = f"{found.items:,}{left} items" if left else format_count(found.items, "item")
    return f"{items}{clusters}, {format_count(found.seeds, 'seed')}"


def _reach(found: ItemDifference, claim: Claim) -> str:
    """Half the interval; where that goes beyond what can be, both of its ends."""
    low, high, cut = bounded(found.mean, claim.half_width, found.span)
    return f"{low:+.4f} to {high:+.4f}" if cut else f"±{claim.half_width:.4f}"


def _difference(found: ItemDifference) -> dict[str, Any]:
    sure = found.checkpoints, found.recipe
    checkpoints, recipe = ("-" if one is None else f"{_reach(found, one)}{'*' * one.after_holm}" for one in sure)
    clear = found.checkpoints is not None and abs(found.mean) > found.checkpoints.half_width
    return {
        "difference": f"{found.mean:+.4f}",
        "checkpoints": checkpoints,
        "recipe": recipe,
        "McNemar": "-" if found.mcnemar is None else f"{_p(found.mcnemar)}{'*' * found.mcnemar_after_holm}",
        "needed": None if clear else found.needed_items,
    }
