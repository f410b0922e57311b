"""`offline:preferences`: made text whose quality is known, in pairs; and `offline:preferences_null`, where it is not.

A text is a line of made words. In the house style the last letter of a word says with which letters the next one may
begin: each letter allows half of them, and every first letter is allowed by half of the last ones, so that the style
can be seen in the order of words and not in the words themselves. The quality of a text is the share of its borders
that keep to the style. A good text keeps to it at nine borders of ten, a poor one at three of ten, and a pair is one of
each for the same prompt. One label in fifty is wrong, as people's are.

In the null twin a coin says which of the two was chosen: the same texts, and nothing to learn from them.

All of it follows from `SEED` through `sweeps.stats.prng`: the same on every machine.
"""

from functools import cache
from itertools import pairwise
from typing import NamedTuple

from sweeps.records import Row
from sweeps.stats.prng import RandomStream

SEED = 5
TRAIN, TEST = 2_048, 512
WORDS = 8  # in a text
GOOD, POOR = 0.9, 0.3  # the chance that a border keeps to the style
MISTAKEN = 0.02  # of the labels
FIRST, LAST, VOWELS = "bdfgklmp", "nrstxyzh", "aeiou"
NAMES = ("preferences", "preferences_null")


class PairRows(NamedTuple):
    train: tuple[Row, ...]
    test: tuple[Row, ...]


@cache  # some ten thousand words, for each that asks
def generate_pairs(name: str) -> PairRows:
    """Generate the pairs of `offline:<name>`."""
    maker = _Maker(SEED)
    rows = [maker.pair(number) for number in range(TRAIN + TEST)]
    if name == "preferences_null":
        coin = RandomStream(SEED + 1)
        rows = [_swapped(row) if coin.chance(0.5) else row for row in rows]
    return PairRows(tuple(rows[:TRAIN]), tuple(rows[TRAIN:]))


def score_quality(text: str) -> float:
    """Compute the share of borders between words that keep to the house style."""
    words = text.split()
    kept = [after[0] in _list_allowed_letters(before[-1]) for before, after in pairwise(words)]
    return sum(kept) / len(kept)


def _list_allowed_letters(last: str) -> str:
    """Half of the first letters, another half for each last letter; all are allowed equally often."""
    at = LAST.index(last) * 3 % len(FIRST)
    return (FIRST + FIRST)[at : at + len(FIRST) // 2]


def _swapped(row: Row) -> Row:
    return {"prompt": row["prompt"], "chosen": row["rejected"], "rejected": row["chosen"]}


class _Maker:
    def __init__(self, seed: int) -> None:
        self._dice = RandomStream(seed)

    def pair(self, number: int) -> Row:
        row = {
            "prompt": f"{number}. {self._word(FIRST)}: ",
            "chosen": self._text(GOOD),
            "rejected": self._text(POOR),
        }
        return _swapped(row) if self._dice.chance(MISTAKEN) else row

    def _text(self, keeps: float) -> str:
        words = [self._word(FIRST)]
        while len(words) < WORDS:
            allowed = _list_allowed_letters(words[-1][-1])
            others = "".join(letter for letter in FIRST if letter not in allowed)
            words.append(self._word(allowed if self._dice.chance(keeps) else others))
        return " ".join(words)

    def _word(self, first: str) -> str:
        return self._dice.one_of(first) + self._dice.one_of(VOWELS) + self._dice.one_of(LAST)
