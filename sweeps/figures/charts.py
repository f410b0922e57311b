"""The charts of a report as data; `draw_svg` draws any of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.figures.bars import Row, RowPlot, draw_bars, draw_intervals
from sweeps.figures.heat import Heat, draw_heat
from sweeps.figures.lines import Line, Plot, draw_lines
from sweeps.figures.reliability_diagrams import Panels, ReliabilityDiagram, draw_reliability


@dataclass(frozen=True)
class LineChart:
    """Lines over an axis."""

    words: Plot
    lines: Sequence[Line]


@dataclass(frozen=True)
class IntervalChart:
    """Means with their intervals, one row for each."""

    words: RowPlot
    rows: Sequence[Row]


@dataclass(frozen=True)
class BarChart:
    """Amounts as bars, one row for each."""

    words: RowPlot
    rows: Sequence[Row]


@dataclass(frozen=True)
class HeatMap:
    """Signed values by row and column."""

    words: Heat


@dataclass(frozen=True)
class ReliabilityChart:
    """Reliability diagrams side by side."""

    words: Panels
    panels: Sequence[ReliabilityDiagram]


Chart = LineChart | IntervalChart | BarChart | HeatMap | ReliabilityChart


def is_point(chart: Chart) -> bool:
    """Whether a drawing would be of one point, or of lines with one point each: its table says as much."""
    match chart:
        case LineChart():
            return all(len(line.points) + len(line.curve) + (line.at_zero is not None) <= 1 for line in chart.lines)
        case IntervalChart():
            return len(chart.rows) <= 1
    return False


def draw_svg(chart: Chart, width: float, suffix: str) -> str:
    """Draw a chart as SVG of this width; the suffix keeps the ids of two drawings of one chart apart."""
    match chart:
        case LineChart():
            return draw_lines(chart.words, chart.lines, width, suffix)
        case IntervalChart():
            return draw_intervals(chart.words, chart.rows, width, suffix)
        case BarChart():
            return draw_bars(chart.words, chart.rows, width, suffix)
        case HeatMap():
            return draw_heat(chart.words, width, suffix)
        case ReliabilityChart():
            return draw_reliability(chart.words, chart.panels, width, suffix)
