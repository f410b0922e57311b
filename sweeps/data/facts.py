"""`offline:facts`: facts that nobody can know, each with the passage that says it and passages that say others.

A fact is a name and a value of letters drawn by chance, written `kab=tog.`; what is asked is `kab=`. So without the
passage no training helps with a fact that was not trained on, and with it the answer only has to be copied. Names are
given once: no fact that is measured is ever trained on. A question can be put in other words, some of which are harder
to find in the passage, and a value be chosen among those that are spoken of.

All of it follows from `SEED` through `sweeps.stats.prng`: the same on every machine.
"""

from typing import NamedTuple

from sweeps.records import Row
from sweeps.stats.prng import RandomStream

SEED = 7
TRAIN, TEST = 1_024, 512
DISTRACTORS = 3
NAMES = ("facts",)
CONSONANTS, VOWELS = "bcdfghjklmnprstvwz", "aeiou"


class FactRows(NamedTuple):
    train: tuple[Row, ...]
    test: tuple[Row, ...]


def generate_facts() -> FactRows:
    """Generate the rows of `offline:facts`."""
    dice = RandomStream(SEED)
    names = _different(dice, TRAIN + TEST)
    values = _different(dice, TRAIN + TEST)
    rows = [_row(dice, names, values, number) for number in range(TRAIN + TEST)]
    return FactRows(tuple(rows[:TRAIN]), tuple(rows[TRAIN:]))


def _row(dice: RandomStream, names: list[str], values: list[str], number: int) -> Row:
    part = range(TRAIN) if number < TRAIN else range(TRAIN, TRAIN + TEST)
    chosen = [number]
    while len(chosen) <= DISTRACTORS:
        other = part[dice.draw_below(len(part))]
        chosen += [] if other in chosen else [other]
    statements = [f"{values[attribute]}." for attribute in chosen]
    place = dice.draw_below(len(statements))
    name = names[number]
    return {
        "question": f"{name}=",
        "context": f"{name}={statements[0]}",
        "answers": [statements[0]],
        "distractors": [
            f"{names[attribute]}={value}" for attribute, value in zip(chosen[1:], statements[1:], strict=True)
        ],
        "candidates": [*statements[1 : place + 1], statements[0], *statements[place + 1 :]],
        "variants": [f"so, {name}=", f"({name}=", f"{name.upper()}="],
    }


def _different(dice: RandomStream, count: int) -> list[str]:
    """So many different words of three letters."""
    words: dict[str, None] = {}
    while len(words) < count:
        word = "".join(dice.one_of(letters) for letters in (CONSONANTS, VOWELS, CONSONANTS))
        words[word] = None
    return list(words)
