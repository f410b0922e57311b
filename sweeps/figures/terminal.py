"""Draw a line chart in characters: values against n on a logarithmic axis, as one plain string.

A character holds 2 × 4 dots of braille. Fitted curves are dots, measured points are letters, one for each line.
"""

import math
import string
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.figures.lines import Line, Point

BRAILLE = 0x2800
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # of a character, by row and column
MARGIN = 8  # characters for the numbers beside the axis


@dataclass(frozen=True)
class Canvas:
    """Places of sizes and values on a canvas of `wide` × `tall` dots."""

    left: float
    right: float
    bottom: float
    top: float
    wide: int
    tall: int

    def x(self, n: float) -> int:
        return round(math.log(n / self.left) / math.log(self.right / self.left) * (self.wide - 1))

    def y(self, loss: float) -> int:
        return round((self.top - loss) / (self.top - self.bottom) * (self.tall - 1))


def draw_curves(lines: Sequence[Line], *, up: str = "", across: str = "", width: int = 72, height: int = 18) -> str:
    """Draw all lines in one frame of `width` × `height` characters with its axes, and the legend below.

    `up` and `across` name the axes, on lines of their own.

    Raises ValueError beyond 52 lines: there are no more letters.
    """
    if len(lines) > len(string.ascii_letters):
        raise ValueError(f"expected at most {len(string.ascii_letters)} lines in one frame, got {len(lines)}")
    drawn = [point for line in lines for point in _list_points(line)]
    if not drawn:
        return "nothing measured yet"
    frame = _frame(drawn, 2 * (width - MARGIN - 2), 4 * (height - 2))
    letters = dict(zip(string.ascii_letters.swapcase(), lines, strict=False))
    canvas = _canvas(letters, frame)
    sides = (f"{value:{MARGIN}.3f} ┤" if value else f"{'':{MARGIN}} │" for value in _ticks(frame))
    rows = [side + "".join(row).rstrip() for side, row in zip(sides, canvas, strict=True)]
    legend = textwrap.wrap(
        "Points: " + "   ".join(f"{letter}\N{NO-BREAK SPACE}{line.name}" for letter, line in letters.items()), width
    )
    above, below = [up] if up else [], [f"{across:^{width}}".rstrip()] if across else []
    return "\n".join([*above, *rows, *_foot(frame, {n for n, _ in drawn}), *below, *legend])


def _frame(points: Iterable[Point], wide: int, tall: int) -> Canvas:
    sizes, losses = zip(*points, strict=True)
    room = (max(losses) - min(losses)) * 0.03 or 0.01 * abs(max(losses)) or 1.0
    left, right = min(sizes), max(sizes)
    return Canvas(left, right if right > left else 2 * left, min(losses) - room, max(losses) + room, wide, tall)


def _canvas(letters: dict[str, Line], frame: Canvas) -> list[list[str]]:
    dots = np.zeros((frame.tall // 4, frame.wide // 2), int)
    for line in letters.values():
        for x, y in _curve(line, frame):
            dots[y // 4, x // 2] |= DOTS[y % 4, x % 2]
    canvas = [[chr(BRAILLE + bits) if bits else " " for bits in row] for row in dots.tolist()]
    for letter, line in letters.items():
        for n, loss in _list_points(line):
            canvas[frame.y(loss) // 4][frame.x(n) // 2] = letter
    return canvas


def _list_points(line: Line) -> list[Point]:
    """List the points that can be drawn: at a size above 0, and finite."""
    return [(n, value) for n, value in line.points if n > 0 and math.isfinite(value)]


def _curve(line: Line, frame: Canvas) -> list[tuple[int, int]]:
    """List the dots of the fitted curve between the smallest and the largest size that were measured."""
    sizes = [n for n, _ in _list_points(line)]
    if not line.curve or not sizes:
        return []
    at, values = zip(*line.curve, strict=True)
    n = np.geomspace(min(sizes), max(sizes), 2 * frame.wide)
    drawn = np.interp(np.log(n), np.log(at), values)
    places = ((frame.x(size), frame.y(value)) for size, value in zip(n, drawn, strict=True))
    return [(x, y) for x, y in places if 0 <= y < frame.tall]


def _ticks(frame: Canvas) -> list[float | None]:
    """Return the value at the middle of every fourth line and of the last, None for other lines."""
    rows = frame.tall // 4
    step = (frame.top - frame.bottom) / rows
    return [
        frame.top - step * (row + 0.5) if (row % 4 == 0 and row < rows - 2) or row == rows - 1 else None
        for row in range(rows)
    ]


def _foot(frame: Canvas, sizes: set[float]) -> list[str]:
    """Draw the axis with a mark at each size, and the sizes that there is room for."""
    columns = frame.wide // 2
    marks, labels = ["─"] * columns, [" "] * columns
    free = 0
    for size in sorted(sizes):
        column, label = frame.x(size) // 2, f"{size:g}"
        marks[column] = "┬"
        start = min(max(column - len(label) // 2, 0), columns - len(label))
        if start >= free:
            labels[start : start + len(label)] = label
            free = start + len(label) + 1
    return [f"{'':{MARGIN}} └{''.join(marks)}", f"{'':>{MARGIN}}  {''.join(labels)}".rstrip()]
