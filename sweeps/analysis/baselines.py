"""Name the baselines of a trained cell: what its training is compared with."""

from collections.abc import Iterator, Mapping
from typing import Literal

from sweeps.analysis.untrained_cells import is_untrained, name_untrained
from sweeps.evaluation.metric_prefixes import SOURCE
from sweeps.stage import Json

Against = Literal["untrained", "source alone", "target alone"]
AGAINST: tuple[Against, ...] = ("untrained", "target alone", "source alone")  # in the order in which they are told


def list_baselines(cell: Mapping[str, Json], metric: str) -> Iterator[tuple[Against, Mapping[str, Json]]]:
    """List the baselines of a trained cell, the most informative first; none for an untrained one."""
    if "method" in cell:
        if cell["method"] is not None:
            yield "untrained", {**cell, "method": None}
    elif metric.startswith(SOURCE):
        if cell.get("source") is not None and cell.get("size"):
            yield "source alone", {**cell, "size": 0}
    elif cell.get("size") or cell.get("source") is not None:
        source = {"source": None} if "source" in cell else {}
        yield "untrained", {**cell, **source, "size": 0}
        if cell.get("size") and cell.get("source") is not None:
            yield "target alone", {**cell, **source}
    elif "size" not in cell and not is_untrained(cell):  # of a grid
        yield "untrained", name_untrained(cell)
