"""Count how often the answers about published curves hold, by source and horizon, and compare with a baseline."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.published.curves_table import FOLDER
from tests.published.questions_asked import HORIZONS, Judgement

BASELINE = FOLDER / "baseline.csv"
EVERY_SOURCE = "all"


class HeldTally(NamedTuple):
    """Counts and medians of the judgements of one source at one horizon. Shares are of the answered ones."""

    source: str
    horizon: str
    asked: int
    answered: int
    held: float
    band_held: float
    band_width: float  # median, in natural logarithms
    interval_width: float  # the same; infinite where half of the intervals are open
    open_share: float
    unwarned: float  # share whose interval does not hold the truth and whose fit has no warning
    error: float  # median of the absolute error of the curve, in natural logarithms

    @property
    def refused(self) -> float:
        return 1 - self.answered / self.asked


def count_held(source: str, horizon: str, judgements: Iterable[Judgement]) -> HeldTally:
    """Count the judgements of one source at one horizon."""
    every = [judgement for judgement in judgements if judgement.horizon == horizon]
    answered = [judgement for judgement in every if judgement.answered]
    wrong = [judgement for judgement in answered if not judgement.held]
    widths = [judgement.interval_width for judgement in answered]
    return HeldTally(
        source,
        horizon,
        len(every),
        len(answered),
        held=1 - len(wrong) / max(len(answered), 1),
        band_held=_share(answered, sum(judgement.band_held for judgement in answered)),
        band_width=_median([judgement.band_width for judgement in answered]),
        interval_width=_median(widths),
        open_share=_share(answered, sum(map(math.isinf, widths))),
        unwarned=_share(answered, sum(not judgement.warned for judgement in wrong)),
        error=_median([abs(judgement.error) for judgement in answered]),
    )


def tally_sources(judgements: Sequence[Judgement]) -> list[HeldTally]:
    """Tally each source at each horizon, and then all sources together."""
    sources = dict.fromkeys(judgement.source for judgement in judgements)
    tallies = [
        count_held(source, horizon, [judgement for judgement in judgements if judgement.source == source])
        for source in sources
        for horizon in HORIZONS
    ]
    tallies += [count_held(EVERY_SOURCE, horizon, judgements) for horizon in HORIZONS]
    return [tally for tally in tallies if tally.asked]


def _share(whole: Sequence[object], part: int) -> float:
    return part / len(whole) if whole else math.nan


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else math.nan


def write_tallies(tallies: Sequence[HeldTally], commit: str, path: Path) -> None:
    """Write tallies with the commit whose code they measure."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("commit", *HeldTally._fields))
        for tally in tallies:
            table.writerow((commit, *(f"{value:.4g}" if isinstance(value, float) else value for value in tally)))


def read_tallies(path: Path) -> tuple[str, dict[tuple[str, str], HeldTally]]:
    """Read the commit and the tallies by source and horizon; no tallies where there is no file."""
    if not path.exists():
        return "", {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    tallies = [_read_tally(row) for row in rows]
    return rows[0]["commit"], {(tally.source, tally.horizon): tally for tally in tallies}


def _read_tally(row: dict[str, str]) -> HeldTally:
    names, counts = ("source", "horizon"), ("asked", "answered")
    texts = [row[name] for name in names]
    numbers = [float(row[name]) for name in HeldTally._fields if name not in (*names, *counts)]
    return HeldTally(texts[0], texts[1], int(row["asked"]), int(row["answered"]), *numbers)


def divide_widths(tally: HeldTally, baseline: dict[tuple[str, str], HeldTally]) -> float:
    """Divide the median width of the loss band by the baseline's; not a number where that has none."""
    before = baseline.get((tally.source, tally.horizon))
    return tally.band_width / before.band_width if before and before.band_width > 0 else math.nan


def list_differences(tallies: Sequence[HeldTally], recorded: dict[tuple[str, str], HeldTally]) -> Iterator[str]:
    """List where tallies differ from the recorded ones: in a count, or in a share by half of one percent."""
    if {(tally.source, tally.horizon) for tally in tallies} != set(recorded):
        yield "the sources and horizons are not those of the record"
    for tally in tallies:
        before = recorded.get((tally.source, tally.horizon))
        if before is None:
            continue
        same_counts = (tally.asked, tally.answered) == (before.asked, before.answered)
        shares = ((tally.held, before.held), (tally.band_held, before.band_held), (tally.unwarned, before.unwarned))
        if not same_counts or any(abs(new - old) > 0.005 for new, old in shares):
            yield f"{tally.source} at {tally.horizon}: {tally} is not what was recorded: {before}"
