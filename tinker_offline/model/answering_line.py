"""Find the line that answers a question: the earlier one with most of the question's words; and what it lacks of them.

The question is the line so far, where something begins behind it; a line of one word, such as `Assistant: `, is a
label, and then the question is the line before. Whole texts and those that grow are read by the same function.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

LABEL = 1  # words of a line that is no question, at most
MOST = 12  # words that are counted


class Evidence(NamedTuple):
    """The number of the line, 0 if no earlier one has a word of the question; and what it lacks.

    That is 1, 2, … up to the number of the words that it lacks, so that many is also at least few; then the hash of
    each, if there is a line.
    """

    line: int
    lacks: tuple[int, ...]


NO_QUESTION = Evidence(0, ())


def find_evidence(words: Sequence[int], lines: Sequence[int], line: int) -> Evidence:
    """Find the evidence for what begins in this line, given the complete words before it and the line of each."""
    start, end = bisect_left(lines, line), len(words)
    if end - start <= LABEL:
        end, start = start, bisect_left(lines, lines[start - 1]) if start else 0
    question = dict.fromkeys(words[start:end])
    shared = {(where, word) for where, word in zip(lines[:start], words[:start], strict=True) if word in question}
    counts = Counter(where for where, _ in shared)
    if not counts:
        return Evidence(0, _count_up(len(question)))
    best = max(counts, key=lambda where: (counts[where], where))
    missing = [word for word in question if (best, word) not in shared]
    return Evidence(best, (*_count_up(len(missing)), *missing))


def _count_up(number: int) -> tuple[int, ...]:
    return tuple(range(1, min(number, MOST) + 1))
