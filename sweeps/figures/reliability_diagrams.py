"""Draw reliability diagrams side by side: how often answers are right, against how sure the model was.

On the diagonal confidence is what it promises; below it a model is too sure. Under each plot stand bars: how many
answers each bin has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sweeps.figures.frame import Sample, draw_samples
from sweeps.figures.scales import Scale
from sweeps.figures.svg import UNTRAINED, fit_text, label, mark, tag, wrap_svg, write_path

Spot = tuple[float, float, int]  # the mean confidence of a bin, the share that is right in it, and its items

AFTER, BEFORE = 0, UNTRAINED  # colours
HEAD, STRIP, FOOT = 54.0, 24.0, 40.0  # pixels above a plot, of its bars, and below them
SIDE = 40.0  # pixels of the ticks and the name beside it
INSIDE = 7.0  # between a plot's edge and its 0 and 1, so that marks there are whole
LARGEST, GAP = 236.0, 18.0
TICKS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class ReliabilityDiagram:
    """One diagram; `before` is drawn under it."""

    name: str
    said: tuple[str, str]  # the lines below the name
    bins: Sequence[Spot]
    before: Sequence[Spot] = ()


@dataclass(frozen=True)
class Panels:
    """The words of the figure."""

    name: str
    title: str
    description: str
    bins: int  # of equal width


def draw_reliability(plot: Panels, panels: Sequence[ReliabilityDiagram], width: float, suffix: str) -> str:
    """Draw all diagrams, row by row."""
    columns = 3 if width >= 600 else 2
    room = (width - GAP * (columns - 1)) / columns
    side = min(LARGEST, room - SIDE)
    key, high = _key(any(panel.before for panel in panels), width)
    tall = HEAD + side + STRIP + FOOT
    body = [key]
    for place, panel in enumerate(panels):
        down, across = divmod(place, columns)
        body.append(_panel(panel, plot.bins, across * (room + GAP), high + 8 + down * tall, side))
    height = high + 8 + -(-len(panels) // columns) * tall
    return wrap_svg(f"{plot.name}-{suffix}", plot.title, plot.description, "".join(body), width=width, height=height)


def _key(before: bool, width: float) -> tuple[str, float]:
    samples: list[tuple[str, Sample]] = [("measured", partial(_sample, AFTER))]
    if before:
        samples.append(("before training", partial(_sample, BEFORE)))
    samples += [("as sure as it is right", _diagonal), ("answers in the bin", _bar)]
    return draw_samples(samples, 4, width, 0)


def _sample(kind: int, x: float, y: float) -> str:
    return _line([(x - 11, y), (x + 11, y)], kind) + _mark(kind, x, y)


def _diagonal(x: float, y: float) -> str:
    return tag("line", x1=x - 11, x2=x + 11, y1=y + 5, y2=y - 5, class_="axis")


def _bar(x: float, y: float) -> str:
    return tag("rect", x=x - 5, y=y - 6, width=10, height=12, class_=f"s{AFTER} bar")


def _line(points: list[tuple[float, float]], kind: int) -> str:
    return write_path(points, class_=f"s{kind} line{' beyond' if kind == BEFORE else ''}")


def _mark(kind: int, x: float, y: float, tooltip: str = "") -> str:
    """Draw a full circle, or a hollow square."""
    if kind == AFTER:
        return mark(0, x, y, tooltip=tooltip)
    return mark(1, x, y, tooltip=tooltip, class_=f"s{kind} hollow")


def _panel(panel: ReliabilityDiagram, bins: int, left: float, top: float, side: float) -> str:
    start, floor = left + SIDE, top + HEAD + side
    x = Scale(0, 1, start + INSIDE, start + side - INSIDE)
    y = Scale(0, 1, floor - INSIDE, top + HEAD + INSIDE)
    body = [label(left + 2, top + 14, fit_text(panel.name, SIDE + side), class_="ink strong")]
    body += [
        label(left + 2, top + 29 + 15 * row, fit_text(words, SIDE + side), class_="tick")
        for row, words in enumerate(panel.said)
    ]
    body.append(tag("rect", x=start, y=top + HEAD, width=side, height=side, class_="frame"))
    body += [_ticks(value, x, y) for value in TICKS]
    body.append(tag("line", x1=x(0), x2=x(1), y1=y(0), y2=y(1), class_="axis"))
    body += _bars(panel.bins, bins, x, floor + STRIP)
    body.append(label(start + side / 2, floor + STRIP + 31, "confidence", text_anchor="middle", class_="name"))
    body.append(_upright("share right", left + 12, floor - side / 2))
    for kind, spots in ((BEFORE, panel.before), (AFTER, panel.bins)):
        places = [(x(stated), y(right)) for stated, right, _ in spots]
        body.append(_line(places, kind) if len(places) > 1 else "")
        body += [_mark(kind, *at, _describe_spot(spot, kind)) for at, spot in zip(places, spots, strict=True)]
    return "".join(body)


def _upright(text: str, x: float, y: float) -> str:
    return label(x, y, text, text_anchor="middle", class_="name", transform=f"rotate(-90 {x:.1f} {y:.1f})")


def _ticks(value: float, x: Scale, y: Scale) -> str:
    text, left = f"{value:g}", x.start - INSIDE
    return (
        tag("line", x1=left, x2=x.end + INSIDE, y1=y(value), y2=y(value), class_="grid")
        + label(left - 5, y(value) + 4, text, text_anchor="end", class_="tick")
        + label(x(value), y.start + INSIDE + STRIP + 14, text, text_anchor="middle", class_="tick")
    )


def _bars(spots: Sequence[Spot], bins: int, x: Scale, floor: float) -> list[str]:
    """Draw how many items each bin has; bins are closed on the right."""
    most = max((items for _, _, items in spots), default=1)
    drawn = []
    for stated, _, items in spots:
        place = min(max(-int(-stated * bins // 1) - 1, 0), bins - 1)
        low, high = x(place / bins), x((place + 1) / bins)
        tall = max(1.0, (STRIP - 5) * items / most)
        drawn.append(
            tag("rect", x=low + 0.5, y=floor - tall, width=high - low - 1, height=tall, class_=f"s{AFTER} bar")
        )
    return [*drawn, tag("line", x1=x(0), x2=x(1), y1=floor, y2=floor, class_="axis")]


def _describe_spot(spot: Spot, kind: int) -> str:
    stated, right, items = spot
    return f"{'before: ' if kind == BEFORE else ''}confidence {stated:.3f}, right {right:.3f}, items {items:,}"
