"""Samples agree with training, and every sampling parameter works as documented."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import tinker
from tinker import types

from tests.support import wait_until
from tests.tinker_offline.examples import SMALL, TEXT, datum, logprobs, raw_datum, tokens, train
from tests.tinker_offline.process import Server

PROMPT = types.ModelInput.from_ints(tokens("The quick brown f"))


@pytest.fixture(scope="module")
def trained(server: Server) -> Iterator[tuple[tinker.ServiceClient, tinker.TrainingClient]]:
    with server.session() as service:
        client = service.create_lora_training_client(SMALL, rank=8, seed=3).result(60)
        train(client, [0] * 6)
        yield service, client


@pytest.fixture(scope="module")
def sampler(trained: tuple[tinker.ServiceClient, tinker.TrainingClient]) -> tinker.SamplingClient:
    return trained[1].save_weights_and_get_sampling_client().result(60)


def draw(sampler: tinker.SamplingClient, count: int = 1, **params: object) -> list[types.SampledSequence]:
    chosen = types.SamplingParams.model_validate({"max_tokens": 20, "seed": 7, **params})
    return list(sampler.sample(PROMPT, count, chosen).result(60).sequences)


def test_compute_logprobs_is_forward(
    trained: tuple[tinker.ServiceClient, tinker.TrainingClient], sampler: tinker.SamplingClient
) -> None:
    service, client = trained
    logprobs_found = sampler.compute_logprobs(types.ModelInput.from_ints(tokens(TEXT))).result(60)
    assert logprobs_found[0] is None
    assert np.allclose(np.array(logprobs_found[1:], float), logprobs(client, [datum(TEXT)]), atol=1e-5)
    path = client.save_weights_for_sampler("named").result(60).path
    named = service.create_sampling_client(model_path=path).result(60)
    assert named.get_base_model() == SMALL
    assert named.compute_logprobs(types.ModelInput.from_ints(tokens(TEXT))).result(60) == logprobs_found


@pytest.mark.parametrize("steps", [0, 1, 9])
def test_all_ways_to_ask_for_log_probabilities_agree_to_the_precision_of_the_numbers(
    service: tinker.ServiceClient, steps: int
) -> None:
    """A sampler made from a live model, another from its checkpoint, prompts, samples, forward and forward_backward."""
    client = service.create_lora_training_client(SMALL, rank=16, seed=steps).result(60)
    train(client, range(steps))
    live = client.save_weights_and_get_sampling_client().result(60)
    kept = service.create_sampling_client(client.save_weights_for_sampler("kept").result(60).path).result(60)
    response = live.sample(PROMPT, 3, types.SamplingParams(max_tokens=40, seed=1)).result(60)
    texts = [[*PROMPT.to_ints(), *sequence.tokens] for sequence in response.sequences]
    data = [raw_datum(ids[:-1], target_tokens=ids[1:]) for ids in texts]
    outputs = client.forward_backward(data, "cross_entropy").result(60).loss_fn_outputs
    for ids, sequence, output, forward in zip(texts, response.sequences, outputs, data, strict=True):
        expected = output["logprobs"].to_numpy()
        near = {"rtol": 1e-6, "atol": 4 * np.finfo(np.float32).eps * abs(expected).max()}
        assert sequence.logprobs is not None
        assert np.allclose(sequence.logprobs, expected[-len(sequence.tokens) :], **near)
        assert np.allclose(logprobs(client, [forward]), expected, **near)
        for sampler in (live, kept):
            computed = sampler.compute_logprobs(types.ModelInput.from_ints(ids)).result(60)
            assert np.allclose(np.array(computed[1:], float), expected, **near)


def test_sampled_logprobs_are_those_of_training(
    trained: tuple[tinker.ServiceClient, tinker.TrainingClient], sampler: tinker.SamplingClient
) -> None:
    for sequence in draw(sampler, 3, temperature=0.7, top_k=5):
        ids = [*PROMPT.to_ints(), *sequence.tokens]
        whole = raw_datum(ids[:-1], target_tokens=ids[1:])
        expected = logprobs(trained[1], [whole])[-len(sequence.tokens) :]
        assert sequence.logprobs is not None
        assert np.allclose(sequence.logprobs, expected, atol=1e-5)


def test_a_seed_is_a_promise(sampler: tinker.SamplingClient) -> None:
    first, again, other = draw(sampler, 2), draw(sampler, 4), draw(sampler, 2, seed=8)
    assert [sequence.tokens for sequence in first] == [sequence.tokens for sequence in again[:2]]
    assert [sequence.tokens for sequence in first] != [sequence.tokens for sequence in other]
    assert first[0].tokens != first[1].tokens


def test_without_a_seed_requests_differ(sampler: tinker.SamplingClient) -> None:
    assert draw(sampler, seed=None)[0].tokens != draw(sampler, seed=None)[0].tokens


def test_greedy_takes_the_likeliest(sampler: tinker.SamplingClient) -> None:
    params = types.SamplingParams(max_tokens=10, temperature=0.0)
    response = sampler.sample(PROMPT, 2, params, topk_sample_logprobs=3).result(60)
    first, second = response.sequences
    assert first.tokens == second.tokens
    assert first.topk_logprobs is not None
    assert [top[0][0] for top in first.topk_logprobs if top] == list(first.tokens)
    assert all(top is not None and top[0][1] >= top[1][1] >= top[2][1] for top in first.topk_logprobs)
    assert draw(sampler, top_k=1, max_tokens=10)[0].tokens == first.tokens
    assert draw(sampler, top_p=1e-6, max_tokens=10)[0].tokens == first.tokens


def test_samples_follow_the_distribution(sampler: tinker.SamplingClient) -> None:
    """The first token of many samples, against the probabilities of the model, within five standard errors."""
    params = types.SamplingParams(max_tokens=1, seed=11)
    response = sampler.sample(PROMPT, 1000, params, topk_sample_logprobs=3).result(60)
    counts = Counter(sequence.tokens[0] for sequence in response.sequences)
    top = response.sequences[0].topk_logprobs
    assert top is not None
    assert top[0] is not None
    for token, logprob in top[0]:
        p = float(np.exp(logprob))
        assert counts[token] / 1000 == pytest.approx(p, abs=5 * (p * (1 - p) / 1000) ** 0.5)


def test_top_k_and_temperature_narrow(sampler: tinker.SamplingClient) -> None:
    def kinds(**params: object) -> int:
        return len({sequence.tokens[0] for sequence in draw(sampler, 200, max_tokens=1, **params)})

    assert kinds(top_k=2) <= 2
    assert kinds(temperature=0.3) <= kinds(temperature=1.0) < kinds(temperature=3.0)


@pytest.mark.parametrize("stop", ["e", ["zzz", "e"], [ord("e") - 28]])
def test_a_stop_ends_the_sequence_and_is_part_of_it(sampler: tinker.SamplingClient, stop: object) -> None:
    ended = [sequence for sequence in draw(sampler, 20, max_tokens=60, stop=stop) if sequence.stop_reason == "stop"]
    e = ord("e") - 28
    assert ended
    for sequence in ended:
        assert sequence.tokens[-1] in (e, 1)
        assert e not in sequence.tokens[:-1]


def test_length_ends_the_others(sampler: tinker.SamplingClient) -> None:
    for sequence in draw(sampler, 3, max_tokens=5, temperature=0.0):
        assert (sequence.stop_reason, len(sequence.tokens)) == ("length", 5)


def test_prompt_logprobs_of_the_end_only(sampler: tinker.SamplingClient) -> None:
    whole = sampler.compute_logprobs(PROMPT).result(60)
    last = sampler.compute_logprobs(PROMPT, prompt_logprobs_last_n=4).result(60)
    assert last[:-4] == [None] * (len(whole) - 4)
    assert np.allclose(np.array(last[-4:], float), np.array(whole[-4:], float), atol=1e-5)


def test_a_snapshot_stays_and_inflight_moves(trained: tuple[tinker.ServiceClient, tinker.TrainingClient]) -> None:
    client = trained[0].create_lora_training_client(SMALL, rank=8, seed=3).result(60)
    snapshot = client.save_weights_and_get_sampling_client().result(60)
    inflight = client.save_weights_and_get_sampling_client(kind="inflight").result(60)
    before = snapshot.compute_logprobs(PROMPT).result(60)
    assert inflight.compute_logprobs(PROMPT).result(60) == before
    train(client, [1, 2])
    client.save_weights_and_get_sampling_client(kind="inflight").result(60)
    assert snapshot.compute_logprobs(PROMPT).result(60) == before
    assert inflight.compute_logprobs(PROMPT).result(60) != before


def test_snapshots_that_are_many_are_put_aside_and_stay_what_they_are(server: Server) -> None:
    """A training that acts takes one at every step; the first of them is often wanted to the end."""
    kept = server.state / "snapshots"
    prompt = types.ModelInput.from_ints(tokens(TEXT))
    with server.session() as service:
        client = service.create_lora_training_client(SMALL, rank=8, seed=3).result(60)
        snapshots, computed = [], []
        for step in range(7):
            snapshots.append(client.save_weights_and_get_sampling_client().result(60))
            computed.append(snapshots[-1].compute_logprobs(prompt).result(60))
            train(client, [step])
        assert len(list(kept.glob("*.npz"))) == 3
        assert [snapshot.compute_logprobs(prompt).result(60) for snapshot in snapshots] == computed
        assert len({tuple(row[1:]) for row in computed}) == 7
    wait_until(lambda: not list(kept.glob("*.npz")), "what was put aside to go with its session", seconds=20)


def test_the_untrained_base_can_be_sampled(server: Server) -> None:
    with server.session() as service:
        base = service.create_sampling_client(base_model=SMALL).result(60)
        client = service.create_lora_training_client(SMALL).result(60)
        computed = base.compute_logprobs(PROMPT).result(60)
        ids = PROMPT.to_ints()
        whole = raw_datum(ids[:-1], target_tokens=ids[1:])
        assert np.allclose(np.array(computed[1:], float), logprobs(client, [whole]), atol=1e-5)
