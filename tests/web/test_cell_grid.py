"""Every cell is on exactly one page of grids, where its coordinates say."""

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from web.cell_grid import ShownCell, lay_out_cells, plan_grids


def make_cells(sizes: int, names: int, rates: int) -> list[dict[str, Any]]:
    """Cells of a plan, each with its place as its mean."""
    places = product(range(rates), range(names), range(sizes))
    cells = [{"lr": rate / 8, "data": f"d{name}", "size": 2**size} for rate, name, size in places]
    moments = [{"count": 2, "mean": float(place), "variance": 0.0} for place in range(len(cells))]
    return [{"cell": cell, "runs": 3, "metrics": {"nll": moment}} for cell, moment in zip(cells, moments, strict=True)]


MOST = 30


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5))
def test_each_cell_is_on_one_page_at_its_place(sizes: int, names: int, rates: int) -> None:
    cells = make_cells(sizes, names, rates)
    plan = plan_grids([cell["cell"] for cell in cells])
    seen: list[int] = []
    first: int | None = 0
    while first is not None:
        page = lay_out_cells(plan, cells, "nll", first=first, most=MOST)
        assert page.cells == len(cells)
        shown = [cell for grid in page.grids for _, row in grid.rows for cell in row if cell is not None]
        assert len(shown) <= MOST
        assert [cell.mean for cell in shown] == [float(cell.number) for cell in shown]
        seen += [cell.number for cell in shown]
        for grid in page.grids:
            assert_coordinates(cells, grid.down, grid.across, grid.columns, grid.rows)
        first = page.following
    assert sorted(seen) == [*range(len(cells))]


def assert_coordinates(cells: Any, down: str, across: str, columns: Any, rows: Any) -> None:
    for name, row in rows:
        for column, cell in zip(columns, row, strict=True):
            if isinstance(cell, ShownCell):
                coordinates = cells[cell.number]["cell"]
                assert str(coordinates.get(across, "")) == column or f"{coordinates[across]:.12g}" == column
                assert not down or f"{coordinates[down]}" == name or f"{coordinates[down]:.12g}" == name


def test_a_cell_says_how_many_of_its_runs_are_measured() -> None:
    cells = make_cells(2, 1, 1)
    cells[0]["metrics"] = {}
    ((_, (empty, part)),) = lay_out_cells(plan_grids([cell["cell"] for cell in cells]), cells, "nll").grids[0].rows
    assert empty is not None
    assert part is not None
    assert (empty.fill, empty.mean, empty.measured, part.fill, part.measured, part.runs) == (
        "none",
        None,
        0,
        "part",
        2,
        3,
    )


def test_one_axis_is_one_row_and_the_untrained_model_is_its_last_column() -> None:
    coordinates: list[dict[str, Any]] = [{"untrained": True}, {"rate": 0.1}, {"rate": 0.02}]
    cells = [{"cell": cell, "runs": 1, "metrics": {}} for cell in coordinates]
    page = lay_out_cells(plan_grids(coordinates), cells, "nll")
    (grid,) = page.grids
    assert grid.columns == ("0.02", "0.1", "untrained")
    ((_, row),) = grid.rows
    assert [cell.number for cell in row if cell] == [2, 1, 0]
