"""Choose the model of a size: the n-grams, or the one that reads whole chats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinker_offline.model import chat, ngram
from tinker_offline.model.base import load_base
from tinker_offline.model.chat import Texts
from tinker_offline.model.copy_head import look_up
from tinker_offline.model.decoding import ChatDecoder
from tinker_offline.model.folding import make_even_base
from tinker_offline.model.ngram import SIZES, Adapter, Base, Floats, Gradient, Ints, Positions, Size, Slopes
from tinker_offline.model.ngram_decoding import NgramDecoder

NGRAMS_OF_CHATS = "offline/ngram-s"  # whose frozen weights the models of chats have


def get_base(size: Size, cache: Path) -> Base:
    """Return the frozen base of this size; it may have to be trained first."""
    if size.folds:
        return make_even_base(size)
    if size.chats:
        return chat.chat_base(size, load_base(SIZES[NGRAMS_OF_CHATS], cache))
    return load_base(size, cache)


def new_adapter(size: Size, rank: int, seed: int) -> Adapter:
    """Return an adapter that changes nothing yet; the same seed gives the same adapter."""
    return chat.new_chat_adapter(size, rank, seed) if size.chats else ngram.new_adapter(size, rank, seed)


def read_positions(size: Size, tokens: Ints, lengths: Sequence[int], targets: Ints) -> Positions | Texts:
    """Return what is predicted from what in sequences of these lengths, which follow one another."""
    if size.chats:
        return Texts(tokens, lengths, targets)
    finds = look_up(tokens, lengths, size.copies) if size.copies else None
    return Positions(ngram.context_rows(tokens, lengths, size), targets, finds)


def target_logprobs(base: Base, adapter: Adapter, positions: Positions | Texts) -> Floats:
    """Return the log-probability of each position's target: (positions,)."""
    if isinstance(positions, Texts):
        return chat.chat_logprobs(base, adapter, positions)
    return ngram.target_logprobs(base, adapter, positions)


def add_gradient(
    gradient: Gradient, base: Base, adapter: Adapter, positions: Positions | Texts, slopes: Slopes
) -> Floats:
    """Add the gradient of the loss with these slopes to `gradient`; return each target's log-probability."""
    if isinstance(positions, Texts):
        return chat.add_chat_gradient(gradient, base, adapter, positions, slopes)
    return ngram.add_gradient(gradient, base, adapter, positions, slopes)


def make_decoder(base: Base, adapter: Adapter, prompt: Ints, count: int, room: int) -> ChatDecoder | NgramDecoder:
    """Return `count` texts with this prompt, which can grow by `room` tokens each."""
    if base.size.chats:
        return ChatDecoder(base, adapter, prompt, count, room)
    return NgramDecoder(base, adapter, prompt, count)


def list_logprobs(base: Base, adapter: Adapter, prompt: Ints, start: int) -> Floats:
    """Return the log-probabilities of all tokens at the places of the prompt from `start` on: (places, vocabulary)."""
    if base.size.chats:
        decoder, only = ChatDecoder(base, adapter, prompt[:start], 1, len(prompt) - start), np.zeros(1, np.intp)
        places = []
        for place in range(start, len(prompt)):
            places.append(decoder.logprobs(only)[0])
            decoder.write(only, prompt[place : place + 1])
        return np.stack(places)
    rows = ngram.context_rows(prompt[:-1], [len(prompt) - 1], base.size)[start - 1 :]
    finds = look_up(prompt[:-1], [len(prompt) - 1], base.size.copies)[start - 1 :]
    return ngram.log_softmax(ngram.logits(base, adapter, rows, finds)[0])
