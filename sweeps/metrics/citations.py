"""Does an answer cite the passages that support it? These functions are checks for a spec.

Write `answers: {check: "sweeps.metrics.citations:f1"}`.

An answer cites by marks such as [2], [2, 5] or [doc-7]. The passages that support it are the marks in the right answer,
or, without brackets, the whole text of each right answer: "[1][3]" or "1".
"""

import re
from collections.abc import Sequence

MARK = re.compile(r"\[([^\[\]]+)\]")


def list_citations(text: str) -> frozenset[str]:
    """List what a text cites: the words between brackets, split at commas and semicolons."""
    parts = (part.strip().lower() for inside in MARK.findall(text) for part in re.split(r"[,;]", inside))
    return frozenset(part for part in parts if part)


def precision(answer: str, answers: Sequence[str]) -> float:
    """Compute the share of the cited passages that are right; citing nothing is right if nothing supports an answer."""
    cited, right = list_citations(answer), _read_right(answers)
    return len(cited & right) / len(cited) if cited else float(not right)


def recall(answer: str, answers: Sequence[str]) -> float:
    """Compute the share of the right passages that are cited; 1 if none is right."""
    cited, right = list_citations(answer), _read_right(answers)
    return len(cited & right) / len(right) if right else 1.0


def f1(answer: str, answers: Sequence[str]) -> float:
    """Compute the harmonic mean of precision and recall."""
    both = precision(answer, answers), recall(answer, answers)
    return 2 * both[0] * both[1] / sum(both) if sum(both) else 0.0


def _read_right(answers: Sequence[str]) -> frozenset[str]:
    texts = [text if MARK.search(text) else f"[{text}]" for text in answers]
    return frozenset().union(*map(list_citations, texts))
