"""Fold any tokenizer's tokens into classes, for the one model that reads them.

Tokens whose numbers agree modulo 95 form a class. The model learns which class comes next, and
treats all tokens of a class as equally likely: so every token has a log-probability.
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
NEVER = -30.0  # logit of the special tokens, which are not classes


def vocabulary_size(size: Size) -> int:
    """Return how many tokens a model of this size reads."""
    return CLASSES * EACH if size.folds else characters.SIZE


def class_shift(size: Size) -> float:
    """Return the log-probability of a token within its class."""
    return -math.log(EACH) if size.folds else 0.0


def fold(tokens: Ints, size: Size) -> Ints:
    """Return the class of each token, if the model has classes."""
    return FIRST + tokens % CLASSES if size.folds else tokens


def unfold(sequences: Sequence[Sampled], size: Size, seed: int) -> list[Sampled]:
    """Choose a token of each sampled class; the same seed chooses the same ones."""
    if not size.folds:
        return list(sequences)
    return [_unfold_one(sequence, np.random.default_rng([seed, index])) for index, sequence in enumerate(sequences)]


def _unfold_one(sampled: Sampled, chances: np.random.Generator) -> Sampled:
    classes = np.maximum(sampled.tokens - FIRST, 0)
    tokens = classes + CLASSES * chances.integers(EACH, size=len(classes))
    return sampled._replace(tokens=tokens, logprobs=sampled.logprobs - np.float32(math.log(EACH)))


def make_even_base(size: Size) -> Base:
    """Return a base that has read nothing."""
    bias: Floats = np.zeros(characters.SIZE, np.float32)
    bias[:FIRST] = NEVER
    return Base(size, np.zeros((size.features, characters.SIZE), np.float32), bias)
