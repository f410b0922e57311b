"""Rows of a sweep as Redis keeps them, and which stage feeds which row."""

from collections.abc import Iterable, Mapping

from scheduler.state.keeping.packing import pack
from sweeps.identity import fingerprint
from sweeps.stage import Json, Run

NumberedRun = tuple[int, Run]


class CellNumbers:
    """Short numbers for distinct cells, in order of appearance."""

    def __init__(self, before: Iterable[Mapping[str, Json]] = ()) -> None:
        """`before`: the cells that have a number already, in order."""
        self._numbers: dict[str, int] = {}
        for cell in before:
            self._assign(cell)

    def assign(self, run: Run) -> int:
        return self._assign(run.cell)

    def _assign(self, cell: Mapping[str, Json]) -> int:
        return self._numbers.setdefault(fingerprint(cell), len(self._numbers))


def make_row(cells: CellNumbers, number: int, run: Run) -> str:
    """Make the row of a run, packed."""
    return pack(
        {
            "run": number,
            "number": cells.assign(run),
            "cell": dict(run.cell),
            "seed": run.seed,
            "stage": run.stage,
            "before": list(run.before),
            "measures": dict(run.measures),
        }
    )


def map_feeds(runs: Iterable[NumberedRun], cells: CellNumbers) -> dict[str, list[list[Json]]]:
    """Map each stage to [run, cell, prefix of its metrics]; `source.nll` has the prefix `source.`."""
    feeds: dict[str, list[list[Json]]] = {}
    for number, run in runs:
        for measure, stage in run.measures.items():
            prefix = measure[: measure.rfind(".") + 1]
            feeds.setdefault(stage, []).append([number, cells.assign(run), prefix])
    return feeds
