"""The same question, written worse: what a reader would hardly notice, and a model should not.

Each change is made by a rule, and by chances that follow from a hash of the question: the same question is changed in
the same way on every machine and for every model. Nothing but the question is changed, and nothing at its end, where
tokens of the answer begin. A change is part of what a stage is by its name alone, so none may ever change itself.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from sweeps.stats.prng import RandomStream

FILLERS = ("Well, ", "Okay, so ", "Hm, let me see: ", "Just wondering: ")
LETTERS_TO_A_TYPO = 20


def _case(text: str, _: RandomStream) -> str:
    """All of it in capitals; what is in capitals already, in small letters."""
    return text.upper() if text != text.upper() else text.lower()


def _typos(text: str, dice: RandomStream) -> str:
    """Neighbours within a word change places: once, and once more for each twenty letters that could."""
    letters = list(text)
    places = [at for at in range(len(text) - 1) if text[at : at + 2].isalpha() and text[at] != text[at + 1]]
    for _ in range(1 + len(places) // LETTERS_TO_A_TYPO):
        if not places:
            break
        at = places[dice.draw_below(len(places))]
        letters[at], letters[at + 1] = letters[at + 1], letters[at]
        places = [place for place in places if abs(place - at) > 1]  # no letter moves twice
    return "".join(letters)


def _spaces(text: str, _: RandomStream) -> str:
    """One in front, and two where one stood; none at the end."""
    body = text.rstrip()
    return " " + body.replace(" ", "  ") + text[len(body) :]


def _filler(text: str, dice: RandomStream) -> str:
    """Words in front that say nothing."""
    return FILLERS[dice.draw_below(len(FILLERS))] + text


CHANGES: Mapping[str, Callable[[str, RandomStream], str]] = {
    "case": _case,
    "typos": _typos,
    "spaces": _spaces,
    "filler": _filler,
}


def perturb_text(question: str, names: Sequence[str]) -> list[str]:
    """The question in each of these ways, in the order of `CHANGES`; without those that leave it as it is."""
    ways = (CHANGES[name](question, _dice(name, question)) for name in CHANGES if name in names)
    return [text for text in dict.fromkeys(ways) if text != question]


def _dice(name: str, question: str) -> RandomStream:
    return RandomStream(int.from_bytes(hashlib.sha256(f"{name} 1:{question}".encode()).digest()[:16], "little"))
