"""Is an answer right? Text against the answers that count as right: each function is about one item.

`normalised`, `exact_match` and `f1` follow the evaluation of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250): lower
case, no punctuation, no articles, single spaces; of several right answers the best counts. But where that leaves
nothing, what would have been left out is the answer: a choice `A`, a sign `+`.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)
NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?\.?\d+(?:[eE][-+]?\d+)?|[-+]?\d+\.")


def normalised(text: str) -> str:
    """The text as SQuAD compares it."""
    return " ".join(ARTICLES.sub(" ", text.lower().translate(PUNCTUATION)).split())


def compared(text: str) -> str:
    """The same; of what is nothing but articles these, and of what is nothing but punctuation that."""
    signs = text.lower()
    articles = signs.translate(PUNCTUATION)
    return normalised(text) or " ".join((articles if articles.strip() else signs).split())


def exact_match(answer: str, *right: str) -> float:
    """1 where the answer is, as it is compared, one of the right ones; else 0."""
    return float(compared(answer) in {compared(each) for each in right})


def f1(answer: str, *right: str) -> float:
    """The harmonic mean of precision and recall over the words, counted with repeats; the best of the right answers.

    An answer without words matches only a right one without words, as in SQuAD 2.0.
    """
    return max((_overlap(compared(answer).split(), compared(each).split()) for each in right), default=0.0)


def _overlap(found: list[str], wanted: list[str]) -> float:
    if not found or not wanted:
        return float(found == wanted)
    return 2 * (Counter(found) & Counter(wanted)).total() / (len(found) + len(wanted))


def number_in(text: str) -> float | None:
    """The last number of the text, which is where an answer usually stands; `1,234.5` and `-2e3` are numbers."""
    found = NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def numeric_match(answer: str, right: float, *, relative: float = 1e-6, absolute: float = 1e-9) -> float:
    """1 where the last number of the answer is within `relative`·|right| or `absolute` of the right one; else 0."""
    found = number_in(answer)
    return float(found is not None and math.isclose(found, right, rel_tol=relative, abs_tol=absolute))


def regex_match(answer: str, pattern: str) -> float:
    """1 where the whole answer, without space around it, is matched; else 0. Say `.*` for what may stand around."""
    return float(re.fullmatch(pattern, answer.strip(), re.DOTALL) is not None)


def any_match(answer: str, patterns: Sequence[str]) -> float:
    """The same of several patterns. One of them may take for ever: to be called where that can be ended."""
    return max(regex_match(answer, pattern) for pattern in patterns)
