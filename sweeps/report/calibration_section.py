"""Whether a model knows when it is right: reliability diagrams, and accuracy if it may decline to answer."""

from collections.abc import Sequence

import numpy as np

from sweeps.analysis.calibration_cells import Calibration, StatedAnswers
from sweeps.figures.charts import LineChart, ReliabilityChart
from sweeps.figures.drawn_part import choose_evenly
from sweeps.figures.lines import Line, Plot
from sweeps.figures.reliability_diagrams import Panels, ReliabilityDiagram, Spot
from sweeps.figures.svg import UNTRAINED
from sweeps.formatting import format_count
from sweeps.metrics.calibration import BINS
from sweeps.report.document import Figure, Part, Section, make_table

MOST = 6  # diagrams in one figure: as many as a sheet of paper holds
CURVES = 7  # cells in one plot of what declining buys, besides the untrained model
LONG = 12  # rows of a table that is shown at once
NOTE = (
    f"Answers in {BINS} bins of equal width by their confidence, all seeds together. On the diagonal a model is right "
    "as often as it says; below it, it is too sure. ECE is the mean distance from it; where answers are few, chance "
    "alone makes one. Other tables have the means of the seeds' own ECE and selective "
    "accuracy; of all seeds together, ECE is mostly smaller."
)
WRITTEN = (
    f"Answers in {BINS} bins of equal width by their confidence, all seeds together. Here confidence is the "
    "probability of the whole answer as it was written. A long answer, or one that ends by chance, has a low one "
    "whatever the model knows, so the distance from the diagonal (ECE) gives no verdict. Compare the order instead: "
    "what is right of the answers that it is surest of."
)
DECLINING = (
    "What is right among the answers that it is surest of. A curve that falls to the right belongs to a model whose "
    "confidence tells right from wrong."
)


def show_calibration(calibrations: Sequence[Calibration]) -> Section:
    """Draw two figures for each measure whose items state a confidence."""
    parts = list[Part]()
    for place, calibration in enumerate(calibrations):
        parts += [
            _draw_reliability(f"reliability-{place}", calibration),
            _draw_declining(f"declining-{place}", calibration),
        ]
    return Section("Does it know when it is right?", tuple(parts))


def _draw_reliability(name: str, calibration: Calibration) -> Figure:
    bins = [row for cell in calibration.cells for row in _list_bins(cell)]
    panels = choose_evenly([_draw_panel(cell, base) for cell, base in calibration.pairs], MOST)
    title = f"Confidence and correctness ({calibration.measure})"
    words = "; ".join(f"{panel.name}: {', '.join(panel.said)}" for panel in panels)
    legend = _say_left_out(len(panels), len(calibration.pairs))
    plot = Panels(name, title, words, BINS)
    note = WRITTEN if calibration.written else NOTE
    return Figure(ReliabilityChart(plot, panels), make_table(bins, folded=True), legend, note)


def _draw_panel(cell: StatedAnswers, base: StatedAnswers | None) -> ReliabilityDiagram:
    error = f"ECE {cell.ece:.3f}" if base is None else f"ECE {base.ece:.3f} → {cell.ece:.3f}"
    many = f"{len(cell.right):,} answers, {format_count(cell.seeds, 'seed')}"
    return ReliabilityDiagram(cell.name, (error, many), _list_spots(cell), _list_spots(base) if base else ())


def _list_spots(cell: StatedAnswers) -> list[Spot]:
    return [(bar.confidence, bar.accuracy, bar.items) for bar in cell.bins]


def _list_bins(cell: StatedAnswers) -> list[dict[str, object]]:
    return [
        {
            "condition": cell.name,
            "ECE": round(cell.ece, 4),
            "confidence": round(bar.confidence, 4),
            "right": round(bar.accuracy, 4),
            "answers": bar.items,
        }
        for bar in cell.bins
    ]


def _draw_declining(name: str, calibration: Calibration) -> Figure:
    """Draw selective accuracy by coverage, for the cells and their baselines."""
    rows = [_describe_answers(cell) for cell in calibration.cells]
    drawn = choose_evenly(calibration.pairs, CURVES)
    bases = list({id(base): base for _, base in drawn if base}.values())
    series = [Line(cell.name, curve=cell.curve, kind=place) for place, (cell, _) in enumerate(drawn)]
    if len(bases) == 1:
        series.append(Line(bases[0].name, curve=bases[0].curve, kind=UNTRAINED))
    title = f"If it may decline to answer ({calibration.measure})"
    words = "; ".join(f"{line.name}: {line.curve[0][1]:.3f} to {line.curve[-1][1]:.3f} right" for line in series)
    across = "share of the questions that it answers"
    plot = Plot(name, title, words, across, "share that is right", log=False, height=300)
    legend = _say_left_out(len(drawn), len(calibration.pairs))
    return Figure(LineChart(plot, series), make_table(rows, folded=len(rows) > LONG), legend, DECLINING)


def _describe_answers(cell: StatedAnswers) -> dict[str, object]:
    return {
        "condition": cell.name,
        "answers": len(cell.right),
        "right": round(float(np.mean(cell.right)), 4),
        "confidence": round(float(np.mean(cell.confidence)), 4),
        "ECE": round(cell.ece, 4),
        **{f"right of {share:.0%}": round(cell.find_accuracy(share), 4) for share in (0.8, 0.5)},
        "AURC": round(cell.aurc, 4),
    }


def _say_left_out(drawn: int, there: int) -> str:
    return f"{drawn} of {there:,} conditions are drawn, evenly chosen." if drawn < there else ""
