"""How well a model tells classes apart, from the true classes (m,) and what it gave: classes (m,), or scores (m, k).

Classes are numbers from 0. A metric is about all items together, so each function returns values (m,) of the items.
Their mean is the metric, and they vary as it does to first order (its influence function, the delta method). So their
mean has the metric's standard error, and all that holds for means over items holds for them: pairing, clusters, seeds.
Classes that are right for no item are left out of every mean over classes.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


def count_confusions(true: npt.ArrayLike, chosen: npt.ArrayLike, classes: int) -> npt.NDArray[np.intp]:
    """Count the items of each true class (rows) for which each class was chosen (columns)."""
    right, given = _read_classes(true, chosen)
    return np.bincount(right * classes + given, minlength=classes**2).reshape(classes, classes)


def split_f1(true: npt.ArrayLike, chosen: npt.ArrayLike, number: int) -> Floats:
    """Split F1 of one class, 2·TP/(2·TP + FP + FN); 0 where it is neither true nor chosen."""
    right, given = _read_classes(true, chosen)
    is_right, is_given = right == number, given == number
    return _split_ratio(2.0 * (is_right & is_given), is_right.astype(float) + is_given)


def split_macro_f1(true: npt.ArrayLike, chosen: npt.ArrayLike) -> Floats:
    """Split the mean of F1 over the classes."""
    return np.asarray(np.mean([split_f1(true, chosen, number) for number in np.unique(true)], axis=0))


def split_balanced_accuracy(true: npt.ArrayLike, chosen: npt.ArrayLike) -> Floats:
    """Split the mean over the classes of the share of their items that are right (recall)."""
    right, given = _read_classes(true, chosen)
    recalls = [_split_ratio((right == number) & (given == number), right == number) for number in np.unique(right)]
    return np.asarray(np.mean(recalls, axis=0))


def split_auroc(true: npt.ArrayLike, scores: npt.ArrayLike) -> Floats | None:
    """Split the mean over the classes of AUROC, one against the rest; None where all items are of one class.

    AUROC is the chance that an item of the class has a higher score for it than one of the rest; half for equal ones
    (Mann and Whitney 1947). The values are the placements of DeLong et al. (1988).
    """
    right, given = np.asarray(true, np.intp), np.asarray(scores, float)
    if given.ndim != 2 or len(right) != len(given):
        raise ValueError(f"expected scores of shape (items, classes) for {len(right)} items, got {given.shape}")
    numbers = np.unique(right)
    if len(numbers) < 2:
        return None
    return np.asarray(np.mean([_split_one_auroc(right == number, given[:, number]) for number in numbers], axis=0))


def compute_log_odds(logprobs: npt.ArrayLike) -> Floats:
    """Turn log-probabilities (m, k) into log-odds of each class against the others.

    They order items as the softmax does, and never become equal because it rounds to 1.
    """
    values = np.asarray(logprobs, float)
    others = [np.logaddexp.reduce(np.delete(values, number, axis=1), axis=1) for number in range(values.shape[1])]
    return np.asarray(values - np.stack(others, axis=1))


def _split_one_auroc(is_right: npt.NDArray[np.bool_], scores: Floats) -> Floats:
    inside, outside = np.sort(scores[is_right]), np.sort(scores[~is_right])
    placements = np.where(is_right, _rank_among(outside, scores), 1 - _rank_among(inside, scores))
    area = placements[is_right].mean()
    shares = np.where(is_right, is_right.mean(), 1 - is_right.mean())
    return np.asarray(area + (placements - area) / shares)


def _rank_among(ordered: Floats, scores: Floats) -> Floats:
    """Return the share of ordered values that are lower than each score; equal ones count half."""
    places = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return np.asarray(places / 2 / len(ordered))


def _split_ratio(amounts: npt.ArrayLike, sizes: npt.ArrayLike) -> Floats:
    """Return values whose mean is Σ amounts / Σ sizes, and which vary as it does."""
    above, below = np.asarray(amounts, float), np.asarray(sizes, float)
    if not below.any():
        return np.zeros_like(below)
    ratio = above.sum() / below.sum()
    return np.asarray(ratio + (above - ratio * below) / below.mean())


def _read_classes(true: npt.ArrayLike, chosen: npt.ArrayLike) -> tuple[Places, Places]:
    right, given = np.asarray(true, np.intp), np.asarray(chosen, np.intp)
    if right.ndim != 1 or right.shape != given.shape or not len(right):
        raise ValueError(f"expected a true and a chosen class for each item, got {right.shape} and {given.shape}")
    return right, given
