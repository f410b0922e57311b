"""The one model that reads any tokenizer: to rehearse, without a key, with the tokens of the model that is meant.

Tokens whose numbers agree modulo 95 are one class. The model learns which class comes next, and holds all tokens of a
class for equally likely: so it has log-probabilities for each token, and learns slowly what it can of a language.
"""

import math
from collections.abc import Sequence

import numpy as np

from tinker_offline.model import characters
from tinker_offline.model.ngram import Base, Floats, Ints, Size
from tinker_offline.wire import Sampled

FIRST = characters.UNKNOWN + 1
CLASSES = characters.SIZE - FIRST
EACH = 2**13  # tokens in a class
NEVER = -30.0  # what begins, ends or breaks a text of ours is no class


def vocabulary_size(size: Size) -> int:
    """How many tokens a model of this size reads."""
    return CLASSES * EACH if size.folds else characters.SIZE


def class_shift(size: Size) -> float:
    """The log-probability of a token within its class."""
    return -math.log(EACH) if size.folds else 0.0


def fold(tokens: Ints, size: Size) -> Ints:
    """The class of each token, if the model has classes."""
    return FIRST + tokens % CLASSES if size.folds else tokens


def unfold(sequences: Sequence[Sampled], size: Size, seed: int) -> list[Sampled]:
    """A token of each class that was sampled; the same seed gives the same ones."""
    if not size.folds:
        return list(sequences)
    return [_unfold_one(each, np.random.default_rng([seed, index])) for index, each in enumerate(sequences)]


def _unfold_one(sampled: Sampled, chances: np.random.Generator) -> Sampled:
    classes = np.maximum(sampled.tokens - FIRST, 0)
    tokens = classes + CLASSES * chances.integers(EACH, size=len(classes))
    return sampled._replace(tokens=tokens, logprobs=sampled.logprobs - np.float32(math.log(EACH)))


def make_even_base(size: Size) -> Base:
    """It has read nothing yet."""
    bias: Floats = np.zeros(characters.SIZE, np.float32)
    bias[:FIRST] = NEVER
    return Base(size, np.zeros((size.features, characters.SIZE), np.float32), bias)
