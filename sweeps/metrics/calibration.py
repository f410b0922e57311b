"""Does a model know when it is right? From stated confidences p (m,) in [0, 1] and correctness y (m,) in {0, 1}.

Calibration errors are biased upwards for few items: report m and the number of bins with them. Equal confidences have
no order: wherever one is needed, each of them counts with the mean correctness of all of them, so that no result
depends on the order of the items.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
BINS = 10


class Bin(NamedTuple):
    """One bar of a reliability diagram."""

    items: int
    confidence: float  # the mean of p
    accuracy: float  # the mean of y


def summarize(p: npt.ArrayLike, y: npt.ArrayLike, coverage: float) -> dict[str, float]:
    """Compute all metrics of calibration; selective accuracy at this coverage."""
    return {
        "ece": ece(p, y),
        "adaptive_ece": adaptive_ece(p, y),
        "aurc": aurc(p, y),
        "selective_accuracy": selective_accuracy(p, y, coverage),
    }


def reliability_bins(p: npt.ArrayLike, y: npt.ArrayLike, *, bins: int = BINS) -> list[Bin]:
    """Bins of equal width that are closed on the right, (0, 1/bins], …, and 0 in the first; empty ones are left out."""
    stated, right = check_confidences(p, y)
    return _bin(stated, right, assign_bins(stated, bins))


def ece(p: npt.ArrayLike, y: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error, Σ |B|/m·|accuracy(B) - confidence(B)| (Guo et al. 2017, arXiv 1706.04599).

    The bins are those of `reliability_bins`.
    """
    return _gap(reliability_bins(p, y, bins=bins))


def adaptive_ece(p: npt.ArrayLike, y: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Compute the ECE with bins of equal count (Nguyen & O'Connor 2015; Nixon et al. 2019, arXiv 1904.01685).

    With one bin it is |mean p - mean y|. With fewer items than bins each item has its own.
    """
    stated, right = _order(p, y)
    parts = np.array_split(np.arange(len(stated)), min(bins, len(stated)))
    return _gap([Bin(len(part), float(stated[part].mean()), float(right[part].mean())) for part in parts])


def aurc(confidence: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Area under risk against coverage: the mean over k of the error among the k most confident items.

    Geifman & El-Yaniv 2017, arXiv 1705.08500. `confidence` may be any score: only its order counts.
    """
    _, right = _order(confidence, y, probabilities=False)
    return float((np.cumsum(1 - right) / np.arange(1, len(right) + 1)).mean())


COVERAGE = 0.5  # selective accuracy, as a metric, is that of this share of the items


def selective_accuracy(confidence: npt.ArrayLike, y: npt.ArrayLike, coverage: float) -> float:
    """Compute the accuracy on the ⌈coverage·m⌉ most confident items, 0 < coverage ≤ 1."""
    if not 0 < coverage <= 1:
        raise ValueError(f"a coverage of {coverage}: above 0 and at most 1 is right")
    _, right = _order(confidence, y, probabilities=False)
    count = max(1, math.ceil(coverage * len(right) - 1e-9))  # 0.7·10 is a little more than 7
    return float(right[:count].mean())


def check_confidences(p: npt.ArrayLike, y: npt.ArrayLike, *, probabilities: bool = True) -> tuple[Floats, Floats]:
    stated, right = np.asarray(p, float), np.asarray(y, float)
    if stated.ndim != 1 or stated.shape != right.shape or not len(stated):
        raise ValueError(f"confidences {stated.shape} and correctness {right.shape}: each item has both")
    if not np.isin(right, (0, 1)).all():
        raise ValueError("correctness is 0 or 1")
    if np.isnan(stated).any() or (probabilities and not ((stated >= 0) & (stated <= 1)).all()):
        raise ValueError("a confidence is a probability, from 0 to 1")
    return stated, right


def _order(p: npt.ArrayLike, y: npt.ArrayLike, *, probabilities: bool = True) -> tuple[Floats, Floats]:
    """Order by confidence, highest first; equal confidences share their mean correctness."""
    stated, right = check_confidences(p, y, probabilities=probabilities)
    _, places, counts = np.unique(-stated, return_inverse=True, return_counts=True)
    shared = (np.bincount(places, right) / counts)[places]
    order = np.argsort(-stated, kind="stable")
    return stated[order], shared[order]


def assign_bins(stated: Floats, bins: int) -> npt.NDArray[np.intp]:
    return np.searchsorted(np.arange(1, bins) / bins, stated, side="left")


def _bin(stated: Floats, right: Floats, places: npt.NDArray[np.intp]) -> list[Bin]:
    counts = np.bincount(places)
    confidence, accuracy = np.bincount(places, stated), np.bincount(places, right)
    filled = np.flatnonzero(counts)
    return [Bin(int(counts[at]), float(confidence[at] / counts[at]), float(accuracy[at] / counts[at])) for at in filled]


def _gap(bins: list[Bin]) -> float:
    whole = sum(group.items for group in bins)
    return math.fsum(group.items * abs(group.accuracy - group.confidence) for group in bins) / whole
