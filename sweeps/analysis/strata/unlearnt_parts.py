"""Find the parts of the held-out items in which nothing was learnt, although all items together improved.

A part is a stratum, or what another evaluation or test set measures by the same metric. It is found where its change
is not clearly for the better, and clearly less than what all items gained, and than what there was to gain in it: a
part whose few items leave that open is no such part.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sweeps.analysis.change_estimate import Change
from sweeps.analysis.changes import Changed, compare_with_baselines
from sweeps.analysis.item_analysis import ItemsBy, mark_largest, name_stratum
from sweeps.analysis.targets import Spec
from sweeps.evaluation.metric_prefixes import SOURCE, VALIDATION, get_base_name
from sweeps.evaluation.registry import find_measure, find_metric
from sweeps.metrics.ranges import find_range
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, keep_measured
from sweeps.stage import Json
from sweeps.stats.intervals import ALPHA, critical_t
from sweeps.stats.paired_items import Items

UNTRAINED = "untrained"
NAMED = 5  # parts that words name
EVALUATION = "evaluation"  # the column of parts that are other evaluations, or test sets


@dataclass(frozen=True)
class UnlearntPart:
    """A part in which no condition learnt anything, with the condition that came nearest to it."""

    metric: str
    column: str  # what the parts are: what `by` names, "regime", or "evaluation"
    part: str
    parts: int  # how many parts there are, with this one
    cell: Mapping[str, Json]
    change: Change
    whole: Change  # of all items, in this condition
    fell: bool  # it is clearly worse than before, in every condition


class _Improvement(NamedTuple):
    """What improved: by which metric, which way that is better (-1: lower), and the change of each condition."""

    metric: str
    sign: float
    by_cell: Mapping[bytes, Changed]


def list_unlearnt(spec: Spec, rows: Sequence[RunResult], items: ItemsBy, metric: str) -> list[UnlearntPart]:
    """List the parts in which no condition of the largest size learnt anything, of those that improved in all items.

    There are none of a metric without a direction, and where the untrained model or the items are not known.
    """
    known, measure = find_metric(metric), find_measure(metric)
    if known is None or known.better is None or known.fixed or measure is None or measure not in items:
        return []
    done = keep_measured(rows)
    improved = _find_improvement(done, items[measure], metric, 1.0 if known.better == "higher" else -1.0)
    cells = {key for whole in improved.by_cell.values() for key in map(canonicalize_row, (whole.cell, whole.beside))}
    runs = [row for row in done if canonicalize_row(row.cell) in cells]
    if not runs:
        return []
    strata = {
        name: compare_with_baselines(runs, part, metric=metric) for name, part in _split_strata(items[measure]).items()
    }
    others = {
        name: compare_with_baselines(runs, items.get(find_measure(name) or "", {}), metric=name)
        for name in _list_evaluations(runs, metric)
    }
    column = name_stratum(spec, metric) or "stratum"
    return [*_judge_parts(column, strata, improved), *_judge_parts(EVALUATION, others, improved)]


def _find_improvement(rows: Sequence[RunResult], items: Items, metric: str, sign: float) -> _Improvement:
    changes = [
        changed for changed in compare_with_baselines(rows, items, metric=metric) if changed.against == UNTRAINED
    ]
    by_cell = {
        canonicalize_row(changed.cell): changed
        for changed, is_largest in zip(changes, mark_largest([changed.cell for changed in changes]), strict=True)
        if is_largest and changed.change.clear and sign * changed.change.mean > 0
    }
    return _Improvement(metric, sign, by_cell)


def _split_strata(items: Items) -> dict[str, Items]:
    names = sorted({row.stratum for rows in items.values() for row in rows if row.stratum is not None})
    return {name: {key: [row for row in rows if row.stratum == name] for key, rows in items.items()} for name in names}


def _list_evaluations(rows: Sequence[RunResult], metric: str) -> list[str]:
    """List what else the same metric is measured by: other evaluations, and test sets."""
    base = get_base_name(metric)
    names = dict.fromkeys(name for row in rows for name in row.metrics if get_base_name(name) == base)
    return [name for name in names if not name.startswith((SOURCE, VALIDATION)) and name != metric]


def _judge_parts(column: str, parts: Mapping[str, Sequence[Changed]], improved: _Improvement) -> Iterator[UnlearntPart]:
    """Judge each part in all conditions that improved."""
    judged = {
        part: [
            changed
            for changed in changes
            if changed.against == UNTRAINED and canonicalize_row(changed.cell) in improved.by_cell
        ]
        for part, changes in parts.items()
    }
    known = {part: changes for part, changes in judged.items() if changes}
    for part, changes in known.items():
        pairs = [(changed.change, improved.by_cell[canonicalize_row(changed.cell)].change) for changed in changes]
        if all(_is_unlearnt(change, whole, improved, len(known)) for change, whole in pairs):
            best = max(range(len(pairs)), key=lambda place: improved.sign * pairs[place][0].mean)
            fell = all(change.clear and improved.sign * change.mean < 0 for change, _ in pairs)
            yield UnlearntPart(improved.metric, column, part, len(known), changes[best].cell, *pairs[best], fell)


def _is_unlearnt(change: Change, whole: Change, improved: _Improvement, parts: int) -> bool:
    """Whether a part gained nothing, and clearly less than all items did and than it could.

    Its interval is made wider for so many parts (Bonferroni): the least lucky of many equal parts is none of them.
    """
    sign = improved.sign
    if change.clusters < 2 or (change.clear and sign * change.mean > 0):
        return False
    gain, most = sign * change.mean, max(sign * change.low, sign * change.high)
    freedom = change.clusters - 1
    wider = critical_t(freedom, ALPHA / parts) / critical_t(freedom)
    room = sign * (find_range(improved.metric)[sign > 0] - change.before)
    return gain + wider * (most - gain) < min(sign * whole.mean, room)


def describe_unlearnt(parts: Sequence[UnlearntPart]) -> str:
    """Describe parts of one column, of which all fell or none: "no clear gain in 2 of 10 values of rule: has_key"."""
    first, names = parts[0], [part.part for part in parts]
    kind = "other evaluations" if first.column == EVALUATION else f"values of {first.column}"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    what = "clearly worse" if first.fell else "no clear gain"
    if first.column == EVALUATION and first.parts == 1:
        return f"{what}: {first.part}"
    return f"{what} in {len(parts)} of {first.parts} {kind}: {', '.join(names[:NAMED])}{more}"
