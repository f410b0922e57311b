"""The model for any tokenizer has log-probabilities of tokens, which add up to one."""

import math

import numpy as np
import pytest

from tinker_offline.errors import Refusal
from tinker_offline.model import characters
from tinker_offline.model.folding import CLASSES, EACH, class_shift, fold, make_even_base, unfold, vocabulary_size
from tinker_offline.model.ngram import SIZES, log_softmax, logits, new_adapter, window_rows
from tinker_offline.model.sampling import Draw, sample
from tinker_offline.wire import check_tokens

ANY, OURS = SIZES["offline/rehearsal"], SIZES["offline/ngram-s"]


def test_tokens_of_any_family_are_read_and_more_are_refused() -> None:
    assert vocabulary_size(ANY) > 262_145  # Gemma 3 has the most
    assert vocabulary_size(OURS) == characters.SIZE
    tokens = np.array([0, 98, 151_645, 262_144, vocabulary_size(ANY) - 1])
    folded = fold(check_tokens(tokens, vocabulary_size(ANY), "the prompt"), ANY)
    assert 3 < folded.min() <= folded.max() < characters.SIZE
    assert fold(tokens[:2], OURS).tolist() == [0, 98]
    for wrong in (vocabulary_size(ANY), -1):
        with pytest.raises(Refusal):
            check_tokens(np.array([wrong]), vocabulary_size(ANY), "the prompt")


def test_the_tokens_of_a_class_are_alike_and_all_together_are_certain() -> None:
    base = make_even_base(ANY)
    rows = window_rows([np.array([5]), np.array([9])], ANY)
    logprobs = log_softmax(logits(base, new_adapter(ANY, rank=1, seed=0), rows)[0])[0] + class_shift(ANY)
    assert EACH * float(np.exp(logprobs.astype(float))[4:].sum()) == pytest.approx(1, abs=1e-5)
    assert -logprobs[4] == pytest.approx(math.log(CLASSES * EACH), abs=1e-4)
    assert class_shift(OURS) == 0


def test_what_is_sampled_is_a_token_and_the_same_for_the_same_seed() -> None:
    base, prompt = make_even_base(ANY), fold(np.array([151_645, 7]), ANY)
    drawn = sample(base, new_adapter(ANY, rank=1, seed=0), prompt, 2, Draw(max_tokens=6, seed=3))
    first, same, other = (unfold(drawn, ANY, seed) for seed in (3, 3, 4))
    assert [sequence.tokens.tolist() for sequence in first] == [sequence.tokens.tolist() for sequence in same]
    assert [sequence.tokens.tolist() for sequence in first] != [sequence.tokens.tolist() for sequence in other]
    for before, after in zip(drawn, first, strict=True):
        assert fold(after.tokens, ANY).tolist() == before.tokens.tolist()
        np.testing.assert_allclose(after.logprobs, before.logprobs + class_shift(ANY), rtol=1e-6)
        assert after.tokens.max() < vocabulary_size(ANY)
