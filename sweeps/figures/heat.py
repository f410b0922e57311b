"""Draw a heat-map of signed values: one colour for each sign, stronger farther from 0, hatched where unclear."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sweeps.figures.frame import draw_hatch, draw_samples
from sweeps.figures.svg import BOLD, escape, fit_text, label, measure_text, tag, wrap_svg

STRONGEST = 0.62  # opacity of the largest value: what is written on it stays readable
TALL = 46
TITLE = 26
LITTLE = 10  # size of the smallest letters
LEANING, SINE, COSINE = 84.0, 0.82, 0.57  # pixels of a name that leans by 55 degrees


@dataclass(frozen=True)
class Square:
    """One cell: a signed value and its text. Without a value, `said` says why."""

    value: float | None
    said: str
    below: str = ""
    clear: bool = False
    told: str = ""  # under the pointer


@dataclass(frozen=True)
class Heat:
    """Rows and columns by name, and the words of the figure."""

    name: str
    title: str
    description: str
    rows: Sequence[str]
    columns: Sequence[str]
    squares: Mapping[tuple[str, str], Square]
    better: str = "▲ helps"
    worse: str = "▼ hurts"
    unclear: str = "not clear when all are judged together"
    up: str = "source"
    across: str = "target"
    good: bool = True  # a positive value is the good one


def draw_heat(map_: Heat, width: float, suffix: str) -> str:
    """Draw the squares, their names, and the key to the colours."""
    name = f"{map_.name}-{suffix}"
    left = min(width * 0.3, max(map(measure_text, [*map_.rows, f"{map_.up} ↓"])) + 16)
    longest = max((measure_text(column) for column in map_.columns), default=0)
    wide = min(150.0, (width - left - 4) / max(len(map_.columns), 1))
    steep = longest > wide - 6
    if steep:  # the last name leans over the edge
        wide = min(wide, (width - left - 4 - min(longest, LEANING) * COSINE) / max(len(map_.columns) - 0.5, 1))
    above = TITLE + (min(longest, LEANING) * SINE + 14 if steep else 20)
    most = max((abs(square.value) for square in map_.squares.values() if square.value is not None), default=0) or 1
    body = [draw_hatch(f"{name}-hatch"), label(left, 13, f"{map_.across} →", class_="name")]
    body.append(label(left - 8, above - 8, f"{map_.up} ↓", class_="name", text_anchor="end"))
    body += [
        _column(column, left + (place + 0.5) * wide, above, wide, steep=steep)
        for place, column in enumerate(map_.columns)
    ]
    for place, row in enumerate(map_.rows):
        top = above + place * TALL
        body.append(label(left - 8, top + TALL / 2 + 4, fit_text(row, left - 12), class_="ink", text_anchor="end"))
        for column_place, column in enumerate(map_.columns):
            square = map_.squares.get((row, column), Square(None, "·"))
            body.append(_square(square, map_, (left + column_place * wide, top, wide), most, name))
    floor = above + len(map_.rows) * TALL + 8
    key, high = _key(map_, name, left=4, right=width, top=floor)
    return wrap_svg(name, map_.title, map_.description, "".join([*body, key]), width=width, height=floor + high + 6)


def _column(name: str, x: float, floor: float, wide: float, *, steep: bool) -> str:
    if not steep:
        return label(x, floor - 8, fit_text(name, wide), text_anchor="middle", class_="ink")
    turned = f"rotate(-55 {x:.1f} {floor - 8:.1f})"
    return label(x, floor - 8, fit_text(name, LEANING), class_="ink", transform=turned)


def _square(square: Square, map_: Heat, place: tuple[float, float, float], most: float, name: str) -> str:
    x, y, wide = place
    box = {"x": x + 1.5, "y": y + 1.5, "width": wide - 3, "height": TALL - 3.0, "rx": 4.0}
    tooltip = (tag("title", escape(square.told)),) if square.told else ()
    if square.value is None:
        fill = tag("rect", *tooltip, class_="nothing", **box)
    elif not square.clear:
        fill = tag("rect", *tooltip, fill=f"url(#{name}-hatch)", class_="edge", **box)
    else:
        strength = f"{0.12 + (STRONGEST - 0.12) * abs(square.value) / most:.2f}"
        fill = tag("rect", *tooltip, class_=_colour(square.value, map_), fill_opacity=strength, **box)
    middle, style = x + wide / 2, "ink strong" if square.clear else "ink"
    if measure_text(square.said) * (BOLD if square.clear else 1) > wide - 4 and square.value is not None:
        return fill + _little(square.said, middle, y + TALL / 2 + 4, wide)
    if not square.below or measure_text(square.below, 10.5) > wide - 4:
        return fill + label(middle, y + TALL / 2 + 4, square.said, text_anchor="middle", class_=style)
    return (
        fill
        + label(middle, y + TALL / 2 - 2, square.said, text_anchor="middle", class_=style)
        + label(middle, y + TALL / 2 + 13, square.below, text_anchor="middle", class_="below")
    )


def _little(words: str, x: float, y: float, wide: float) -> str:
    """Write a short number where there is little room: +.105; or nothing, because the table has it."""
    text = words.lstrip("▲▼").replace("0.", ".", 1)
    return label(x, y, text, text_anchor="middle", class_="little") if measure_text(text, LITTLE) <= wide - 3 else ""


def _colour(value: float, map_: Heat) -> str:
    return "plus" if (value > 0) == map_.good else "minus"


def _key(map_: Heat, name: str, *, left: float, right: float, top: float) -> tuple[str, float]:
    samples = [
        (map_.better, _patch(class_="plus", fill_opacity=0.5)),
        (map_.worse, _patch(class_="minus", fill_opacity=0.5)),
        (map_.unclear, _patch(fill=f"url(#{name}-hatch)", class_="edge")),
    ]
    return draw_samples([(words, partial(_move_drawing, drawn)) for words, drawn in samples], left, right, top)


def _patch(**fill: str | float) -> str:
    return tag("rect", width=22, height=12, rx=3, **fill)


def _move_drawing(drawn: str, x: float, y: float) -> str:
    return tag("g", drawn, transform=f"translate({x - 11:.1f} {y - 6:.1f})")
