"""Whether a model knows when it is right: reliability diagrams, and accuracy if it may decline to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.analysis.changes import list_baselines
from sweeps.analysis.targets import describe_cell, find_shared_keys
from sweeps.figures.charts import LineChart, ReliabilityChart
from sweeps.figures.lines import Line, Plot
from sweeps.figures.reliability_diagrams import Panels, ReliabilityDiagram, Spot
from sweeps.figures.svg import UNTRAINED
from sweeps.formatting import format_count
from sweeps.metrics.calibration import BINS, aurc, ece, reliability_bins, selective_accuracy
from sweeps.records import canonicalize_row
from sweeps.report.document import Figure, Part, Section, choose_evenly, make_table
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key, select_stated

MOST = 6  # diagrams in one figure: as many as a sheet of paper holds
CURVES = 7  # cells in one plot of what declining buys, besides the untrained model
LONG = 12  # rows of a table that is shown at once
COVERAGES = [each / 20 for each in range(1, 21)]
NOTE = (
    f"Answers in {BINS} bins of equal width by their confidence, all seeds together. On the diagonal a model is right "
    "as often as it says; below it, it is too sure. ECE is the mean distance from it; where answers are few, chance "
    "alone makes one."
)
DECLINING = (
    "What is right among the answers that it is surest of. A curve that falls to the right belongs to a model whose "
    "confidence tells right from wrong."
)


@dataclass(frozen=True)
class Stated:
    """The answers of one cell over all its seeds: the stated confidence, and whether each was right."""

    cell: Mapping[str, Json]
    seeds: int
    confidence: Sequence[float]
    right: Sequence[float]

    @property
    def ece(self) -> float:
        return ece(self.confidence, self.right)

    @property
    def spots(self) -> list[Spot]:
        return [(each.confidence, each.accuracy, each.items) for each in reliability_bins(self.confidence, self.right)]

    def declining(self, coverage: float) -> float:
        return selective_accuracy(self.confidence, self.right, coverage)


def show_calibration(rows: Sequence[RunResult], items: Mapping[str, Items]) -> Section:
    """Draw two figures for each measure whose items state a confidence."""
    parts = list[Part]()
    found = [(measure, _collect_confidences(rows, kept)) for measure, kept in items.items()]
    for place, (measure, cells) in enumerate((measure, cells) for measure, cells in found if cells):
        parts += _figures(str(place), measure, cells)
    return Section("Does it know when it is right?", tuple(parts))


def _collect_confidences(rows: Sequence[RunResult], items: Items) -> list[Stated]:
    found = []
    for cell, runs in group_by_cell(keep_measured(rows)):
        kept = [items[key] for run in runs if (key := item_key(cell, run.seed)) in items]
        answers, confidence, right = select_stated([row for each in kept for row in each])
        if answers:
            found.append(Stated(cell, len(kept), confidence.tolist(), right.tolist()))
    return found


def _figures(place: str, measure: str, cells: Sequence[Stated]) -> list[Figure]:
    known = {canonicalize_row(each.cell): each for each in cells}
    pairs = [(each, _base(known, measure, each)) for each in cells]
    bases = {id(base) for _, base in pairs if base}
    alone = [pair for pair in pairs if id(pair[0]) not in bases]
    return [
        _reliability(f"reliability-{place}", measure, alone, cells),
        _declining(f"declining-{place}", measure, alone, cells),
    ]


def _base(known: Mapping[bytes, Stated], measure: str, each: Stated) -> Stated | None:
    """Find the baseline: the untrained model, or on the source's items the source alone."""
    return next(
        (known[key] for _, cell in list_baselines(each.cell, measure) if (key := canonicalize_row(cell)) in known), None
    )


Pairs = Sequence[tuple[Stated, Stated | None]]


def _reliability(name: str, measure: str, pairs: Pairs, cells: Sequence[Stated]) -> Figure:
    drawn, same = choose_evenly(pairs, MOST), find_shared_keys([each.cell for each in cells])
    panels = [_panel(each, base, same) for each, base in drawn]
    title = f"Confidence and correctness ({measure})"
    told = "; ".join(f"{each.name}: {', '.join(each.said)}" for each in panels)
    plot = Panels(name, title, told, BINS)
    bins = [row for each in cells for row in _bins(each, same)]
    legend = _left(len(drawn), len(pairs)).strip()
    return Figure(ReliabilityChart(plot, panels), make_table(bins, folded=True), legend, NOTE)


def _panel(each: Stated, base: Stated | None, same: set[str]) -> ReliabilityDiagram:
    error = f"ECE {each.ece:.3f}" if base is None else f"ECE {base.ece:.3f} → {each.ece:.3f}"
    many = f"{len(each.right):,} answers, {format_count(each.seeds, 'seed')}"
    return ReliabilityDiagram(_name_cell(each.cell, same), (error, many), each.spots, base.spots if base else ())


def _bins(each: Stated, same: set[str]) -> list[dict[str, object]]:
    return [
        {
            "cell": _name_cell(each.cell, same),
            "ECE": round(each.ece, 4),
            "confidence": round(stated, 4),
            "right": round(right, 4),
            "answers": items,
        }
        for stated, right, items in each.spots
    ]


def _declining(name: str, measure: str, pairs: Pairs, cells: Sequence[Stated]) -> Figure:
    """Draw selective accuracy by coverage, for the cells and their baselines."""
    same = find_shared_keys([each.cell for each in cells])
    drawn = choose_evenly([each for each, _ in pairs], CURVES)
    bases = list({id(base): base for each, base in pairs if base and each in drawn}.values())
    series = [Line(_name_cell(each.cell, same), curve=_curve(each), kind=place) for place, each in enumerate(drawn)]
    if len(bases) == 1:
        series.append(Line(_name_cell(bases[0].cell, same), curve=_curve(bases[0]), kind=UNTRAINED))
    title = f"If it may decline to answer ({measure})"
    told = "; ".join(f"{each.name}: {each.curve[0][1]:.3f} to {each.curve[-1][1]:.3f} right" for each in series)
    across = "share of the questions that it answers"
    plot = Plot(name, title, told, across, "share that is right", log=False, height=300)
    numbers = make_table([_row(each, same) for each in cells], folded=len(cells) > LONG)
    return Figure(LineChart(plot, series), numbers, _left(len(drawn), len(pairs)).strip(), DECLINING)


def _curve(each: Stated) -> list[tuple[float, float]]:
    return [(share, each.declining(share)) for share in COVERAGES]


def _row(each: Stated, same: set[str]) -> dict[str, object]:
    return {
        "cell": _name_cell(each.cell, same),
        "answers": len(each.right),
        "right": round(float(np.mean(each.right)), 4),
        "confidence": round(float(np.mean(each.confidence)), 4),
        "ECE": round(each.ece, 4),
        **{f"right of {share:.0%}": round(each.declining(share), 4) for share in (0.8, 0.5)},
        "AURC": round(aurc(each.confidence, each.right), 4),
    }


def _name_cell(cell: Mapping[str, Json], same: set[str]) -> str:
    if "method" in cell:
        first, rest = "untrained" if cell["method"] is None else str(cell["method"]), ["method"]
    elif cell.get("size") == 0 and cell.get("source") is None:
        first, rest = "untrained", ["size", "source"]
    else:
        first, rest = "", []
    left = {key: value for key, value in cell.items() if key not in (*same, *rest)}
    return ", ".join(filter(None, (first, describe_cell(_shortly(left))))) or "all runs"


def _shortly(cell: Mapping[str, Json]) -> Mapping[str, Json]:
    """Shorten paths to their last words where those are unique: a diagram has little room for a name."""
    short = {key.rpartition(".")[2]: value for key, value in cell.items()}
    return short if len(short) == len(cell) else cell


def _left(drawn: int, there: int) -> str:
    return f" {drawn} of {there:,} cells are drawn, evenly chosen." if drawn < there else ""
