"""The answers that state a confidence, cell by cell, beside those of the model that each training began from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sweeps.analysis.baselines import list_baselines
from sweeps.analysis.targets import name_cells
from sweeps.evaluation.answers import ANSWERS
from sweeps.evaluation.choice import CHANCE
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.metrics.calibration import Bin, aurc, ece, reliability_bins, selective_accuracy
from sweeps.records import canonicalize_row
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key, select_stated

COVERAGES = [step / 20 for step in range(1, 21)]


@dataclass(frozen=True)
class StatedAnswers:
    """The answers of one cell over all its seeds: the stated confidence, and whether each was right."""

    cell: Mapping[str, Json]
    name: str  # the cell, as far as it differs from the others
    seeds: int
    confidence: Sequence[float]
    right: Sequence[float]

    @cached_property
    def ece(self) -> float:
        return ece(self.confidence, self.right)

    @cached_property
    def aurc(self) -> float:
        return aurc(self.confidence, self.right)

    @cached_property
    def bins(self) -> list[Bin]:
        return reliability_bins(self.confidence, self.right)

    @cached_property
    def curve(self) -> list[tuple[float, float]]:
        """The share that is right, by the share that is answered."""
        return [(share, self.find_accuracy(share)) for share in COVERAGES]

    def find_accuracy(self, coverage: float) -> float:
        """Return the share that is right among this share of the answers, those it is surest of."""
        return selective_accuracy(self.confidence, self.right, coverage)


@dataclass(frozen=True)
class Calibration:
    """The cells of one measure that state a confidence.

    `pairs` are the cells that are no baseline of another one, each with its own: the untrained model, or on the
    source's items the source alone.
    """

    measure: str
    cells: Sequence[StatedAnswers]
    pairs: Sequence[tuple[StatedAnswers, StatedAnswers | None]]
    written: bool = False  # confidence is the probability of a whole text, and not that of a candidate or of agreement


def list_calibrations(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[Calibration]:
    """List the measures whose items state a confidence."""
    calibrations = (_read_measure(measure, rows, kept) for measure, kept in items.items())
    return [calibration for calibration in calibrations if calibration.cells]


def _read_measure(measure: str, rows: Sequence[RunResult], items: Items) -> Calibration:
    stated_cells = []
    for cell, runs in group_by_cell(keep_measured(rows)):
        kept = [items[key] for run in runs if (key := item_key(cell, run.seed)) in items]
        answers, confidence, right = select_stated([row for run_rows in kept for row in run_rows])
        if answers:
            stated_cells.append(StatedAnswers(cell, "", len(kept), confidence.tolist(), right.tolist()))
    names = name_cells([stated.cell for stated in stated_cells])
    known = {
        canonicalize_row(stated.cell): replace(stated, name=name)
        for stated, name in zip(stated_cells, names, strict=True)
    }
    pairs = []
    for stated in known.values():
        baselines = (canonicalize_row(beside) for _, beside in list_baselines(stated.cell, measure))
        pairs.append((stated, next((known[key] for key in baselines if key in known), None)))
    bases = {id(base) for _, base in pairs if base}
    apart = [pair for pair in pairs if id(pair[0]) not in bases]
    return Calibration(measure, list(known.values()), apart, _is_written(measure, items))


def _is_written(measure: str, items: Items) -> bool:
    """Whether the answers are single texts: neither chosen among candidates nor sampled several times."""
    values = next((row.values for rows in items.values() for row in rows), {})
    return get_base_name(measure) == ANSWERS.name and not {CHANCE, "agreement"} & values.keys()
