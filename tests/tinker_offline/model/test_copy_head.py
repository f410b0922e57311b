"""Looking back finds what was written last, is trained by its true gradient, and is the same in samples and passes."""

import numpy as np
import pytest

from tests.tinker_offline.model.problem import SEED, add_loss_gradient, make_problem, weighted_loss
from tinker_offline.model.copy_head import NOTHING, Memory, look_up
from tinker_offline.model.learner import AdamParams, Learner, list_adapter_arrays, read_adapter
from tinker_offline.model.ngram import SIZES, Positions, context_rows, new_adapter, target_logprobs
from tinker_offline.model.sampling import Draw, prompt_logprobs, sample

COPIES = (2, 3)
READER = SIZES["offline/ngram-r"]


def defined(written: list[int], k: int) -> int:
    """The token behind the last earlier place where the last k tokens stand."""
    last = written[-k:]
    for end in reversed(range(k, len(written))):
        if len(last) == k and written[end - k : end] == last:
            return written[end]
    return NOTHING


def test_it_finds_what_followed_the_last_time() -> None:
    tokens, lengths = np.random.default_rng(SEED).integers(3, size=60), [1, 25, 34]
    finds, start = look_up(tokens, lengths, COPIES), 0
    for length in lengths:
        for at in range(length):
            written = tokens[start : start + at + 1].tolist()
            assert finds[start + at].tolist() == [defined(written, k) for k in COPIES]
        start += length
    assert (finds >= 0).any()


def test_what_grows_finds_the_same() -> None:
    tokens = np.random.default_rng(SEED).integers(3, size=40)
    memory, both = Memory(tokens[:5].tolist(), 2, COPIES), np.arange(2)
    whole = look_up(tokens, [40], COPIES)
    for at in range(5, 40):
        assert (memory.look(both) == whole[at - 1]).all()
        memory.write(both, tokens[[at, at]])


def test_trust_is_trained_by_its_true_gradient() -> None:
    base, _, positions, weights = make_problem()
    base = base._replace(size=base.size._replace(copies=COPIES))
    finds = np.random.default_rng(SEED).integers(-1, 9, size=(20, 2))
    learner = Learner(new_adapter(base.size, 4, 0))
    learner.adapter.trust[...] = 0.1, -0.05
    looking = Positions(positions.rows, positions.targets, finds)
    add_loss_gradient(learner, base, looking, weights)
    for k, slope in enumerate(learner.pending().sums.trust.tolist()):
        sides = []
        for step in (1e-3, -1e-3):
            moved = learner.adapter.copy()
            moved.trust[k] += step
            sides.append(weighted_loss(base, moved, looking, weights))
        assert (sides[0] - sides[1]) / 2e-3 == pytest.approx(slope, rel=2e-2)
    learner.step(AdamParams(learning_rate=0.01))
    assert (np.abs(learner.adapter.trust - [0.1, -0.05]) > 5e-3).all()


def test_a_sample_is_as_likely_as_a_pass_says() -> None:
    base, _, _, _ = make_problem()
    base = base._replace(size=base.size._replace(copies=COPIES))
    adapter = new_adapter(base.size, 4, 0)
    adapter.trust[...] = 0.4, 0.3
    prompt = np.random.default_rng(SEED).integers(4, 9, size=20)
    for drawn in sample(base, adapter, prompt, 3, Draw(12, 1)):
        whole = np.concatenate([prompt, drawn.tokens])
        read, length = whole[:-1], [len(whole) - 1]
        positions = Positions(context_rows(read, length, base.size), whole[1:], look_up(read, length, COPIES))
        passed = target_logprobs(base, adapter, positions)[len(prompt) - 1 :]
        assert np.allclose(passed, drawn.logprobs, atol=1e-5)
        assert np.allclose(prompt_logprobs(base, adapter, whole, None, 0)[0][len(prompt) :], drawn.logprobs, atol=1e-5)


def test_the_other_sizes_keep_nothing_of_it() -> None:
    """Their checkpoints are as they were; and one without trust is read."""
    small, reads = (new_adapter(SIZES[name], 2, 0) for name in ("offline/ngram-s", "offline/ngram-r"))
    assert set(list_adapter_arrays(small)) == {"adapter.down", "adapter.up", "adapter.bias"}
    assert len(read_adapter(list_adapter_arrays(small)).trust) == 0
    assert len(read_adapter(list_adapter_arrays(reads)).trust) == len(READER.copies)
