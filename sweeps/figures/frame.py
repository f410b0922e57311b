"""Draw what surrounds a plot: axes with their ticks, a grid, names, and the legend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sweeps.figures.scales import Scale, choose_ticks, shorten
from sweeps.figures.svg import SMALL, escape, fit_text, label, mark, measure_text, tag

LEFT, RIGHT, BOTTOM = 52, 14, 42  # pixels around the plot
ROW = 20  # pixels of a line of the legend


@dataclass(frozen=True)
class Frame:
    """The two scales of a plot, and the words along them."""

    x: Scale
    y: Scale
    across: str  # the names of the axes
    up: str
    marks: Sequence[float] = ()  # values of x that are to have a tick, where they are known
    left: float = LEFT  # where the plot begins, which may be before its scale does

    def draw(self) -> str:
        """Draw everything under the data."""
        return "".join([*self._rows(), *self._columns(), self._names()])

    def _rows(self) -> list[str]:
        left, right = self.left, self.x.end
        room = max(2, int((self.y.start - self.y.end) / 40))
        return [
            tag("line", x1=left, x2=right, y1=self.y(value), y2=self.y(value), class_="grid")
            + label(left - 7, self.y(value) + 4, shorten(value), text_anchor="end", class_="tick")
            for value in choose_ticks(self.y, room)
        ]

    def _columns(self) -> list[str]:
        floor, drawn, free = self.y.start, [], float("-inf")
        for value in self.marks or choose_ticks(self.x, max(2, int((self.x.end - self.x.start) / 70))):
            if not self.x.low <= value <= self.x.high:
                continue
            place, text = self.x(value), shorten(value)
            drawn.append(tag("line", x1=place, x2=place, y1=floor, y2=floor + 5, class_="axis"))
            half = measure_text(text) / 2
            if place - half >= free:
                drawn.append(label(place, floor + 18, text, text_anchor="middle", class_="tick"))
                free = place + half + 6
        return [tag("line", x1=self.x.start, x2=self.x.end, y1=floor, y2=floor, class_="axis"), *drawn]

    def _names(self) -> str:
        middle = (self.x.start + self.x.end) / 2
        return label(middle, self.y.start + 36, self.across, text_anchor="middle", class_="name") + label(
            4, self.y.end - 9, self.up, class_="name"
        )


def draw_legend(names: Mapping[int, str], *, left: float, right: float, top: float) -> tuple[str, float]:
    """Draw the mark and name of each series, in lines as wide as there is room; return the height too."""
    return draw_samples([(name, partial(_sample, kind)) for kind, name in names.items()], left, right, top)


Sample = Callable[[float, float], str]


def draw_samples(entries: Sequence[tuple[str, Sample]], left: float, right: float, top: float) -> tuple[str, float]:
    """Draw the same for samples of any kind, each around a place 22 pixels wide."""
    drawn, x, y = [], left, top + ROW / 2
    for whole, sample in entries:
        name = fit_text(whole, right - left - 28)
        wide = 30 + measure_text(name) + 12
        if x > left and x + wide > right:
            x, y = left, y + ROW
        drawn.append(sample(x + 11, y) + label(x + 28, y + 4, name, class_="ink"))
        x += wide
    return "".join(drawn), y + ROW / 2 - top if entries else 0


def _sample(kind: int, x: float, y: float) -> str:
    return tag("line", x1=x - 11, x2=x + 11, y1=y, y2=y, class_=f"s{kind % 8} line") + mark(kind, x, y)


def draw_hatch(name: str) -> str:
    """Define the pattern of unclear values, to be filled with `url(#name)`."""
    return tag(
        "defs",
        tag(
            "pattern",
            tag("rect", width=7, height=7, class_="unclear"),
            tag("line", x1=0, x2=0, y1=0, y2=7, class_="hatching"),
            id=name,
            width=7,
            height=7,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )


def draw_halo(x: float, y: float, text: str, kind: int, **attributes: str | float | None) -> str:
    """Draw a label over the data, in its series' colour, that stays readable."""
    return tag("text", escape(text), x=x, y=y, font_size=SMALL, class_=f"s{kind % 8} said", **attributes)
