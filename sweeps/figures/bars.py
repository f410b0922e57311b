"""Draw one row for each thing: means with their intervals, or amounts as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from sweeps.figures.scales import Scale, choose_ticks, shorten, span_values
from sweeps.figures.svg import fit_text, label, mark, measure_text, tag, wrap_svg

LINE = 40  # pixels of a row: its name above, its mark below
SIDE = 10


@dataclass(frozen=True)
class Row:
    """A value with its interval; `value` is None where nothing is known, and `said` says so."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    said: str = ""
    clear: bool = True  # a hollow mark where it is not
    kind: int = 0


@dataclass(frozen=True)
class RowPlot:
    """The words of the figure; `zero` draws a line between the two signs, `least` is the least reach of the axis."""

    name: str
    title: str
    description: str
    across: str
    zero: bool = False
    least: float = 0.0  # the axis reaches so far to both sides of 0, that what is nothing does not look large


def draw_intervals(plot: RowPlot, rows: Sequence[Row], width: float, suffix: str) -> str:
    """Draw a mark for each mean and a line for its interval."""
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    x = span_values(
        [*ends, *([-plot.least, 0.0, plot.least] if plot.zero else [])], SIDE + 4, width - SIDE - 4, margin=0.04
    )
    body = [_grid(x, plot, 8 + len(rows) * LINE)]
    for place, row in enumerate(rows):
        middle = 8 + place * LINE + 28
        body.append(_words(row, middle - 13, width))
        if row.value is not None:
            body.append(_interval(row, x, middle))
    return _whole(plot, body, len(rows), width, suffix)


def draw_bars(plot: RowPlot, rows: Sequence[Row], width: float, suffix: str) -> str:
    """Draw a bar for each amount, with a bracket from its low to its high estimate."""
    ends = [end for row in rows for end in (row.value, row.high) if end is not None]
    x = Scale(0, (max(ends, default=0) or 1) * 1.04, SIDE + 4, width - SIDE - 4)
    body = [_grid(x, plot, 8 + len(rows) * LINE)]
    for place, row in enumerate(rows):
        top = 8 + place * LINE + 22
        body.append(_words(row, top - 7, width))
        long = x(row.value or 0) - x.start
        body.append(tag("rect", x=x.start, y=top, width=max(long, 0.5), height=12, rx=2, class_=f"s{row.kind % 8} bar"))
        if row.low is not None and row.high is not None:
            body.append(_bracket(x(row.low), x(row.high), top + 6))
    return _whole(plot, body, len(rows), width, suffix)


def _whole(plot: RowPlot, body: Sequence[str], count: int, width: float, suffix: str) -> str:
    height = 8 + count * LINE + 44
    return wrap_svg(f"{plot.name}-{suffix}", plot.title, plot.description, "".join(body), width=width, height=height)


def _grid(x: Scale, plot: RowPlot, floor: float) -> str:
    marks = choose_ticks(x, max(2, int((x.end - x.start) / 90)))
    drawn = [tag("line", x1=x(value), x2=x(value), y1=6, y2=floor, class_="grid") for value in marks]
    free = float("-inf")
    for value in marks:
        text = shorten(value)
        half = measure_text(text) / 2
        place = min(max(x(value), x.start - SIDE + half), x.end + SIDE - half)
        if place - half >= free:
            drawn.append(label(place, floor + 16, text, text_anchor="middle", class_="tick"))
            free = place + half + 6
    if plot.zero:
        drawn.append(tag("line", x1=x(0), x2=x(0), y1=6, y2=floor, class_="axis"))
    drawn.append(label((x.start + x.end) / 2, floor + 34, plot.across, text_anchor="middle", class_="name"))
    return "".join(drawn)


def _words(row: Row, y: float, width: float) -> str:
    words = label(width - SIDE, y, row.said, text_anchor="end", class_="told")
    room = width - 2 * SIDE - measure_text(row.said) - 8
    return label(SIDE, y, fit_text(row.name, room), class_="ink halo") + words


def _interval(row: Row, x: Scale, middle: float) -> str:
    assert row.value is not None
    shape, drawn = f"s{row.kind % 8}", ""
    if row.low is not None and row.high is not None:
        low, high = x(row.low), x(row.high)
        drawn = tag("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"{shape} line")
        for end in (low, high):
            drawn += tag("line", x1=end, x2=end, y1=middle - 4, y2=middle + 4, class_=f"{shape} line")
    style = f"{shape} mark" if row.clear else f"{shape} hollow"
    return drawn + mark(row.kind, x(row.value), middle, size=5, class_=style, tooltip=f"{row.name}: {row.said}")


def _bracket(low: float, high: float, middle: float) -> str:
    drawn = tag("line", x1=low, x2=high, y1=middle, y2=middle, class_="bracket")
    for end in (low, high):
        drawn += tag("line", x1=end, x2=end, y1=middle - 9, y2=middle + 9, class_="bracket")
    return drawn
