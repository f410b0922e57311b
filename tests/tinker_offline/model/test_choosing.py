"""The next token is chosen by the definition, whatever the number of sequences."""

import numpy as np
import pytest

from tests.tinker_offline.model.problem import SEED, TINY, make_problem
from tinker_offline.model.characters import END, SIZE
from tinker_offline.model.ngram import Floats, context_keys, hash_rows, log_softmax, next_keys, window_rows
from tinker_offline.model.sampling import BLOCK, Draw, choose, choose_likely, sample

DRAWS = [
    Draw(1, 1),
    Draw(1, 1, temperature=0.6),
    Draw(1, 1, temperature=3.0),
    Draw(1, 1, top_k=4),
    Draw(1, 1, top_p=0.7),
    Draw(1, 1, temperature=1.5, top_k=20, top_p=0.5),
    Draw(1, 1, temperature=0.0),
]


def defined(logprobs: Floats, chance: float, draw: Draw) -> int:
    """Lay the tokens end to end, the likeliest first, keep those that may be chosen, and see where the chance falls."""
    order = sorted(range(SIZE), key=lambda token: (-logprobs[token], token))
    if draw.temperature == 0:
        return order[0]
    weights = [
        float(np.exp((float(logprobs[token]) - float(logprobs[order[0]])) / draw.temperature)) for token in order
    ]
    kept = len(order) if draw.top_k <= 0 else draw.top_k
    weights = [weight if rank < kept else 0.0 for rank, weight in enumerate(weights)]
    total, before = sum(weights), 0.0
    for rank, weight in enumerate(weights):
        weights[rank] = weight if before < draw.top_p * total else 0.0
        before += weight
    goal, met = chance * sum(weights), 0.0
    for token, weight in zip(order, weights, strict=True):
        met += weight
        if met > goal:
            return token
    raise AssertionError("a chance is below 1")


@pytest.mark.parametrize("draw", DRAWS, ids=str)
@pytest.mark.parametrize("twins", [False, True], ids=["all different", "many alike"])
def test_a_token_is_chosen_as_it_is_defined(draw: Draw, *, twins: bool) -> None:
    print("seed", SEED)  # noqa: T201 (shown when the test fails)
    source = np.random.default_rng(SEED)
    scores = source.normal(0, 2, (300, SIZE)).astype(np.float32)
    if twins:
        scores = np.round(scores)
    chances = source.random(300)
    chances[:2] = 0.0, 1 - 2**-53
    chosen = choose(scores, chances, draw)
    assert chosen.tolist() == [defined(*row, draw) for row in zip(scores, chances.tolist(), strict=True)]


@pytest.mark.parametrize("draw", DRAWS, ids=str)
def test_a_token_that_is_likely_is_chosen_as_others_are(draw: Draw) -> None:
    """Also where the random number falls next to the end of the likeliest token."""
    source = np.random.default_rng(SEED)
    logprobs = log_softmax(source.normal(0, 6, (400, SIZE)).astype(np.float32))
    ends = np.exp(logprobs.max(axis=1), dtype=np.float64)
    near = np.minimum(ends * source.uniform(0.998, 1.001, 400), 0.99)
    chances = np.where(np.arange(400) % 2, source.random(400), near)
    rows = [choose_likely(logprobs[at : at + 1], chances[at : at + 1], draw) for at in range(400)]
    tokens, chosen = map(np.concatenate, zip(*rows, strict=True))
    assert tokens.tolist() == choose(logprobs, chances, draw).tolist()
    assert chosen.tolist() == logprobs[np.arange(400), tokens].tolist()


@pytest.mark.parametrize("draw", DRAWS, ids=str)
def test_the_first_of_many_is_the_first_of_few_and_a_longer_one_begins_as_a_shorter(draw: Draw) -> None:
    """Whichever have ended by then, and however the random numbers are drawn by the block."""
    base, adapter, _, _ = make_problem()
    prompt = np.array([0, 40, 41])
    asked = draw._replace(max_tokens=2 * BLOCK + 5, seed=9, stop_tokens=frozenset([7]))
    many, few = (sample(base, adapter, prompt, count, asked) for count in (100, 3))
    short = sample(base, adapter, prompt, 3, asked._replace(max_tokens=5))
    for drawn, alike, begun in zip(many, few, short, strict=False):
        assert drawn.tokens.tolist() == alike.tokens.tolist()
        assert drawn.stopped == alike.stopped == (drawn.tokens[-1] in (END, 7))
        assert np.allclose(drawn.logprobs, alike.logprobs, atol=1e-5)
        assert begun.tokens.tolist() == drawn.tokens.tolist()[:5]
    assert draw.temperature == 0 or len({len(drawn.tokens) for drawn in many}) > 3


def test_a_text_stops_where_it_ends_and_its_parts_do_not() -> None:
    base, adapter, _, _ = make_problem()
    free = sample(base, adapter, np.array([0]), 20, Draw(40, seed=3))
    assert max(len(drawn.tokens) for drawn in free) >= 20
    longest = max(free, key=lambda drawn: len(drawn.tokens))
    text = tuple(longest.tokens.tolist()[6:9])
    ended = sample(base, adapter, np.array([0]), 20, Draw(40, seed=3, stop_texts=(text, ())))
    for drawn, before in zip(ended, free, strict=True):
        whole = before.tokens.tolist()
        ends = [at + 3 for at in range(len(whole) - 2) if tuple(whole[at : at + 3]) == text]
        assert drawn.tokens.tolist() == whole[: min(ends, default=len(whole))]
        assert drawn.stopped == (bool(ends) or before.stopped)


def test_the_likeliest_of_every_position_go_with_their_sequence() -> None:
    base, adapter, _, _ = make_problem()
    for drawn in sample(
        base, adapter, np.array([0, 5]), 30, Draw(20, seed=4, stop_tokens=frozenset(range(2, 20)), top=SIZE)
    ):
        assert drawn.top is not None
        assert drawn.top.tokens.shape == (len(drawn.tokens), SIZE)
        where = (drawn.top.tokens == drawn.tokens[:, None]).argmax(axis=1)
        assert (drawn.top.logprobs[np.arange(len(where)), where] == drawn.logprobs).all()


def test_contexts_carried_on_are_contexts_read_anew() -> None:
    source = np.random.default_rng(SEED)
    tokens = source.integers(SIZE, size=(6, 30))
    keys = context_keys([tokens[:, 2 - back] for back in range(TINY.orders)])
    for at in range(3, 30):
        keys = next_keys(keys, tokens[:, at])
        anew = window_rows([tokens[:, at - back] for back in range(TINY.orders)], TINY)
        assert (hash_rows(keys, TINY) == anew).all()
