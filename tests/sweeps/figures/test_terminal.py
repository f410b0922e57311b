"""A plot is a plain string that fits its frame and puts every point where its numbers say."""

import math

import numpy as np
import pytest

from sweeps.figures.lines import Line
from sweeps.figures.terminal import draw_curves

SIZES = np.geomspace(32, 8192, 9).tolist()


POINTS = [(size, 1.2 + 3 * size**-0.3) for size in SIZES]
CODE = Line("code", POINTS, curve=POINTS)


@pytest.mark.parametrize(("width", "height"), [(40, 8), (72, 18), (100, 30)])
def test_a_plot_fits_its_frame(width: int, height: int) -> None:
    lines = draw_curves([CODE, Line("flat", [(size, 2.0) for size in SIZES])], width=width, height=height).splitlines()
    assert len(lines) == height + 1
    assert max(map(len, lines)) <= width
    assert "A\N{NO-BREAK SPACE}code   B\N{NO-BREAK SPACE}flat" in lines[-1]


def test_every_point_is_drawn_from_left_to_right_and_downwards() -> None:
    canvas = draw_curves([CODE]).splitlines()[:-3]
    places = [(line.index(letter), row) for row, line in enumerate(canvas) for letter in line if letter == "A"]
    marked = {(column, row) for row, line in enumerate(canvas) for column, letter in enumerate(line) if letter == "A"}
    assert len(marked) == len(SIZES)
    assert [row for _, row in sorted(marked)] == sorted(row for _, row in places)


def test_sizes_stand_below_their_points() -> None:
    *_, marks, sizes, _ = draw_curves([CODE]).splitlines()
    assert marks.count("┬") == len(SIZES)
    for size in ("32", "512", "8192"):
        assert "┬" in marks[sizes.index(size) : sizes.index(size) + len(size)]


def test_zero_shot_and_diverged_points_are_left_out() -> None:
    more = [(0.0, 9.0), *POINTS, (64.0, math.nan)]
    assert draw_curves([Line("code", more, curve=POINTS)]) == draw_curves([CODE])


def test_one_point_and_no_point_are_no_error() -> None:
    assert "A" in draw_curves([Line("one", [(32, 2.0)], curve=POINTS)])
    assert draw_curves([]) == draw_curves([Line("none")]) == "nothing measured yet"


def test_too_many_series_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 52"):
        draw_curves([CODE] * 53)
