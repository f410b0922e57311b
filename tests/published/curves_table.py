"""Read the published curves: losses of models by the amount of training data, from several sources."""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.scaling.laws import Floats

FOLDER = Path(__file__).parent
CURVES = FOLDER / "curves.csv"
UNSEEN = FOLDER / "unseen.csv"  # found when the fit stood: nothing is learned from them, and nothing was chosen by them


@dataclass(frozen=True, eq=False)
class PublishedCurve:
    """One measured curve; `losses` has the same length as `sizes`, which ascend."""

    source: str
    name: str
    unit: str  # of the sizes: examples, tokens
    sizes: Floats
    losses: Floats


def read_curves(path: Path = CURVES) -> list[PublishedCurve]:
    """Read one curve per line, in the order of the file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            PublishedCurve(
                row["source"],
                row["curve"],
                row["unit"],
                np.array(row["sizes"].split(), float),
                np.array(row["losses"].split(), float),
            )
            for row in csv.DictReader(file)
        ]


def count_curves(curves: list[PublishedCurve]) -> dict[str, int]:
    """Count the curves of each source, in the order of their first curve."""
    return dict(Counter(curve.source for curve in curves))
