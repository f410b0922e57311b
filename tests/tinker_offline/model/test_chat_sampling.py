"""What a chat model samples is as likely as a pass says; the same seed gives the same; prompts are scored alike."""

import numpy as np
import pytest

from tests.tinker_offline.model.chat_problem import TINY_FINDER, make_chat_problem
from tests.tinker_offline.model.chat_tasks import TASKS, make_items
from tests.tinker_offline.model.chat_training import encode_prompt
from tests.tinker_offline.model.handbook_task import make_handbook
from tinker_offline.model import characters
from tinker_offline.model.chat import Texts, chat_logprobs
from tinker_offline.model.ngram import Ints
from tinker_offline.model.sampling import Draw, prompt_logprobs, sample

PROMPTS = [encode_prompt(prompt) for task in TASKS for prompt, _ in make_items(task, 1, 3)]
PROMPTS += [np.array(characters.encode(text)) for text in ("a", "abc ab", "\n", "x: y\nx: ")]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda prompt: characters.decode(prompt)[-8:])
def test_a_sample_is_as_likely_as_a_pass_says(prompt: Ints) -> None:
    base, adapter, _ = make_chat_problem()
    for drawn in sample(base, adapter, prompt, 3, Draw(40, 1, temperature=0.8, top_p=0.95)):
        whole = np.concatenate([prompt, drawn.tokens])
        passed = chat_logprobs(base, adapter, Texts(whole[:-1], [len(whole) - 1], whole[1:]))
        assert np.allclose(passed[len(prompt) - 1 :], drawn.logprobs, atol=1e-5)
        scored, top = prompt_logprobs(base, adapter, whole, len(drawn.tokens), 2)
        assert np.allclose(scored[len(prompt) :], drawn.logprobs, atol=1e-5)
        assert top is not None
        assert (top.logprobs[len(prompt) :, 0] >= scored[len(prompt) :] - 1e-6).all()


def test_the_model_that_finds_samples_as_a_pass_says() -> None:
    base, adapter, _ = make_chat_problem(TINY_FINDER)
    for prompt in [*PROMPTS[-3:], *(encode_prompt(text) for text, _ in make_handbook(2, 3))]:
        for drawn in sample(base, adapter, prompt, 3, Draw(40, 1, temperature=0.4)):
            whole = np.concatenate([prompt, drawn.tokens])
            passed = chat_logprobs(base, adapter, Texts(whole[:-1], [len(whole) - 1], whole[1:]))
            assert np.allclose(passed[len(prompt) - 1 :], drawn.logprobs, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.4])
def test_samples_that_begin_alike_are_as_likely_as_a_pass_says(temperature: float) -> None:
    """They share their work until they differ; near 0 that is late, and some never do."""
    base, adapter, _ = make_chat_problem()
    for prompt in PROMPTS:
        samples = sample(base, adapter, prompt, 8, Draw(40, 2, temperature=temperature))
        wholes = [np.concatenate([prompt, drawn.tokens]) for drawn in samples]
        passed = chat_logprobs(
            base,
            adapter,
            Texts(
                np.concatenate([whole[:-1] for whole in wholes]),
                [len(whole) - 1 for whole in wholes],
                np.concatenate([whole[1:] for whole in wholes]),
            ),
        )
        for drawn, whole in zip(samples, wholes, strict=True):
            mine, passed = passed[: len(whole) - 1], passed[len(whole) - 1 :]
            assert np.allclose(mine[len(prompt) - 1 :], drawn.logprobs, atol=1e-5)


def test_chances_sum_to_one() -> None:
    base, adapter, _ = make_chat_problem()
    _, top = prompt_logprobs(base, adapter, PROMPTS[0][:60], None, characters.SIZE)
    assert top is not None
    assert np.allclose(np.exp(top.logprobs[1:].astype(np.float64)).sum(axis=1), 1, atol=1e-4)


def test_the_first_of_many_is_the_first_of_few() -> None:
    base, adapter, _ = make_chat_problem()
    few, many = (sample(base, adapter, PROMPTS[0], count, Draw(30, 7)) for count in (2, 5))
    for first, other in zip(few, many, strict=False):
        assert first.tokens.tolist() == other.tokens.tolist()
    assert many[0].tokens.tolist() != sample(base, adapter, PROMPTS[0], 1, Draw(30, 8))[0].tokens.tolist()


def test_the_likeliest_token_is_taken_at_temperature_0() -> None:
    base, adapter, _ = make_chat_problem()
    (likeliest,) = sample(base, adapter, PROMPTS[1], 1, Draw(20, 0, temperature=0, top=1))
    assert likeliest.top is not None
    assert likeliest.top.tokens[:, 0].tolist() == likeliest.tokens.tolist()
