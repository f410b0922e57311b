"""Write elements of SVG as text. All text that a person wrote goes through `escape`."""

import math
import re
from html import escape as escape_html

UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
WIDE, NARROW = 776, 340  # units of a drawing, which are pixels at its natural size
EM = 0.61  # of the font's size: how wide a letter is in a wide font, about
BOLD = 1.2  # times as wide as others
SMALL = 12  # size of the letters

UNTRAINED = 7  # the colour of what was there before any training

Value = str | float


def escape(text: object) -> str:
    """Escape text for content or an attribute: no markup, no characters that XML cannot hold."""
    return escape_html(UNSPEAKABLE.sub("\N{REPLACEMENT CHARACTER}", str(text)))


def mark_code(text: object) -> str:
    """Escape a sentence of ours for content, and show what stands between backticks as code."""
    pieces = escape(text).split("`")
    if len(pieces) % 2 == 0:
        return "`".join(pieces)
    return "".join(tag("code", piece) if place % 2 else piece for place, piece in enumerate(pieces))


def tag(name: str, *children: str, **attributes: Value | None) -> str:
    """Write one element; `class_` is class, `stroke_width` stroke-width, None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_spell_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def _spell_value(value: Value) -> str:
    return escape(value) if isinstance(value, str) else write_number(value)


def write_number(value: float) -> str:
    """Write a coordinate: a tenth of a pixel is enough."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no place in a drawing")
    return "0" if abs(value) < 0.05 else f"{value:.1f}".removesuffix(".0")


def label(x: float, y: float, text: object, **attributes: Value | None) -> str:
    """Write a line of text."""
    return tag("text", escape(text), x=x, y=y, **attributes)


def write_path(points: list[tuple[float, float]], **attributes: Value | None) -> str:
    """Write a line through points."""
    return tag(
        "path", d="M" + "L".join(f"{write_number(x)} {write_number(y)}" for x, y in points), fill="none", **attributes
    )


def measure_text(text: str, size: float = SMALL) -> float:
    """Estimate how wide a text is drawn."""
    return EM * size * len(text)


def fit_text(text: str, room: float, size: float = SMALL) -> str:
    """Shorten a text to the room there is: in its middle, because names that begin alike end apart."""
    most = max(1, int(room / (EM * size)))
    end = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def wrap_svg(name: str, title: str, description: str, body: str, *, width: float, height: float) -> str:
    """Wrap a drawing, with a description for people who cannot see it. `name` must be unique in a page."""
    return tag(
        "svg",
        tag("title", escape(title), id=f"{name}-title"),
        tag("desc", escape(description) or " ", id=f"{name}-desc"),
        body or tag("g"),
        id=name,
        viewBox=f"0 0 {write_number(width)} {write_number(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_="figure",
        width=width,
        height=height,
    )


def mark(kind: int, x: float, y: float, *, size: float = 4, tooltip: str = "", **attributes: Value | None) -> str:
    """Draw a point of the kind-th series, in its shape and colour. `told` shows under the pointer."""
    child = (tag("title", escape(tooltip)),) if tooltip else ()
    attributes = {"class_": f"s{kind % 8} mark", **attributes}
    match kind % 4:
        case 0:
            return tag("circle", *child, cx=x, cy=y, r=size, **attributes)
        case 1:
            side = 1.8 * size
            return tag("rect", *child, x=x - side / 2, y=y - side / 2, width=side, height=side, **attributes)
        case 2:
            corners = [(x, y - 1.25 * size), (x + 1.15 * size, y + 0.8 * size), (x - 1.15 * size, y + 0.8 * size)]
        case _:
            corners = [(x, y - 1.35 * size), (x + 1.35 * size, y), (x, y + 1.35 * size), (x - 1.35 * size, y)]
    points = " ".join(f"{write_number(left)},{write_number(top)}" for left, top in corners)
    return tag("polygon", *child, points=points, **attributes)
