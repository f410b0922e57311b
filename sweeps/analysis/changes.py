"""Compare every trained cell with its baselines, and judge the cells of one family together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sweeps.analysis.baselines import Against, list_baselines
from sweeps.analysis.change_estimate import Change, Side, change
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.intervals import holm
from sweeps.stats.paired_items import Items, Key, item_key


@dataclass(frozen=True)
class Changed:
    """One trained cell of a sweep, and the baseline it is compared with."""

    cell: Mapping[str, Json]
    beside: Mapping[str, Json]
    against: Against
    change: Change


class _CellItems(NamedTuple):
    """A cell with the number of its runs, and the rows of those that have some."""

    cell: Mapping[str, Json]
    runs: int
    rows: Side


def compare_with_baselines(
    results: Sequence[RunResult], items: Items, *, metric: str, reference: str | None = None
) -> tuple[Changed, ...]:
    """Compare every trained cell with its baseline in the same experiment, in the order of the results.

    A method beside the one that the comparison is against (`reference`), and the untrained model; a size beside size 0;
    in transfer, on the target, beside the zero-shot cell and the target alone, and on the source (a metric that begins
    with "source.") beside the source alone: forgetting. The cell of a grid beside its base model. `items` has, for
    `item_key(run.cell, run.seed)`, the rows of the evaluation that the metric is of. One run before counts for all
    seeds; several count for their own, even if some are lost. Cells against the same are one family for Holm.
    """
    cells: dict[bytes, _CellItems] = {}
    for cell, runs in group_by_cell(results):
        kept = {run.seed: rows for run in keep_measured(runs) if (rows := items.get(item_key(run.cell, run.seed)))}
        cells[canonicalize_row(cell)] = _CellItems(cell, len(runs), kept)
    changes: dict[tuple[Against, bytes], Changed] = {}
    for key, (cell, _, after) in cells.items():
        for against, beside in list_baselines(cell, metric, reference):
            if (base := cells.get(canonicalize_row(beside))) is None:
                continue
            shared = base.rows.keys() & after.keys() if base.runs > 1 else None
            was, now = ({seed: rows for seed, rows in side.items() if shared is None or seed in shared}
                        for side in (base.rows, after))  # fmt: skip
            if estimate := change(was, now, metric=metric):
                changes[against, key] = Changed(cell, beside, against, estimate)
    families = {
        against: {key: changed.change for key, changed in changes.items() if key[0] == against}
        for against, _ in changes
    }
    judged = {key: change for family in families.values() for key, change in judge_together(family).items()}
    return tuple(replace(changed, change=judged[key]) for key, changed in changes.items())


def judge_together(changes: Mapping[Key, Change]) -> dict[Key, Change]:
    """Mark the changes that are clear when all of them are judged together (Holm)."""
    stands = holm({key: change.p for key, change in changes.items()})
    return {key: replace(change, after_holm=change.clear and key in stands) for key, change in changes.items()}
