"""Metrics that are about all items together, item by item: the calibration errors and AURC.

Each is turned into values of the items whose mean is the metric itself, and which vary as it does to first order (its
influence function, the delta method), so that what holds of means over items holds of it too: pairing, clusters,
seeds. What is not of first order is the bias of a calibration error: a gap within a bin counts by its size, so that
noise alone makes one. `excess` says how much.
"""

import math

import numpy as np
import numpy.typing as npt

from sweeps.metrics.calibration import BINS, checked, places_in

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

TOGETHER = ("ece", "adaptive_ece", "aurc")


def parts(metric: str, p: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """(m,) values whose mean is the metric of confidences p (m,) and correctness y (m,).

    Of a calibration error: ±(p - y), the sign being that of the gap in the item's bin. Of AURC, with R(k) the error
    among the k most confident: R(r) + Σ_{k≥r} (error - R(k))/k for the item at rank r. Items of equal confidence have
    the mean of what their places give.
    """
    if metric == "aurc":
        return _of_aurc(*checked(p, y, probabilities=False))
    stated, right = checked(p, y)
    places = _bins(metric, stated)
    signs = np.sign(np.bincount(places, stated - _shared(stated, right)))[places]
    return _shared(stated, signs) * (stated - right)


def excess(metric: str, p: npt.ArrayLike, y: npt.ArrayLike, clusters: Places) -> float:
    """By how much noise alone makes the metric too large, to be expected of so many items; 0 of AURC.

    In a bin with a gap δ that is measured with an error s it is E|N(δ, s²)| - |δ|. Taken for δ are the gaps that are
    seen, all shrunk by the share of their squares that noise does not explain (as in Bröcker 2012, and in Kumar et al.
    2019, arXiv 1909.10155): near nothing where the model is calibrated, and near all where it plainly is not.
    """
    if metric == "aurc":
        return 0.0
    stated, right = checked(p, y)
    places = _bins(metric, stated)
    items = np.bincount(places)
    filled = np.maximum(items, 1)
    gaps = np.bincount(places, stated - _shared(stated, right)) / filled
    noise = _noise(stated - right - gaps[places], places, clusters, gaps)
    shares = items / len(stated)
    seen = float(shares @ gaps**2)
    left = max(0.0, float(shares @ (gaps**2 - noise))) / seen if seen else 0.0
    return float(shares @ _folded(np.abs(gaps) * math.sqrt(left), noise))


def _bins(metric: str, stated: Floats) -> Places:
    """Those of `calibration.ece` or `calibration.adaptive_ece`."""
    if metric == "ece":
        return places_in(stated, BINS)
    filled = np.array_split(np.argsort(-stated, kind="stable"), min(BINS, len(stated)))
    places = np.empty(len(stated), np.intp)
    for number, items in enumerate(filled):
        places[items] = number
    return places


def _shared(stated: Floats, values: Floats) -> Floats:
    """The mean of each item's value and of those with the same confidence."""
    _, group, counts = np.unique(stated, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(group, values) / counts)[group])


def _noise(rest: Floats, places: Places, clusters: Places, gaps: Floats) -> Floats:
    """The squared error of the gap of each bin, over its clusters; the whole gap where there is only one of them."""
    bins = len(gaps)
    pairs, at = np.unique(clusters * bins + places, return_inverse=True)
    of = pairs % bins
    count = np.bincount(of, minlength=bins)
    squares = np.bincount(of, np.bincount(at, rest) ** 2, bins) / np.maximum(np.bincount(places), 1) ** 2
    return np.where(count > 1, squares * count / np.maximum(count - 1, 1), gaps**2)


def _folded(gaps: Floats, noise: Floats) -> Floats:
    """E|N(δ, s²)| - |δ| of δ ≥ 0 and s²."""
    from scipy.special import erfc

    safe = np.where(noise > 0, noise, 1.0)
    rise = np.sqrt(2 * safe / np.pi) * np.exp(-(gaps**2) / (2 * safe)) - gaps * erfc(gaps / np.sqrt(2 * safe))
    return np.where(noise > 0, rise, 0.0)


def _of_aurc(stated: Floats, right: Floats) -> Floats:
    order = np.argsort(-stated, kind="stable")
    counts = np.arange(1, len(order) + 1)
    risks = np.cumsum(1 - _shared(stated, right)[order]) / counts
    weight, base = np.empty_like(stated), np.empty_like(stated)
    weight[order] = np.cumsum((1 / counts)[::-1])[::-1]
    base[order] = risks - np.cumsum((risks / counts)[::-1])[::-1]
    return np.asarray(_shared(stated, base) + _shared(stated, weight) * (1 - right))
