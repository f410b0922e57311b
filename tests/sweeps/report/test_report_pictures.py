"""What the pictures of a report show is what the metric functions say, and what is not drawn is named."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest

from sweeps.analysis.baselines import list_baselines
from sweeps.analysis.calibration_cells import list_calibrations
from sweeps.analysis.grid_cells import best_cell
from sweeps.analysis.transfer.transfer_gains import transfer_matrix
from sweeps.evaluation.item_rows import ItemRow
from sweeps.figures.charts import draw_svg
from sweeps.figures.svg import NARROW, WIDE
from sweeps.metrics.calibration import aurc, ece, reliability_bins, selective_accuracy
from sweeps.report.calibration_section import MOST, show_calibration
from sweeps.report.compose import compose
from sweeps.report.document import Figure, Report, Section
from sweeps.report.html import render_html
from sweeps.report.inputs import LearningCurve
from sweeps.report.markdown import render_markdown
from sweeps.report.training_section import show_trainings
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key
from tests.sweeps.reports import EXPERIMENTS, answers_of, compare_rows, crowded, grid_rows, material, row, transfer_rows

DOT = re.compile(r"(before: )?confidence ([\d.]+), right ([\d.]+), items ([\d,]+)")


def figures(shown: Report | Section, start: str) -> list[Figure]:
    parts = shown.figures if isinstance(shown, Report) else [part for part in shown.parts if isinstance(part, Figure)]
    return [figure for figure in parts if figure.name.startswith(start)]


def dots(figure: Figure) -> list[tuple[str, float, float, int]]:
    """What stands under the pointer at each mark: before or not, confidence, share right, items."""
    titles = [title.text or "" for title in ET.fromstring(draw_svg(figure.chart, WIDE, "wide")).iter("title")]
    matches = [DOT.fullmatch(title) for title in titles]
    return [(match[1] or "", float(match[2]), float(match[3]), int(match[4])) for match in matches if match]


def stated(items: Items, cell: dict[str, Json], seeds: range) -> tuple[list[float], list[float]]:
    rows = [item for seed in seeds for item in items[item_key(cell, seed)]]
    return [item.values["confidence"] for item in rows], [item.values["right"] for item in rows]


def test_a_reliability_diagram_shows_the_bins_of_the_metric_before_and_after() -> None:
    rows = compare_rows()
    items = answers_of(rows)
    (figure,) = figures(compose(material("compare", rows, items={"answers": items})), "reliability")
    p, y = stated(items, {"method": "sl"}, range(3))
    base = stated(items, {"method": None}, range(1))
    wanted = [("before: ", round(b, 3), round(a, 3), n) for n, b, a in reliability_bins(*base)]
    wanted += [("", round(b, 3), round(a, 3), n) for n, b, a in reliability_bins(p, y)]
    assert dots(figure)[: len(wanted)] == wanted, "sl over the untrained model"
    assert f"ECE {ece(*base):.3f} → {ece(p, y):.3f}" in draw_svg(figure.chart, WIDE, "wide")
    assert "180 answers, 3 seeds" in draw_svg(figure.chart, WIDE, "wide")
    assert "untrained:" not in draw_svg(figure.chart, WIDE, "wide"), "the untrained model has no diagram of its own"


def test_the_untrained_model_has_a_diagram_where_nothing_else_was_asked() -> None:
    rows = [row for row in compare_rows() if row.cell["method"] is None]
    (figure,) = figures(show_calibration(list_calibrations(rows, {"answers": answers_of(rows)})), "reliability")
    assert {kind for kind, *_ in dots(figure)} == {""}
    assert "untrained: ECE" in draw_svg(figure.chart, WIDE, "wide")


def test_written_answers_have_no_verdict_by_their_probability_and_candidates_have() -> None:
    """A text that ends by chance is never likely as a whole, however right it is."""
    rows = compare_rows()
    written = answers_of(rows)
    chosen = {
        key: [replace(row, values={**row.values, "chance": 0.5}) for row in kept] for key, kept in written.items()
    }
    notes = {}
    for name, items in (("written", written), ("chosen", chosen)):
        (calibration,) = list_calibrations(rows, {"answers": items})
        (figure,) = figures(show_calibration([calibration]), "reliability")
        notes[name] = figure.note
        assert calibration.written == (name == "written")
    assert "too sure" in notes["chosen"]
    assert "too sure" not in notes["written"]


def test_what_declining_would_buy_is_the_selective_accuracy() -> None:
    rows = compare_rows()
    items = answers_of(rows)
    (figure,) = figures(show_calibration(list_calibrations(rows, {"answers": items})), "declining")
    lines = {line[0]: dict(zip(figure.table.columns, line, strict=True)) for line in figure.table.texts}
    p, y = stated(items, {"method": "rl"}, range(3))
    assert float(lines["rl"]["right of 50%"]) == pytest.approx(selective_accuracy(p, y, 0.5), abs=1e-3)
    assert float(lines["rl"]["AURC"]) == pytest.approx(aurc(p, y), abs=1e-3)
    assert float(lines["rl"]["right"]) == pytest.approx(np.mean(y), abs=1e-3)
    assert list(lines) == ["untrained", "sl", "rl"]


def test_of_many_cells_some_are_drawn_and_the_others_are_in_the_table() -> None:
    rows = EXPERIMENTS["data_scaling"][0]
    (figure,) = figures(show_calibration(list_calibrations(rows, {"answers": answers_of(rows)})), "reliability")
    assert f"{MOST} of 14 conditions are drawn" in figure.legend
    assert draw_svg(figure.chart, WIDE, "wide").count("180 answers") == 2 * MOST, (
        "each in its diagram, and in the description"
    )
    assert len({line[0] for line in figure.table.texts}) == 16, "the untrained ones too"


def test_diagrams_of_cells_that_differ_in_a_long_path_have_names_that_differ() -> None:
    """A phone has room for a few letters of each."""
    cells: list[dict[str, Json]] = [{"size": 64, "data.facts.context": context} for context in ("none", "gold")]
    rows = [row(cell, 0, accuracy=0.5) for cell in cells]
    (figure,) = figures(show_calibration(list_calibrations(rows, {"answers": answers_of(rows)})), "reliability")
    assert {"context=none", "context=gold"} <= {
        element.text for element in ET.fromstring(draw_svg(figure.chart, NARROW, "narrow")).iter("text")
    }
    other = [row({**cell, "train.context": number}, 0, accuracy=0.5) for number, cell in enumerate(cells)]
    (figure,) = figures(show_calibration(list_calibrations(other, {"answers": answers_of(other)})), "reliability")
    assert figure.table.texts[0][0] == "data.facts.context=none, train.context=0", "of two that end alike the whole"


def test_a_source_alone_is_told_against_the_untrained_model() -> None:
    """Of no examples of the target there is no training on the target alone."""
    notes = {figure.name: figure.note for figure in compose(crowded()).figures if "-gain-" in figure.name}
    assert "over the untrained model. ±" in notes["transfer-0-gain-0"]
    assert "over training on the target alone. ±" in notes["transfer-0-gain-512"]


def test_rows_without_confidence_are_no_diagram_and_broken_ones_no_end() -> None:
    rows = compare_rows()
    key = item_key(rows[1].cell, rows[1].seed)
    assert (
        show_calibration(list_calibrations(rows, {"nll": {key: [ItemRow("a", {"nll": 3.0, "tokens": 2})]}})).parts == ()
    )
    broken = [
        ItemRow.from_json({"item": "a", "confidence": confidence, "right": True})
        for confidence in (None, 1.2, "x", math.nan)
    ]
    assert show_calibration(list_calibrations(rows, {"answers": {key: broken}})).parts == ()
    whole = show_calibration(
        list_calibrations(rows, {"answers": {key: [*broken, ItemRow("b", {"confidence": 0.9, "right": 1})]}})
    )
    assert dots(figures(whole, "reliability")[0]) == [("", 0.9, 1.0, 1)]


@pytest.mark.parametrize(
    ("cell", "measure", "began"),
    [
        ({"method": "sl", "lr": 1}, "answers", {"method": None, "lr": 1}),
        ({"data": "a", "size": 8}, "answers", {"data": "a", "size": 0}),
        ({"source": "a", "target": "b", "size": 8}, "answers", {"source": None, "target": "b", "size": 0}),
        ({"source": "a", "target": "b", "size": 8}, "source.answers", {"source": "a", "target": "b", "size": 0}),
        ({"train.rank": 4, "model": "m"}, "answers", {"model": "m", "untrained": True}),
        ({"model": "m", "untrained": True}, "answers", None),
    ],
)
def test_what_is_drawn_below_is_what_the_training_began_from(
    cell: dict[str, Json], measure: str, began: dict[str, Json] | None
) -> None:
    assert next((beside for _, beside in list_baselines(cell, measure)), None) == began


def test_the_map_of_what_a_transfer_is_worth_says_the_multipliers() -> None:
    rows = transfer_rows(("code", "law", "science"), (0, 32, 128, 512))
    matrix = transfer_matrix(rows)
    maps = figures(compose(material("transfer", rows)), "transfer-0-worth")
    assert [figure.name.rpartition("-")[2] for figure in maps] == ["512", "128", "32"]
    for figure in maps:
        size = int(figure.name.rpartition("-")[2])
        titles = [title.text or "" for title in ET.fromstring(draw_svg(figure.chart, WIDE, "wide")).iter("title")]
        for cell in matrix.cells:
            if cell.size == size:
                worth = cell.multiplier
                assert worth is not None
                sign = f"{worth.censored} " if worth.censored else ""
                start = f"{cell.source} → {cell.target}: {sign}×{worth.value:.2g} ("
                assert [title for title in titles if title.startswith(start)], start
    most = ET.fromstring(draw_svg(maps[0].chart, WIDE, "wide"))
    colours = [square.get("class") for square in most.iter("rect") if square.get("rx") == "4"]
    assert colours == ["nothing", "plus", "plus", "minus", "nothing", "minus", "minus", "minus", "nothing"], (
        "what is more than the largest size shows is more, also where the bound is ×1"
    )


def test_one_size_alone_bounds_everything_by_once_and_is_no_map() -> None:
    assert figures(compose(material("transfer")), "transfer-0-worth") == []
    assert len(figures(compose(crowded()), "transfer-0-worth")) == 3


def chained(parts: list[tuple[str, str, int]]) -> tuple[list[RunResult], list[LearningCurve]]:
    """One run over these trainings: stage, what it measures, steps."""
    stages = [stage for stage, _, _ in parts]
    run = replace(row({"method": "chain"}, 0), stage=stages[-1], before=tuple(stages[:-1]))
    curves = [
        LearningCurve(stage, stage, what, [(step, 1 / step) for step in range(1, 1 + n)]) for stage, what, n in parts
    ]
    return [run], curves


def test_the_trainings_of_a_chain_stand_one_after_another() -> None:
    (figure,) = figures(show_trainings(*chained([("a", "nll", 40), ("b", "nll", 20)])), "training")
    assert [line[0] for line in figure.table.texts] == [
        "method=chain, training 1 of 2",
        "method=chain, training 2 of 2",
    ]
    ends = [
        [fmean(1 / step for step in part) for part in (range(1, 1 + n // 4), range(1 + n - n // 4, 1 + n))]
        for n in (40, 20)
    ]
    assert [[float(text) for text in line[2:4]] for line in figure.table.texts] == [
        pytest.approx(means, abs=1e-4) for means in ends
    ]
    paths = [path.get("d") or "" for path in ET.fromstring(draw_svg(figure.chart, WIDE, "wide")).iter("path")]
    spans = [[float(place.split()[0]) for place in re.split("[ML]", path) if place] for path in paths]
    assert len(spans) == 2
    assert all(first < second for span in spans for first, second in pairwise(span))
    long, short = (span[-1] - span[0] for span in spans)
    assert spans[0][-1] < spans[1][0] < spans[0][-1] + long / 10, "it begins where the other one ended"
    assert long / short == pytest.approx(39 / 19, rel=0.15), "steps are steps in both"
    assert "log scale" not in draw_svg(figure.chart, WIDE, "wide")


def test_a_chain_that_measures_two_things_has_each_in_its_figure_at_its_place() -> None:
    nll, reward = figures(show_trainings(*chained([("a", "nll", 40), ("b", "reward", 20)])), "training")
    assert "log scale" in draw_svg(nll.chart, WIDE, "wide")
    ticks = [
        float(label.text or 0)
        for label in ET.fromstring(draw_svg(reward.chart, WIDE, "wide")).iter("text")
        if label.get("text-anchor") == "middle" and label.get("class") == "tick"
    ]
    assert ticks
    assert all(40 <= tick <= 60 for tick in ticks), "the second begins after forty steps"


def test_one_point_is_a_table_in_every_face_and_no_drawing() -> None:
    """With the untrained model it is two points."""
    sized = [RunResult({"data": "code", "size": 16}, seed, "succeeded", {"nll": 2.25 + seed}) for seed in range(3)]
    report = compose(material("data_scaling", sized))
    (figure,) = (part for part in report.findings[0].parts if isinstance(part, Figure))
    assert not figure.is_drawn
    assert figure not in report.figures
    for face in (render_html(replace(report, evidence=()), ""), render_markdown(report, "figures")):
        assert "<svg" not in face
        assert f"{figure.name}.svg" not in face
        assert figure.table.texts[0][3] in face
    base = RunResult({"data": "code", "size": 0}, 0, "succeeded", {"nll": 4.0})
    assert figures(compose(material("data_scaling", [*sized, base])), "scaling")


def test_the_effects_of_the_axes_are_those_of_the_grid() -> None:
    rows = grid_rows()
    chosen = best_cell(rows, metric="nll")
    (figure,) = figures(compose(material("grid", rows)), "axes")
    cells = {(line[0], line[1]): line[3] for line in figure.table.texts}
    assert len(cells) == len(chosen.axes) == 13
    for axis in chosen.axes:
        assert axis.effect is not None
        assert cells[axis.axis, str(axis.value)].replace("−", "-").startswith(f"{axis.effect.mean:+.4f}")
        assert cells[axis.axis, str(axis.value)] in draw_svg(figure.chart, WIDE, "wide")
    single_axis = [replace(row, cell={"rank": row.cell["rank"]}) for row in rows if row.cell["learning_rate"] == 3e-4]
    assert figures(compose(material("grid", single_axis)), "axes") == [], "of a single axis the cells say it"
