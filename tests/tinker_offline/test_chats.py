"""The chat model at the service: resumed equals uninterrupted to the bit, and samples, scores and passes agree."""

import numpy as np
import numpy.typing as npt
import pytest
import tinker
from tinker import types

from tests.tinker_offline.examples import ADAM, logprobs, raw_datum, tokens
from tests.tinker_offline.model.chat_tasks import make_items
from tests.tinker_offline.process import Server
from tinker_offline.model import characters

CHAT = "offline/chat-s"


def make_batch(step: int) -> list[types.Datum]:
    data = []
    for prompt, answer in make_items("tool call", 3, step):
        read = [characters.BEGIN, *characters.encode(prompt)]
        ids = [*read, *characters.encode(answer), characters.END]
        weights = [0.0] * (len(read) - 1) + [0.01] * (len(ids) - len(read))
        data.append(raw_datum(ids[:-1], target_tokens=ids[1:], weights=weights))
    return data


def train_on(client: tinker.TrainingClient, steps: range) -> list[float]:
    pending = [(client.forward_backward(make_batch(step), "cross_entropy"), client.optim_step(ADAM)) for step in steps]
    for _, applied in pending:
        applied.result(60)
    return [forward.result(60).metrics["loss:sum"] for forward, _ in pending]


def test_resumed_equals_uninterrupted_to_the_bit_in_a_new_process(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the second process may use more threads."""
    own_server.start()
    with own_server.session() as service:
        whole = service.create_lora_training_client(CHAT, rank=8, seed=3).result(60)
        straight = train_on(whole, range(6))
        expected = logprobs(whole, make_batch(9)).tobytes()
        broken = service.create_lora_training_client(CHAT, rank=8, seed=3).result(60)
        before = train_on(broken, range(3))
        path = broken.save_state("half-way").result(60).path
    own_server.end()
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    own_server.start()
    with own_server.session() as service:
        resumed = service.create_training_client_from_state_with_optimizer(path).result(60)
        assert before + train_on(resumed, range(3, 6)) == straight
        assert logprobs(resumed, make_batch(9)).tobytes() == expected


def test_samples_scores_and_passes_agree(service: tinker.ServiceClient) -> None:
    client = service.create_lora_training_client(CHAT, rank=4, seed=1).result(60)
    train_on(client, range(2))
    sampler = client.save_weights_and_get_sampling_client().result(60)
    prompt = types.ModelInput.from_ints(tokens("User: say abc twice"))
    response = sampler.sample(prompt, 2, types.SamplingParams(max_tokens=12, seed=5)).result(60)
    for sequence in response.sequences:
        whole = [*prompt.to_ints(), *sequence.tokens]
        scored = sampler.compute_logprobs(types.ModelInput.from_ints(whole)).result(60)
        passed = logprobs(client, [raw_datum(whole[:-1], target_tokens=whole[1:])])
        for place in (prompt.length, len(whole) - 1):
            assert scored[place] == pytest.approx(float(passed[place - 1]), abs=1e-4)
        assert sequence.logprobs is not None
        assert _tail(passed, len(sequence.tokens)) == pytest.approx(sequence.logprobs, abs=1e-4)


def _tail(values: npt.NDArray[np.float32], count: int) -> list[float]:
    return [float(value) for value in values[-count:]]


def test_a_loss_of_the_client_trains_it(service: tinker.ServiceClient) -> None:
    """As `forward_backward_custom` does it: from log-probabilities the client computes what each is worth."""
    client = service.create_lora_training_client(CHAT, rank=4, seed=1).result(60)
    [wanted, unwanted] = make_batch(0)[:2]
    before = [float(logprobs(client, [example]).sum()) for example in (wanted, unwanted)]
    slope = -1 / (1 + np.exp(before[0] - before[1]))  # of -log sigmoid(difference)
    weighed = []
    for example, sign in ((wanted, -1), (unwanted, 1)):
        ids, targets = example.model_input.to_ints(), example.loss_fn_inputs["target_tokens"].to_numpy()
        weights = [float(sign * slope)] * len(ids)
        weighed.append(raw_datum(ids, target_tokens=[int(token) for token in targets], weights=weights))
    client.forward_backward(weighed, "cross_entropy").result(60)
    client.optim_step(ADAM).result(60)
    after = [float(logprobs(client, [example]).sum()) for example in (wanted, unwanted)]
    assert after[0] - after[1] > before[0] - before[1]


def test_a_model_that_diverges_goes_on_answering(service: tinker.ServiceClient) -> None:
    client = service.create_lora_training_client(CHAT, rank=4, seed=1).result(60)
    wild = types.AdamParams(learning_rate=1e38, beta1=0.9, beta2=0.95, eps=1e-8)
    for step in range(3):
        client.forward_backward(make_batch(step), "cross_entropy").result(60)
        client.optim_step(wild).result(60)
    sampler = client.save_weights_and_get_sampling_client().result(60)
    response = sampler.sample(
        types.ModelInput.from_ints(tokens("ab ab")), 2, types.SamplingParams(max_tokens=5, seed=1)
    )
    assert all(0 < len(sequence.tokens) <= 5 for sequence in response.result(60).sequences)
