"""A part of the runs, and the cells by an index of the plan, are what reading all gives; also of an archive."""

import pytest

from scheduler.errors import UnknownSweep
from scheduler.state import keys, views
from scheduler.state.keeping.archive import build_archive
from scheduler.state.runs.planned_part import (
    count_runs,
    read_indexed_cells,
    read_part,
    read_part_results,
    read_plan_index,
)
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling


def lay_sweep(night: Night) -> None:
    """Two sizes of three are measured, by two metrics, and one stage has failed."""
    night.submit(scaling("s", [8, 16, 32]))
    night.do("evaluate-base", "s", {"nll": 3.0})
    for size in (8, 16):
        for seed in range(2):
            night.do(f"train-n{size}s{seed}", "s")
            night.do(f"evaluate-n{size}s{seed}", "s", {"nll": 2.0 - size / 16, "accuracy": seed / 2})
    night.fail(night.start("train-n32s0", "s"))
    night.spread()


@pytest.mark.parametrize("is_archived", [False, True])
def test_a_part_is_a_part_of_the_whole(night: Night, is_archived: bool) -> None:
    lay_sweep(night)
    if is_archived:
        night.store.client.set(keys.sweep_archive("s"), build_archive(night.store, "s"))
        night.store.client.delete(keys.sweep_runs("s"), keys.sweep_values("s"), keys.sweep_cells("s"))
    rows, results = views.read_planned_rows(night.store, "s"), views.read_results(night.store, "s")
    assert count_runs(night.store, "s") == len(rows)
    for start in range(len(rows)):
        numbers = range(start, min(len(rows), start + 2))
        part = read_part(night.store, "s", numbers)
        assert part == rows[start : start + 2]
        assert read_part_results(night.store, "s", part) == results[start : start + 2]
    assert read_part(night.store, "s", [len(rows)]) == []
    index = read_plan_index(night.store, "s")
    assert read_indexed_cells(night.store, "s", index) == views.read_cells(night.store, "s")
    for cell in range(len(index.cells)):
        assert index.list_runs(cell) == [row["run"] for row in rows if row["number"] == cell]


def test_an_unknown_sweep_has_no_runs(night: Night) -> None:
    with pytest.raises(UnknownSweep):
        count_runs(night.store, "nowhere")
