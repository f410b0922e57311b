"""Read a part of a sweep's runs and its cells, for who looks at a few of very many. This module writes nothing.

The runs of a plan have the numbers from 0 on, and its cells, too, in the order in which they first appear.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.state import keys, views
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import unpack
from scheduler.state.pages import read_in_pages
from scheduler.state.store import Store
from sweeps.results import RunResult
from sweeps.stage import Json

CHUNK = 2000  # rows that are read at once


@dataclass(frozen=True)
class PlanIndex:
    """The cells of a plan, and which cell each run is of. It never changes, and is a fraction of the plan."""

    cells: Sequence[Mapping[str, Json]]
    cell_of_run: "array[int]"

    def list_runs(self, cell: int) -> list[int]:
        """List the numbers of the runs of a cell."""
        return [run for run, number in enumerate(self.cell_of_run) if number == cell]


def count_runs(store: Store, name: str) -> int:
    """Count the runs of a sweep. Raise UnknownSweep."""
    count = open_archive(store, name).client.hlen(keys.sweep_runs(name))
    if not count:
        views.read_sweep(store, name)  # it may be opening
    return count


def read_part(store: Store, name: str, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Read the planned rows with these numbers, as `views.read_planned_rows` has them; a number of no run has none."""
    store = open_archive(store, name)
    texts = store.client.hmget(keys.sweep_runs(name), [str(number) for number in numbers]) if numbers else []
    return [unpack(text) for text in texts if text is not None]


def read_part_results(store: Store, name: str, rows: Sequence[Mapping[str, Any]]) -> list[RunResult]:
    """Read the results of these planned rows, and nothing of the others."""
    opened = open_archive(store, name)
    if opened is not store:  # all of it was unpacked
        return views.read_planned_results(opened, name, rows)
    stages = {stage.id: stage for stage in views.read_stage_views(store, _list_stages(rows))}
    values = _read_values(store, name, rows)
    return [views.make_result(row, stages, values.get(str(row["run"]), {})) for row in rows]


def _list_stages(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(stage for row in rows for stage in views.list_row_stages(row)))


def _read_values(store: Store, name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Read the values of these rows: run -> metric -> value. The evaluations' own results tell which there may be."""
    evaluations: list[str] = list(dict.fromkeys(str(stage) for row in rows for stage in row["measures"].values()))
    texts = read_in_pages(store.client, evaluations, lambda pipe, stage: pipe.hget(keys.stage(stage), "metrics"))
    metrics = {stage: unpack(text) for stage, text in texts}
    fields = [
        f"{row['run']}|{measure[: measure.rfind('.') + 1]}{metric}"
        for row in rows
        for measure, stage in row["measures"].items()
        for metric in metrics[str(stage)]
    ]
    values = store.client.hmget(keys.sweep_values(name), fields) if fields else []
    return views.group_values(dict(zip(fields, values, strict=True)))


def read_plan_index(store: Store, name: str) -> PlanIndex:
    """Read the plan once, and keep its cells. Raises UnknownSweep."""
    store, count = open_archive(store, name), count_runs(store, name)
    cells, cell_of_run = list[Mapping[str, Json]](), array("L")
    for start in range(0, count, CHUNK):
        for row in read_part(store, name, range(start, min(count, start + CHUNK))):
            cell_of_run.append(int(row["number"]))
            if row["number"] == len(cells):
                cells.append(row["cell"])
    return PlanIndex(cells, cell_of_run)


def read_indexed_cells(store: Store, name: str, index: PlanIndex) -> list[dict[str, Any]]:
    """Read the cells as `views.read_cells` does, of a plan whose index is known."""
    runs = Counter(index.cell_of_run)
    cells = {
        str(number): {"cell": cell, "runs": runs[number], "metrics": {}} for number, cell in enumerate(index.cells)
    }
    return views.add_aggregates(open_archive(store, name), name, cells)
