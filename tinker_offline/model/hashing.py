"""Hash characters, words and combinations of numbers: pure arithmetic modulo 2^64, the same in every process.

The hash of a run of characters is Σ value(character) · RADIX^place, so that the hashes of all runs of a text
come from one cumulative sum.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from tinker_offline.model import characters

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[Any]

PAD = characters.SIZE  # stands for a token before the beginning, or for none
DIGIT = 100  # some tokens together are a number in this base
OTHER, LOWER, UPPER, NUMERAL, SPACE, BREAK, SPECIAL = range(7)
SPREADS = tuple(
    map(np.uint64, (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
)  # odd numbers without a pattern
MASK = 2**64 - 1
# numpy takes an array of one number in less time than a scalar
_FIRST_SHIFT, _SECOND_SHIFT, _MIX, SPREAD = (np.array([number], np.uint64) for number in (32, 29, *SPREADS[1::-1]))
_FACTOR = int(SPREADS[1])
_RADIX = 0x5851F42D4C957F2D


def _classify(token: int) -> int:
    if token < characters.NEWLINE or token == characters.UNKNOWN or token >= characters.SIZE:
        return SPECIAL
    if token == characters.NEWLINE:
        return BREAK
    letter = chr(token + 28)
    tests = ((NUMERAL, letter.isdigit()), (LOWER, letter.islower()), (UPPER, letter.isupper()), (SPACE, letter == " "))
    return next((kind for kind, holds in tests if holds), OTHER)


def _token_of(character: str) -> int:
    return characters.encode(character)[0]


KINDS = np.array([_classify(token) for token in range(PAD + 1)], np.int64)
IN_WORD = (KINDS == LOWER) | (KINDS == UPPER) | (KINDS == NUMERAL)
IN_WORD[_token_of("_")] = True
BLANK = _token_of(" ")
SORTS = np.where((KINDS == OTHER) | (KINDS >= SPACE), np.arange(PAD + 1) + 10, KINDS)  # of words, or the sign itself
INTRODUCES = np.zeros(PAD + 1, np.bool_)  # characters after which, with a space, something begins
INTRODUCES[[_token_of(character) for character in ":=>?|"]] = True


def combine(*numbers: Numbers | int) -> Hashes:
    """Hash up to four numbers, or arrays of numbers, to one; their order counts."""
    total = np.zeros(1, np.uint64)
    for number, spread in zip(numbers, SPREADS, strict=False):
        whole = isinstance(number, np.ndarray) and number.dtype == np.uint64
        total = total + (number if whole else np.atleast_1d(number).astype(np.uint64)) * spread  # scalars would warn
    return finish(total)


def finish(total: Hashes) -> Hashes:
    """Mix the bits of sums of numbers and return them; the sums are lost."""
    total ^= total >> _FIRST_SHIFT
    total *= _MIX
    total ^= total >> _SECOND_SHIFT
    return total


def finish_one(total: int) -> int:
    """Mix the bits of one sum of numbers, without the cost of an array."""
    total &= MASK
    total ^= total >> 32
    total = total * _FACTOR & MASK
    return total ^ (total >> 29)


def choose_rows(hashes: Hashes, bits: int) -> npt.NDArray[np.uint16]:
    """Return a row below 2^bits for each hash."""
    return ((hashes * SPREAD) >> np.uint64(64 - bits)).astype(np.uint16)


def _powers(base: int) -> Hashes:
    powers = [1]
    while len(powers) < characters.CONTEXT_LENGTH + 2:
        powers.append(powers[-1] * base & MASK)
    return np.array(powers, np.uint64)


def _fold_case(token: int) -> int:
    return token + 32 if KINDS[token] == UPPER else token


POWERS, INVERSES = _powers(_RADIX), _powers(pow(_RADIX, -1, 2**64))
VALUES = combine(np.array([_fold_case(token) for token in range(PAD + 1)]), 1)  # upper and lower case are alike


def hash_runs(tokens: Numbers, places: Numbers) -> Hashes:
    """Return the cumulative sums from which `cut_run` takes the hash of any run: (tokens + 1,)."""
    sums = np.zeros(len(tokens) + 1, np.uint64)
    np.cumsum(VALUES[tokens] * POWERS[places], out=sums[1:])
    return sums


def cut_run(sums: Hashes, places: Numbers, start: Numbers, end: Numbers) -> Hashes:
    """Return the hashes of the runs from `start` through `end`; 0 where a run ends before it starts."""
    inside = np.minimum(start, len(places) - 1)
    return np.where(end >= start, (sums[end + 1] - sums[inside]) * INVERSES[places[inside]], np.uint64(0))
