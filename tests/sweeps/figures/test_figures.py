"""Figures are well-formed, keep within their frames, and say in words what they show."""

import itertools
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.figures.bars import Row, RowPlot, draw_bars, draw_intervals
from sweeps.figures.heat import Heat, Square, draw_heat
from sweeps.figures.lines import Goal, Line, Plot, draw_lines
from sweeps.figures.reliability_diagrams import Panels, ReliabilityDiagram, draw_reliability
from sweeps.figures.scales import Scale, choose_ticks, shorten, span_values, spread_apart
from sweeps.figures.svg import NARROW, WIDE, escape, fit_text, mark, tag, wrap_svg, write_number

PLOT = Plot("p", "Title <b>", "what & why", "n", "loss")
FULL = Line(
    "code <i>",
    points=[(32, 2.0), (64, 1.9), (128, 1.8)],
    ranges=[(32, 1.9, 2.1), (64, 1.9, 1.9)],
    curve=[(32, 2.0), (64, 1.9), (128, 1.8), (256, 1.75)],
    band=[(32, 1.9, 2.1), (64, 1.8, 2.0), (128, 1.7, 1.9), (256, 1.6, 1.9)],
    beyond=128,
    at_zero=2.4,
    goal=Goal(1.77, 200, 150, 900, "code ≤ 1.77: 200 (150–900)"),
)
HEAT = Heat(
    "h",
    "Heat",
    "all of it",
    ["a", "a long name of a source that has no end"],
    ["a", "b"],
    {
        ("a", "b"): Square(0.2, "+0.200", "±0.010", clear=True),
        ("a", "a"): Square(None, "missing"),
        ("a long name of a source that has no end", "b"): Square(-0.1, "-0.100", "±0.200"),
    },
)
ROWS = [Row("one", 0.5, 0.4, 0.6, "0.5 ± 0.1"), Row("other" * 30, 0.1, said="0.1", clear=False), Row("none", None)]
DIAGRAM = ReliabilityDiagram(
    "a cell with a name that is too long for its plot",
    ("ECE 0.2 → 0.1", "80 answers, 2 seeds"),
    [(0.0, 1.0, 3), (0.1, 0.1, 40), (0.101, 0.5, 1), (1.0, 0.75, 36)],
    before=[(0.5, 0.2, 80)],
)

STEEP = ["code", "reference", "science", "legal", "a domain with a long name"]
DRAWN: dict[str, Callable[[float], str]] = {
    "scaling": lambda width: draw_lines(PLOT, [FULL, Line("law", points=[(32, 3.0)])], width, "x"),
    "one point": lambda width: draw_lines(PLOT, [Line("a", points=[(1, 1.0)])], width, "x"),
    "nothing": lambda width: draw_lines(PLOT, [], width, "x"),
    "many": lambda width: draw_lines(
        PLOT, [Line(f"series {place}", curve=FULL.curve) for place in range(30)], width, "x"
    ),
    "heat": lambda width: draw_heat(HEAT, width, "x"),
    "empty heat": lambda width: draw_heat(Heat("h", "t", "", [], [], {}), width, "x"),
    "wide heat": lambda width: draw_heat(
        Heat("h", "t", "", list("ab"), [f"target {n}" for n in range(24)], {}), width, "x"
    ),
    "steep heat": lambda width: draw_heat(Heat("h", "t", "", list("ab"), STEEP, {}), width, "x"),
    "reliability": lambda width: draw_reliability(Panels("r", "t", "d", 10), [DIAGRAM] * 5, width, "x"),
    "no diagram": lambda width: draw_reliability(Panels("r", "t", "d", 10), [], width, "x"),
    "intervals": lambda width: draw_intervals(RowPlot("r", "t", "d", "accuracy", zero=True), ROWS, width, "x"),
    "no rows": lambda width: draw_intervals(RowPlot("r", "t", "d", "accuracy"), [], width, "x"),
    "bars": lambda width: draw_bars(RowPlot("r", "t", "d", "dollars"), ROWS, width, "x"),
}


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", DRAWN)
def test_every_drawing_is_well_formed_and_says_what_it_shows(name: str, width: int) -> None:
    root = ET.fromstring(DRAWN[name](width))
    assert (root.tag, root.get("role")) == ("svg", "img")
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert (root[0].text or "").strip()
    assert float(root.get("width") or 0) == width


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", DRAWN)
def test_nothing_lies_outside_of_the_drawing(name: str, width: int) -> None:
    root = ET.fromstring(DRAWN[name](width))
    tall = float(root.get("height") or 0)
    for element in root.iter():
        for across in ("x", "x1", "x2", "cx"):
            assert -1 <= float(element.get(across, 0)) <= width + 1, ET.tostring(element)
        assert float(element.get("x", 0)) + _size(element, "width") <= width + 1, ET.tostring(element)
        assert float(element.get("y", 0)) + _size(element, "height") <= tall + 1, ET.tostring(element)
        for down in ("y", "y1", "y2", "cy"):
            assert -1 <= float(element.get(down, 0)) <= tall + 1, ET.tostring(element)


def _size(element: ET.Element, name: str) -> float:
    return float(element.get(name, 0)) if element.tag == "rect" else 0.0


def test_shapes_tell_series_apart_without_their_colours() -> None:
    shapes = [mark(kind, 10, 10) for kind in range(4)]
    assert [ET.fromstring(shape).tag for shape in shapes] == ["circle", "rect", "polygon", "polygon"]
    assert len({ET.fromstring(shape).get("points") for shape in shapes[2:]}) == 2


def test_a_heat_map_is_centred_at_nothing_and_hatches_what_is_unclear() -> None:
    root = ET.fromstring(draw_heat(HEAT, WIDE, "x"))
    squares = [square for square in root.iter("rect") if square.get("rx") == "4"]
    assert [square.get("class") for square in squares] == ["nothing", "plus", "nothing", "edge"]
    assert squares[3].get("fill") == "url(#h-x-hatch)"


def test_a_reliability_diagram_has_a_mark_for_each_bin_where_it_belongs_and_a_bar_for_its_answers() -> None:
    root = ET.fromstring(draw_reliability(Panels("r", "t", "d", 10), [DIAGRAM], WIDE, "x"))
    marks = [mark for mark in root.iter("circle") if len(mark)]
    titles = [mark[0].text for mark in marks]
    assert titles[1] == "confidence 0.100, right 0.100, items 40"
    assert len(titles) == len(DIAGRAM.bins)
    at = [(float(mark.get("cx") or 0), float(mark.get("cy") or 0)) for mark in marks]
    assert at[0][0] < at[1][0] < at[2][0] < at[3][0], "confidence goes to the right"
    assert at[0][1] < at[3][1] < at[2][1] < at[1][1], "and what is right upwards"
    diagonal = next(
        line for line in root.iter("line") if line.get("class") == "axis" and line.get("x1") != line.get("x2")
    )
    assert diagonal is not None
    frame = next(shape for shape in root.iter("rect") if shape.get("class") == "frame")
    bars = [bar for bar in root.iter("rect") if bar.get("class") == "s0 bar" and float(bar.get("x") or 0) > 30][-4:]
    tall = [float(bar.get("height") or 0) for bar in bars]
    assert tall[1] == max(tall) > tall[3] > tall[0] > 0
    places = [float(bar.get("x") or 0) for bar in bars]
    assert places[0] == places[1] < places[2] < places[3], "a bin is closed on its right"
    assert places[0] > float(frame.get("x") or 0)
    (before,) = (bar for bar in root.iter("rect") if bar.get("class") == "s7 hollow" and len(bar))
    assert before[0].text == "before: confidence 0.500, right 0.200, items 80"


def test_a_legend_shows_the_colours_of_its_lines_whatever_they_are() -> None:
    series = [Line("a", curve=FULL.curve), Line("untrained", curve=FULL.curve, kind=7)]
    root = ET.fromstring(draw_lines(PLOT, series, NARROW, "x"))
    samples = {line.get("class") for line in root.iter("line") if "line" in (line.get("class") or "")}
    assert samples == {"s0 line", "s7 line"}


def test_a_legend_cuts_what_is_wider_than_the_drawing() -> None:
    """A letter takes .61 of its size, 12; 312 pixels are what a phone has behind the sample."""
    name = "a-name-" * 11
    root = ET.fromstring(draw_lines(PLOT, [Line(name, curve=FULL.curve), Line("b", curve=FULL.curve)], NARROW, "x"))
    (label,) = (label_text for label_text in root.iter("text") if (label_text.text or "").startswith("a-name-"))
    assert "…" in (label.text or "")
    assert (label.text or "").endswith("-name-"), "names that begin alike end apart"
    assert float(label.get("x") or 0) + 0.61 * 12 * len(label.text or "") <= NARROW


def test_an_axis_of_signs_shows_at_least_what_it_is_told_to() -> None:
    """Rounding alone would fill it."""
    rows = [Row("rounding", 4e-9), Row("nothing", 0.0)]
    places = []
    for least in (0.0, 0.01):
        root = ET.fromstring(draw_intervals(RowPlot("r", "t", "d", "change", zero=True, least=least), rows, WIDE, "x"))
        places.append([float(dot.get("cx") or 0) for dot in root.iter("circle")])
    assert abs(places[0][0] - places[0][1]) > WIDE / 2
    assert abs(places[1][0] - places[1][1]) < 1


def test_what_is_beyond_the_data_is_dashed() -> None:
    root = ET.fromstring(DRAWN["scaling"](WIDE))
    curves = [curve.get("class") for curve in root.iter("path") if "line" in (curve.get("class") or "")]
    assert curves == ["s0 line", "s0 line beyond"]


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(2, 12))
def test_ticks_are_round_few_and_on_the_scale(low: float, span: float, most: int) -> None:
    scale = Scale(low, low + span, 0, 100)
    if scale.high - scale.low < abs(low) * 1e-9:
        return
    ticks = choose_ticks(scale, most)
    assert len(ticks) <= most + 1
    assert all(-1e-6 <= (value - scale.low) / span <= 1 + 1e-6 for value in ticks)


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e9), st.integers(2, 12))
def test_logarithmic_ticks_too(low: float, times: float, most: int) -> None:
    ticks = choose_ticks(Scale(low, low * times, 0, 100, log=True), most)
    assert 1 <= len(ticks) <= most
    assert all(low * (1 - 1e-9) <= value <= low * times * (1 + 1e-9) for value in ticks)


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8))
def test_labels_are_moved_apart_and_stay_within(places: list[float]) -> None:
    moved = sorted(spread_apart(places, 15, 0, 300))
    assert all(second - first >= 15 - 1e-6 for first, second in itertools.pairwise(moved))
    assert -1e-6 <= moved[0] <= moved[-1] <= 300 + 1e-6


def test_a_scale_of_one_value_or_of_none_is_a_scale() -> None:
    for values in ([], [2.0, 2.0], [math.nan, math.inf], [0.0]):
        scale = span_values(values, 0, 100)
        assert scale.low < scale.high
        assert choose_ticks(scale)
    assert span_values([-1.0, 0.0, 8.0], 0, 100, log=True).low == 4.0


def test_text_is_escaped_and_what_xml_cannot_hold_is_replaced() -> None:
    assert escape('<a href="x">&\'\x00\ud800') == "&lt;a href=&quot;x&quot;&gt;&amp;&#x27;��"
    assert tag("rect", class_='a"b', fill_opacity=0.5) == '<rect class="a&quot;b" fill-opacity="0.5"/>'
    ET.fromstring(wrap_svg("x", "\x01<", "\uffff", "", width=1, height=1))


def test_numbers_are_short() -> None:
    assert [write_number(value) for value in (1.0, 1.25, -0.04, 1e-9, 100)] == ["1", "1.2", "0", "0", "100"]
    assert [shorten(value) for value in (0, 0.05, 1.95, 128, 2048, 16384, 2e6, 3e-5)] == [
        *("0", "0.05", "1.95", "128", "2048", "16.38k", "2M", "3e-5"),
    ]
    assert [fit_text("a long name", room) for room in (90, 40, 8, 0)] == ["a long name", "a …me", "…", "…"]
    with pytest.raises(ValueError, match="no place"):
        write_number(math.nan)
