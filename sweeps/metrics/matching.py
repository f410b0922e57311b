"""Is an answer right? Text against the answers that count as right: each function is about one item.

`normalised`, `exact_match` and `f1` follow the evaluation of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250): lower
case, no punctuation, no articles, single spaces; of several right answers the best counts. But where that leaves
nothing, what would have been left out is the answer: a choice `A`, a sign `+`. And of a number what looks like
punctuation is a part: -5, .5 and 3/4 are not 5, 5 and 34 (`sweeps.metrics.numbers`).
"""

import re
import string
from collections import Counter
from collections.abc import Hashable, Sequence

from sweeps.metrics.notation import simplify_notation
from sweeps.metrics.numbers import find_number, find_spans, is_same, round_number

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_words(text: str) -> str:
    """Normalise a text as SQuAD compares it, but keep every number digit for digit."""
    return " ".join(ARTICLES.sub(" ", _strip_punctuation(text)).split())


def normalize_text(text: str) -> str:
    """Normalise a text, but keep articles or punctuation if the text has nothing else."""
    articles = _strip_punctuation(text)
    return normalize_words(text) or " ".join((articles if articles.strip() else text.lower()).split())


def _strip_punctuation(text: str) -> str:
    """Write a text in lower case, without the punctuation between numbers and around words."""
    plain, place, parts = simplify_notation(text), 0, []
    for span in find_spans(plain):
        parts += [plain[place : span.start].translate(PUNCTUATION), span.spelled]
        place = span.end
    return " ".join([*parts, plain[place:].translate(PUNCTUATION)]).lower()


def exact_match(answer: str, *right: str) -> float:
    """1 where the answer is, as it is compared, one of the right ones; else 0."""
    return float(normalize_text(answer) in {normalize_text(wanted) for wanted in right})


def f1(answer: str, *right: str) -> float:
    """Compute the harmonic mean of precision and recall over counted words; the best over the right answers.

    An answer without words matches only a right one without words, as in SQuAD 2.0.
    """
    return max(
        (_overlap(normalize_text(answer).split(), normalize_text(wanted).split()) for wanted in right), default=0.0
    )


def _overlap(given: list[str], wanted: list[str]) -> float:
    if not given or not wanted:
        return float(given == wanted)
    return 2 * (Counter(given) & Counter(wanted)).total() / (len(given) + len(wanted))


def numeric_match(answer: str, *right: str) -> float:
    """1 where the answer gives the number that one of the right ones gives; else 0, and where there is no number."""
    given = find_number(answer)
    wanted = [number for text in right if (number := find_number(text)) is not None]
    return float(given is not None and any(is_same(given, number) for number in wanted))


def read_meaning(text: str, check: str) -> Hashable:
    """Return what distinguishes answers: their number if numbers are asked for, else the normalised text."""
    number = find_number(text) if check == "numeric" else None
    return normalize_text(text) if number is None else round_number(number)


def regex_match(answer: str, pattern: str) -> float:
    """1 where the whole answer, without space around it, is matched; else 0. Say `.*` for what may stand around."""
    return float(re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None)


def any_match(answer: str, patterns: Sequence[str]) -> float:
    """Say whether any of several patterns matches. A pattern can run for ever: call it where it can be ended."""
    return max(regex_match(answer, pattern) for pattern in patterns)
