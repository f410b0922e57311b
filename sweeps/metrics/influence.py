"""Metrics of all items together, split by item: the calibration errors, AURC and selective accuracy.

Each is turned into values of the items whose mean is the metric, and which vary as it does to first order (its
influence function, the delta method). So all that holds for means over items holds for it: pairing, clusters, seeds.
`resample` draws the items again, and removes from a calibration error what is not of first order: its bias.
"""

import math

import numpy as np
import numpy.typing as npt

from sweeps.metrics.calibration import BINS, COVERAGE, assign_bins, check_confidences

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

SELECTIVE = "selective_accuracy"
POOLED = ("ece", "adaptive_ece", "aurc", SELECTIVE)


def split_by_item(metric: str, p: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
    """Return (m,) values whose mean is the metric of confidences p (m,) and correctness y (m,).

    A calibration error gives ±(p - y), with the sign of the gap in the item's bin. AURC gives the item at rank r the
    value R(r) + Σ_{k≥r} (error - R(k))/k, with R(k) the error among the k most confident. Items of equal confidence get
    the mean of their ranks' values. Selective accuracy, over the share c of the items, gives w/c·y - b·(w/c - 1), with
    w how much of the item is among them, and b the accuracy around the last of them: another item there moves it on.
    """
    if metric == "aurc":
        return _split_aurc(*check_confidences(p, y, probabilities=False))
    if metric == SELECTIVE:
        return _split_selective(*check_confidences(p, y, probabilities=False))
    stated, right = check_confidences(p, y)
    places = _assign(metric, stated)
    signs = np.sign(np.bincount(places, stated - _share_ties(stated, right)))[places]
    return _share_ties(stated, signs) * (stated - right)


def resample(metric: str, p: npt.ArrayLike, y: npt.ArrayLike, clusters: Places, weights: Floats) -> Floats:
    """Return (draws,) values of the metric without its bias; `weights` (draws, clusters) weigh the items' clusters.

    A gap within a bin counts by its size, so noise alone makes a calibration error: a gap δ measured with an error s
    adds E|N(δ, s²)| - |δ|. Taken for δ are the observed gaps, shrunk by the share of their squares that noise does not
    explain (the positive part of James and Stein): almost nothing is left of them if the model is calibrated, almost
    all if it plainly is not. AURC and selective accuracy have no such bias.
    """
    if metric == SELECTIVE:
        return _resample_selective(*check_confidences(p, y, probabilities=False), weights[:, clusters])
    if metric == "aurc":
        sums = np.bincount(clusters, split_by_item(metric, p, y), weights.shape[1])
        return np.asarray((weights @ sums) / (weights @ np.bincount(clusters, minlength=weights.shape[1])))
    stated, right = check_confidences(p, y)
    items, gaps, noise = _gaps(_assign(metric, stated), stated - right, clusters, weights)
    shares = items / items.sum(axis=1, keepdims=True)
    seen, by_noise = (shares * gaps**2).sum(axis=1), (shares * noise).sum(axis=1)
    kept = np.maximum(0.0, 1 - by_noise / np.where(seen > 0, seen, 1.0))
    bias = _fold(np.abs(gaps) * kept[:, None], noise)
    return np.asarray((shares * (np.abs(gaps) - bias)).sum(axis=1))


def _split_selective(stated: Floats, right: Floats) -> Floats:
    count, shared = max(1, math.ceil(COVERAGE * len(right) - 1e-9)), _share_ties(stated, right)
    order = np.argsort(-stated, kind="stable")
    among = np.zeros(len(right))
    among[order[:count]] = 1.0
    among = _share_ties(stated, among) * len(right) / count
    near = max(1, round(math.sqrt(len(right))))
    border = float(shared[order[max(0, count - near) : count + near]].mean())
    return np.asarray(among * right - border * (among - 1))


def _resample_selective(stated: Floats, right: Floats, weights: Floats) -> Floats:
    """Compute it for items that count (draws, m) times; those of equal confidence are in it with the same share."""
    _, place = np.unique(-stated, return_inverse=True)
    groups = np.zeros((len(stated), int(place.max()) + 1))
    groups[np.arange(len(stated)), place] = 1.0
    sizes, sums = weights @ groups, (weights * right) @ groups
    wanted = np.maximum(1, np.ceil(COVERAGE * sizes.sum(axis=1, keepdims=True) - 1e-9))
    inside = np.clip(wanted - (np.cumsum(sizes, axis=1) - sizes), 0.0, sizes)
    return np.asarray((inside * sums / np.maximum(sizes, 1e-300)).sum(axis=1) / wanted[:, 0])


def _assign(metric: str, stated: Floats) -> Places:
    """Assign the items to the bins of `calibration.ece` or `calibration.adaptive_ece`."""
    if metric == "ece":
        return assign_bins(stated, BINS)
    filled = np.array_split(np.argsort(-stated, kind="stable"), min(BINS, len(stated)))
    places = np.empty(len(stated), np.intp)
    for number, items in enumerate(filled):
        places[items] = number
    return places


def _share_ties(stated: Floats, values: Floats) -> Floats:
    """Replace each value by the mean over the items with the same confidence."""
    _, group, counts = np.unique(stated, return_inverse=True, return_counts=True)
    return np.asarray((np.bincount(group, values) / counts)[group])


def _gaps(places: Places, errors: Floats, clusters: Places, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """(draws, bins) the items of each bin, the mean of their errors p - y, and its squared error over clusters.

    Where there is only one cluster in a bin the whole gap is taken for noise.
    """
    bins, count = int(places.max()) + 1, weights.shape[1]
    cells = clusters * bins + places
    sizes, sums = (
        np.bincount(cells, summands, count * bins).reshape(count, bins) for summands in (np.ones(len(cells)), errors)
    )
    columns = np.hstack([sizes, sums, sizes**2, sums * sizes, sums**2, (sizes > 0).astype(float)])
    items, added, sizes2, products, sums2, filled = np.split(np.einsum("dc,ck->dk", weights, columns), 6, axis=1)
    gaps = added / np.maximum(items, 1)
    squares = sums2 - 2 * gaps * products + gaps**2 * sizes2
    noise = np.maximum(squares, 0) * filled / np.maximum(filled - 1, 1) / np.maximum(items, 1) ** 2
    return items, gaps, np.where(filled > 1, noise, gaps**2)


def _fold(gaps: Floats, noise: Floats) -> Floats:
    """E|N(δ, s²)| - |δ| of δ ≥ 0 and s²."""
    from scipy.special import erfc

    safe = np.where(noise > 0, noise, 1.0)
    rise = np.sqrt(2 * safe / np.pi) * np.exp(-(gaps**2) / (2 * safe)) - gaps * erfc(gaps / np.sqrt(2 * safe))
    return np.where(noise > 0, rise, 0.0)


def _split_aurc(stated: Floats, right: Floats) -> Floats:
    order = np.argsort(-stated, kind="stable")
    counts = np.arange(1, len(order) + 1)
    risks = np.cumsum(1 - _share_ties(stated, right)[order]) / counts
    weight, base = np.empty_like(stated), np.empty_like(stated)
    weight[order] = np.cumsum((1 / counts)[::-1])[::-1]
    base[order] = risks - np.cumsum((risks / counts)[::-1])[::-1]
    return np.asarray(_share_ties(stated, base) + _share_ties(stated, weight) * (1 - right))
