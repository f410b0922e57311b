"""Count the answers that refuse, where the others are copied from what was read: who refuses must compare."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from sweeps.rendering.render import Example
from sweeps.rendering.tokenizer import OfflineTokenizer

WORD = re.compile(r"\w+")
MANY = 0.05  # share of the answers that refuse, at least
FEWEST = 5  # of them
COPIED = 0.8  # share of the other answers that are copied, at least


class Refusals(NamedTuple):
    """How many answers refuse, of how many, and by which words."""

    refused: int = 0
    total: int = 0
    answer: str = ""


def split_example(example: Example) -> tuple[str, str]:
    """Return the text before the first learnt token, and the learnt text."""
    decode, first = OfflineTokenizer().decode, int(example.weights.argmax()) + 1
    return decode(example.tokens.tolist()[:first]), decode(example.tokens[1:][example.weights > 0].tolist())


def is_copied(before: str, answer: str) -> bool:
    """Say whether all words of an answer stand before it, below each other or not."""
    words = {*WORD.findall(answer.lower())}
    return bool(words) and words <= {*WORD.findall(before.lower())}


def count_refusals(examples: Sequence[Example]) -> Refusals:
    """Count the commonest of the answers that are not copied, if nearly all others are and several lines are read."""
    pairs = [split_example(example) for example in examples]
    copied = [is_copied(before, answer) for before, answer in pairs]
    written = Counter(answer for (_, answer), copies in zip(pairs, copied, strict=True) if not copies)
    if not written or sum("\n" in before.strip() for before, _ in pairs) < COPIED * len(pairs):
        return Refusals()
    answer, refused = written.most_common(1)[0]
    others = len(pairs) - refused
    if refused < max(FEWEST, MANY * len(pairs)) or sum(copied) < max(FEWEST, COPIED * others):
        return Refusals()
    return Refusals(refused, len(pairs), answer)
