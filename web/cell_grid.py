"""Lay out the cells of a sweep as grids: one axis down, one across, and a grid for each value of the others. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.formatting import format_cell

MOST = 1200  # cells on a page
SHADES = 5  # of a value, from the least to the most

Cell = Mapping[str, Any]  # as `views.read_cells` has it


@dataclass(frozen=True)
class ShownCell:
    """One cell: how many of its runs are measured by the metric, and their mean."""

    number: int  # its place in the plan
    measured: int
    runs: int
    mean: float | None
    deviation: float | None  # over the seeds
    shade: int = 0

    @property
    def fill(self) -> str:
        """How far it is: none, part or full."""
        return "none" if not self.measured else "full" if self.measured >= self.runs else "part"


@dataclass(frozen=True)
class CellGrid:
    """The cells that differ in two keys only."""

    title: str  # what the others are
    down: str
    across: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[ShownCell | None, ...]], ...]


@dataclass(frozen=True)
class GridPage:
    """Some grids of a sweep, and where the next ones begin."""

    grids: tuple[CellGrid, ...]
    cells: int  # of the whole sweep
    following: int | None  # the number of the first grid of the next page


@dataclass(frozen=True)
class GridPlan:
    """Which cells stand in which grid. It depends on the plan alone, and is made once."""

    down: str
    across: str
    grids: tuple[tuple[str, tuple[int, ...]], ...]  # the title, and the numbers of the cells


def plan_grids(coordinates: Sequence[Mapping[str, Any]]) -> GridPlan:
    """Divide cells, given by what they are, into grids."""
    down, across, others = _choose_axes(coordinates)
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, cell in enumerate(coordinates):
        groups.setdefault(tuple(_name(name, cell) for name in others), []).append(number)
    titles = [", ".join(f"{name} {value}" for name, value in zip(others, key, strict=True)) for key in groups]
    return GridPlan(down, across, tuple(zip(titles, map(tuple, groups.values()), strict=True)))


def lay_out_cells(plan: GridPlan, cells: Sequence[Cell], metric: str, *, first: int = 0, most: int = MOST) -> GridPage:
    """Lay out the grids from number `first` on, as many as a page has room for: `most` cells."""
    limits = _find_limits(cells, metric)
    grids: list[CellGrid] = []
    room = most
    for place, (title, numbers) in enumerate(plan.grids[first:], first):
        if grids and len(numbers) > room:
            return GridPage(tuple(grids), len(cells), place)
        made = [(_make_cell(number, cells[number], metric, limits), cells[number]["cell"]) for number in numbers[:most]]
        grids.append(_make_grid(title, plan.down, plan.across, made))
        room -= len(numbers)
    return GridPage(tuple(grids), len(cells), None)


def _choose_axes(coordinates: Sequence[Mapping[str, Any]]) -> tuple[str, str, list[str]]:
    """Choose what runs across (numbers, where there are any), what runs down, and the rest."""
    values: dict[str, dict[str, Any]] = {}
    for cell in coordinates:
        for name, value in cell.items():
            values.setdefault(name, {})[_name(name, cell)] = value
    varied = [name for name, known in values.items() if len(known) > 1]
    if not varied:
        return "", next(iter(values), ""), []
    numeric = [name for name in varied if all(isinstance(value, int | float) for value in values[name].values())]
    across = max(numeric or varied, key=lambda name: len(values[name]))
    rest = [name for name in varied if name != across]
    down = max(rest, key=lambda name: len(values[name]), default="")
    return down, across, [name for name in rest if name != down]


def _make_grid(title: str, down: str, across: str, members: Sequence[tuple[ShownCell, Mapping[str, Any]]]) -> CellGrid:
    places = {(_name(down, cell) if down else "", _name(across, cell)): made for made, cell in members}
    columns = {_name(across, cell): cell.get(across) for _, cell in members}
    rows = dict.fromkeys(row for row, _ in places)
    ordered = sorted(columns, key=lambda name: _order(columns[name]))
    lines = tuple((row, tuple(places.get((row, column)) for column in ordered)) for row in rows)
    return CellGrid(title, down, across, tuple(ordered), lines)


def _order(value: Any) -> tuple[bool, float]:
    is_number = isinstance(value, int | float)
    return not is_number, float(value) if is_number else 0.0


def _make_cell(number: int, cell: Cell, metric: str, limits: tuple[float, float]) -> ShownCell:
    known = cell["metrics"].get(metric)
    if known is None:
        return ShownCell(number, 0, cell["runs"], None, None)
    low, high = limits
    share = (known["mean"] - low) / (high - low) if high > low else 0.5
    deviation = None if known["variance"] is None else known["variance"] ** 0.5
    shade = min(SHADES - 1, max(0, int(share * SHADES)))
    return ShownCell(number, int(known["count"]), cell["runs"], known["mean"], deviation, shade)


def _find_limits(cells: Sequence[Cell], metric: str) -> tuple[float, float]:
    means = [cell["metrics"][metric]["mean"] for cell in cells if metric in cell["metrics"]]
    return (min(means), max(means)) if means else (0.0, 0.0)


def _name(key: str, cell: Mapping[str, Any]) -> str:
    """Name a cell's value of an axis; the untrained model has none of a training's."""
    return format_cell(key, cell[key]) if key in cell else "untrained" if cell.get("untrained") else ""
