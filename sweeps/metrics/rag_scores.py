"""Does a model use what it is given to read? Per-item scores of the same m items under several prompts.

closed: the question alone; opened: with the passage that holds the answer; distracted: with other passages only;
mixed: with both. Scores are (m,) arrays in [0, 1]; flags are (m,) arrays of 0 and 1. Contamination control: on facts
that are new, the closed score is about 0.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.metrics.matching import normalize_words

Floats = npt.NDArray[np.float64]
# Words that carry no fact: that they are in a passage supports nothing.
FUNCTION_WORDS = frozenset([
    "and", "or", "but", "of", "to", "in", "on", "at", "by", "for", "from", "with", "as", "is", "are", "was", "were",
    "be", "been", "it", "its", "this", "that", "he", "she", "they", "i", "you", "we", "not", "do", "does", "did",
    "has", "have", "had", "will", "would", "can", "could", "there", "which", "who", "what", "when", "where", "how",
])  # fmt: skip


class Abstention(NamedTuple):
    """None where there is nothing to divide by."""

    precision: float | None  # of what was left unanswered, the share that could not be answered
    recall: float | None  # of what could not be answered, the share that was left unanswered


def utilisation(closed: npt.ArrayLike, opened: npt.ArrayLike) -> float | None:
    """Compute the share of the possible gain: (A_open - A_closed) / (1 - A_closed); None if no gain was possible."""
    before, after = (float(scores.mean()) for scores in _pair_scores(closed, opened))
    return (after - before) / (1 - before) if before < 1 else None


def distractor_robustness(opened: npt.ArrayLike, mixed: npt.ArrayLike) -> float | None:
    """A_mix / A_open: 1 where other passages do no harm; None where nothing was right without them."""
    alone, among = (float(scores.mean()) for scores in _pair_scores(opened, mixed))
    return among / alone if alone > 0 else None


def abstention(abstained: npt.ArrayLike, unanswerable: npt.ArrayLike) -> Abstention:
    """Compute precision and recall of abstaining, from one flag for each item."""
    silent, hopeless = _pair_scores(abstained, unanswerable)
    both = float((silent * hopeless).sum())
    return Abstention(*(both / float(flags.sum()) if flags.any() else None for flags in (silent, hopeless)))


def token_support(answer: str, context: str) -> float | None:
    """Compute the share of an answer's content words that are in the passage; None for an answer without any."""
    words = [word for word in normalize_words(answer).split() if word not in FUNCTION_WORDS]
    known = set(normalize_words(context).split())
    return sum(word in known for word in words) / len(words) if words else None


def _pair_scores(before: npt.ArrayLike, after: npt.ArrayLike) -> tuple[Floats, Floats]:
    pair = np.asarray(before, float), np.asarray(after, float)
    if pair[0].ndim != 1 or pair[0].shape != pair[1].shape or not len(pair[0]):
        raise ValueError(f"scores {pair[0].shape} and {pair[1].shape}: of the same items, and one at least, is right")
    return pair
