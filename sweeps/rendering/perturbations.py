"""Write a question worse, in ways that a reader hardly notices and that should not change a model's answer.

Each change follows a rule, with random numbers from a hash of the question: the same question is changed in the same
way on every machine and for every model. Only the question is changed, and never its end, where the tokens of the
answer begin. A stage's identity has only the name of a change, so a change may never be edited.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

from sweeps.stats.prng import RandomStream

FILLERS = ("Well, ", "Okay, so ", "Hm, let me see: ", "Just wondering: ")
LETTERS_TO_A_TYPO = 20


def _case(text: str, _: RandomStream) -> str:
    """Write all of it in capitals, or in small letters if it is in capitals already."""
    return text.upper() if text != text.upper() else text.lower()


def _typos(text: str, dice: RandomStream) -> str:
    """Swap neighbours within a word: once, and once more for each twenty letters that can be swapped."""
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
    """Add one space in front, and double the others; add none at the end."""
    body = text.rstrip()
    return " " + body.replace(" ", "  ") + text[len(body) :]


def _filler(text: str, dice: RandomStream) -> str:
    """Put words without meaning in front."""
    return FILLERS[dice.draw_below(len(FILLERS))] + text


CHANGES: Mapping[str, Callable[[str, RandomStream], str]] = {
    "case": _case,
    "typos": _typos,
    "spaces": _spaces,
    "filler": _filler,
}


def perturb_text(question: str, names: Sequence[str]) -> list[str]:
    """Change the question in each of these ways, in the order of `CHANGES`; skip those that change nothing."""
    ways = (CHANGES[name](question, _dice(name, question)) for name in CHANGES if name in names)
    return [text for text in dict.fromkeys(ways) if text != question]


def _dice(name: str, question: str) -> RandomStream:
    return RandomStream(int.from_bytes(hashlib.sha256(f"{name} 1:{question}".encode()).digest()[:16], "little"))
