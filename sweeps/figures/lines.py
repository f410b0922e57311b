"""Draw lines over an axis: scaling curves with their targets, and learning curves."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sweeps.figures.frame import BOTTOM, LEFT, RIGHT, Frame, draw_halo, draw_legend
from sweeps.figures.scales import shorten, span_values, spread_apart
from sweeps.figures.svg import (
    BOLD,
    SMALL,
    fit_text,
    label,
    mark,
    measure_text,
    tag,
    wrap_svg,
    write_number,
    write_path,
)

Point = tuple[float, float]
Range = tuple[float, float, float]  # x, low, high

DIRECT = 8  # series that may be named at their own ends
MOST_SAID = 6  # lines of text beside targets
USUAL = 40  # pixels of a legend for which a plot need not grow
SLOT = 30  # pixels for what lies at 0 on a logarithmic axis


@dataclass(frozen=True)
class Goal:
    """A target value, and where the curve reaches it."""

    level: float
    at: float | None = None
    low: float | None = None
    high: float | None = None
    told: str = ""


@dataclass(frozen=True)
class Line:
    """One series: what was measured, what was fitted, and how sure that is."""

    name: str
    points: Sequence[Point] = ()
    ranges: Sequence[Range] = ()  # the least and the most of what was measured there
    curve: Sequence[Point] = ()
    band: Sequence[Range] = ()
    beyond: float = math.inf  # from here on the curve is an extrapolation
    at_zero: float | None = None  # measured at x = 0, which a logarithmic axis has not
    goal: Goal | None = None
    kind: int | None = None  # colour and mark, if not those of its place in the list
    told: str = ""  # under the pointer at its end


@dataclass(frozen=True)
class Plot:
    """The words of a figure, and how its axes run."""

    name: str
    title: str
    description: str
    across: str
    up: str
    log: bool = True
    marks: Sequence[float] = ()
    height: float = 380
    quiet: bool = False  # many thin lines: no names at their ends


def draw_lines(plot: Plot, series: Sequence[Line], width: float, suffix: str) -> str:
    """Draw all series in one frame."""
    direct = not plot.quiet and 1 < len(series) <= DIRECT and width >= 600
    room = min(190.0, BOLD * max(measure_text(line.name) for line in series) + 18) if direct else RIGHT
    named = _kinds(series)
    top_legend = {} if direct or len(named) < 2 else named
    drawn_legend, high = draw_legend(top_legend, left=LEFT, right=width - RIGHT, top=2)
    zero = plot.log and any(line.at_zero is not None for line in series)
    x = span_values(_xs(series), LEFT + SLOT * zero + 4, width - room, log=plot.log, margin=0.03)
    height = plot.height + max(0.0, high - USUAL)
    y = span_values(_ys(series), height - BOTTOM, high + 30, margin=0.06)
    frame = Frame(x, y, plot.across, plot.up, plot.marks)
    body = [drawn_legend, frame.draw(), _zero_slot(frame) if zero else ""]
    for place, line in enumerate(series):
        body.append(_draw_line(line, _kind(line, place), frame))
        if plot.quiet and line.curve:
            x_last, y_last = line.curve[-1]
            body.append(mark(_kind(line, place), x(x_last), y(y_last), tooltip=line.told or line.name))
    body += [_goal(line, _kind(line, place), frame) for place, line in enumerate(series) if line.goal]
    body.append(_labels(series, frame))
    if direct:
        body.append(_place_labels(series, frame, room))
    return wrap_svg(f"{plot.name}-{suffix}", plot.title, plot.description, "".join(body), width=width, height=height)


def _kind(line: Line, place: int) -> int:
    return place if line.kind is None else line.kind


def _kinds(series: Sequence[Line]) -> dict[int, str]:
    """Name each kind; lines of one kind share a name."""
    kinds: dict[int, str] = {}
    for place, line in enumerate(series):
        kinds.setdefault(_kind(line, place), line.name)
    return dict(sorted(kinds.items()))


def _xs(series: Sequence[Line]) -> Iterator[float]:
    for line in series:
        yield from (x for x, _ in (*line.points, *line.curve))
        if line.goal and line.goal.at:
            yield line.goal.at


def _ys(series: Sequence[Line]) -> Iterator[float]:
    """List the values that the axis must hold; not bands, because a wide one would flatten the rest."""
    for line in series:
        yield from (y for _, y in (*line.points, *line.curve))
        yield from (end for _, *ends in line.ranges for end in ends)
        yield from ([line.goal.level] if line.goal else [])
        yield from ([] if line.at_zero is None else [line.at_zero])


def _draw_line(line: Line, kind: int, frame: Frame) -> str:
    shape = f"s{kind % 8}"
    return "".join([*_band(line, shape, frame), *_curve(line, shape, frame), *_points(line, kind, frame)])


def _band(line: Line, shape: str, frame: Frame) -> Iterator[str]:
    if len(line.band) > 1:
        over = [(frame.x(x), frame.y(high)) for x, _, high in line.band]
        under = [(frame.x(x), frame.y(low)) for x, low, _ in reversed(line.band)]
        outline = "L".join(f"{write_number(x)} {write_number(y)}" for x, y in [*over, *under])
        yield tag("path", d=f"M{outline}Z", class_=f"{shape} band")


def _curve(line: Line, shape: str, frame: Frame) -> Iterator[str]:
    solid = [(x, y) for x, y in line.curve if x <= line.beyond]
    dashed = [*solid[-1:], *((x, y) for x, y in line.curve if x > line.beyond)]
    for points, style in ((solid, "line"), (dashed, "line beyond")):
        if len(points) > 1:
            yield write_path([(frame.x(x), frame.y(y)) for x, y in points], class_=f"{shape} {style}")


def _points(line: Line, kind: int, frame: Frame) -> Iterator[str]:
    for x, low, high in line.ranges:
        if high > low:
            place = frame.x(x)
            yield tag("line", x1=place, x2=place, y1=frame.y(low), y2=frame.y(high), class_=f"s{kind % 8} line")
    for x, y in line.points:
        yield mark(kind, frame.x(x), frame.y(y), tooltip=f"{line.name}: {shorten(y)} at {shorten(x)}")
    if line.at_zero is not None:
        place = frame.x.start - SLOT + 6
        yield mark(kind, place, frame.y(line.at_zero), tooltip=f"{line.name}: {shorten(line.at_zero)} untrained")


def _zero_slot(frame: Frame) -> str:
    """Draw the place of 0, and the break between it and the logarithmic axis."""
    place, floor = frame.x.start - SLOT + 6, frame.y.start
    gap = frame.x.start - 8
    return (
        tag("line", x1=place - 8, x2=place + 8, y1=floor, y2=floor, class_="axis")
        + label(place, floor + 18, "0", text_anchor="middle", class_="tick")
        + write_path([(gap - 3, floor + 5), (gap + 1, floor - 5)], class_="axis")
        + write_path([(gap + 1, floor + 5), (gap + 5, floor - 5)], class_="axis")
    )


def _goal(line: Line, kind: int, frame: Frame) -> str:
    """Draw the target as a line, and on it the size that reaches it as a diamond with its interval."""
    goal = line.goal
    assert goal is not None
    shape, level = f"s{kind % 8}", frame.y(goal.level)
    drawn = [tag("line", x1=frame.x.start, x2=frame.x.end, y1=level, y2=level, class_=f"{shape} target")]
    if goal.at is not None:
        at = frame.x(goal.at)
        drawn.append(tag("line", x1=at, x2=at, y1=level, y2=frame.y.start, class_=f"{shape} drop"))
        if goal.low is not None and goal.high is not None:
            ends = frame.x(goal.low), frame.x(goal.high)
            drawn.append(tag("line", x1=ends[0], x2=ends[1], y1=level, y2=level, class_=f"{shape} interval"))
        drawn.append(mark(3, at, level, size=6, tooltip=goal.told, class_=f"{shape} aim"))
    return "".join(drawn)


@dataclass(frozen=True)
class LineLabel:
    """Text beside a target, on the side that the curve leaves free."""

    text: str
    kind: int
    y: float
    left: bool


def _labels(series: Sequence[Line], frame: Frame) -> str:
    """Label the targets, spread apart; too many labels would hide the curves, and the table has them."""
    labels = [
        text_label for place, line in enumerate(series) for text_label in _label_line(line, _kind(line, place), frame)
    ]
    if len(labels) > MOST_SAID:
        return ""
    drawn = []
    for left in (True, False):
        side = [text_label for text_label in labels if text_label.left is left]
        x, anchor = (frame.x.start + 4, "start") if left else (frame.x.end - 2, "end")
        room = (frame.x.end - frame.x.start) / BOLD
        for text_label, y in zip(
            side,
            spread_apart([text_label.y for text_label in side], 15, frame.y.end + 10, frame.y.start - 4),
            strict=True,
        ):
            drawn.append(draw_halo(x, y, fit_text(text_label.text, room, SMALL), text_label.kind, text_anchor=anchor))
    return "".join(drawn)


def _label_line(line: Line, kind: int, frame: Frame) -> list[LineLabel]:
    """Break text into two lines where one is too long."""
    goal = line.goal
    if goal is None:
        return []
    start, end, level = frame.x.start, frame.x.end, frame.y(goal.level)
    at = end if goal.at is None else frame.x(goal.at)
    left = goal.at is None or at > (start + end) / 2
    what, _, answer = goal.told.partition(": ")
    free = at - start if left else end - at
    texts = [goal.told] if BOLD * measure_text(goal.told) < free else [what, answer]
    return [
        LineLabel(text, kind, level + 15 * (1 + row) if left else level - 7 - 15 * (len(texts) - 1 - row), left)
        for row, text in enumerate(texts)
    ]


def _place_labels(series: Sequence[Line], frame: Frame, room: float) -> str:
    ends = [((line.curve or line.points or [(0.0, frame.y.high)])[-1][1]) for line in series]
    places = spread_apart([frame.y(end) for end in ends], 15, frame.y.end, frame.y.start)
    return "".join(
        draw_halo(frame.x.end + 6, place + 4, fit_text(line.name, (room - 8) / BOLD), _kind(line, at))
        for at, (line, place) in enumerate(zip(series, places, strict=True))
    )
