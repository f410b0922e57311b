"""What a training client may rely on, through the real SDK."""

import uuid

import numpy as np
import pytest
import tinker
from tinker import types

from tests.tinker_offline.examples import ADAM, SMALL, batch, datum, logprobs, raw_datum, tokens, train
from tests.tinker_offline.process import Server


def create(service: tinker.ServiceClient, rank: int = 16, seed: int = 1) -> tinker.TrainingClient:
    return service.create_lora_training_client(SMALL, rank=rank, seed=seed).result(60)


def test_a_model_learns_what_it_is_shown(service: tinker.ServiceClient) -> None:
    client = create(service)
    losses = train(client, [0] * 20)
    assert losses[-1] < 0.5 * losses[0]
    info = client.get_info()
    assert (info.lora_rank, info.is_lora, info.model_data.model_name) == (16, True, SMALL)


def test_two_identical_runs_are_equal_to_the_bit(service: tinker.ServiceClient) -> None:
    first, second = create(service), create(service)
    assert train(first, range(8)) == train(second, range(8))
    assert logprobs(first, batch(9)).tobytes() == logprobs(second, batch(9)).tobytes()
    other = create(service, seed=2)
    train(other, range(8))
    assert logprobs(first, batch(9)).tobytes() != logprobs(other, batch(9)).tobytes()


def test_resumed_equals_uninterrupted_to_the_bit(server: Server, service: tinker.ServiceClient) -> None:
    whole = create(service)
    straight = train(whole, range(9))
    broken = create(service)
    before = train(broken, range(4))
    path = broken.save_state("half-way", user_metadata={"step": "4"}).result(60).path
    train(broken, [7, 7])  # what happens to the first model later changes nothing
    with server.session() as another:
        resumed = another.create_training_client_from_state_with_optimizer(path).result(60)
        assert before + train(resumed, range(4, 9)) == straight
        assert logprobs(resumed, batch(99)).tobytes() == logprobs(whole, batch(99)).tobytes()
        forgetful = another.create_training_client_from_state(path).result(60)
        train(forgetful, range(4, 9))
        assert logprobs(forgetful, batch(99)).tobytes() != logprobs(whole, batch(99)).tobytes()


def test_forward_changes_nothing(service: tinker.ServiceClient) -> None:
    plain, watched = create(service), create(service)
    train(plain, range(4))
    for step in range(4):
        logprobs(watched, batch(50))
        train(watched, [step])
    assert logprobs(plain, batch(9)).tobytes() == logprobs(watched, batch(9)).tobytes()


def test_forward_and_backward_say_the_same_loss(service: tinker.ServiceClient) -> None:
    client = create(service)
    train(client, range(3))
    forward = client.forward(batch(5), "cross_entropy").result(60)
    backward = client.forward_backward(batch(5), "cross_entropy").result(60)
    assert backward.metrics["loss:sum"] == pytest.approx(forward.metrics["loss:sum"], rel=1e-5)
    weights = np.concatenate([example.loss_fn_inputs["weights"].to_numpy() for example in batch(5)])
    logprobs = np.concatenate([output["logprobs"].to_numpy() for output in backward.loss_fn_outputs])
    assert backward.metrics["loss:sum"] == pytest.approx(-float(logprobs @ weights), rel=1e-5)


def test_more_data_than_fit_one_request(service: tinker.ServiceClient) -> None:
    """The SDK cuts them into chunks and sends these in parallel, the first one last."""
    client = create(service)
    output = client.forward([datum("abcdefgh")] * 2500, "cross_entropy").result(60)
    assert len(output.loss_fn_outputs) == 2500
    small = client.forward([datum("abcdefgh")], "cross_entropy").result(60)
    assert output.metrics["loss:sum"] == pytest.approx(2500 * small.metrics["loss:sum"], rel=1e-4)


def test_weights_may_be_left_out_and_targets_need_not_be_the_next_token(service: tinker.ServiceClient) -> None:
    client = create(service)
    ids = tokens("abcd")
    both = raw_datum(ids, target_tokens=ids)
    output = client.forward_backward([both], "cross_entropy").result(60)
    assert output.metrics["loss:sum"] == pytest.approx(-output.loss_fn_outputs[0]["logprobs"].to_numpy().sum())


def test_zero_gradient_steps_change_nothing(service: tinker.ServiceClient) -> None:
    client = create(service)
    before = logprobs(client, batch(1))
    client.optim_step(ADAM).result(60)
    assert logprobs(client, batch(1)).tobytes() == before.tobytes()


def test_a_model_that_diverges_goes_on_answering(service: tinker.ServiceClient) -> None:
    client = create(service)
    for _ in range(3):
        client.forward_backward(batch(0), "cross_entropy").result(60)
        client.optim_step(types.AdamParams(learning_rate=1e38)).result(60)
    loss = client.forward(batch(0), "cross_entropy").result(60).metrics["loss:sum"]
    assert np.isnan(loss) or loss > 1e6


@pytest.mark.parametrize(
    ("data", "loss", "complaint"),
    [
        ([datum("ab")], "no_such_loss", "no_such_loss"),
        ([raw_datum([5, 99], target_tokens=[1, 2])], "cross_entropy", "0 to 98"),
        ([raw_datum([5, 6], target_tokens=[1])], "cross_entropy", "target_tokens"),
        ([raw_datum([5], weights=[1.0])], "cross_entropy", "target_tokens"),
        ([raw_datum([5] * 4097, target_tokens=[5] * 4097)], "cross_entropy", "4096"),
    ],
)
def test_a_bad_pass_is_the_users_error_and_leaves_no_gap(
    service: tinker.ServiceClient, data: list[types.Datum], loss: types.LossFnType, complaint: str
) -> None:
    client = create(service)
    with pytest.raises(tinker.RequestFailedError, match=complaint) as caught:
        client.forward_backward(data, loss).result(60)
    assert caught.value.category.name == "User"
    assert train(client, [0])


def test_a_checkpoints_name_is_given_once_or_overwritten(service: tinker.ServiceClient) -> None:
    client = create(service)
    path = client.save_state("twice").result(60).path
    assert path == f"tinker://{client.model_id}/weights/twice"
    with pytest.raises(tinker.RequestFailedError, match="weights/twice"):
        client.save_state("twice").result(60)
    train(client, [1])
    assert client.save_state("twice", overwrite=True).result(60).path == path
    loaded = service.create_training_client_from_state(path).result(60)
    assert logprobs(loaded, batch(1)).tobytes() == logprobs(client, batch(1)).tobytes()


def test_what_cannot_be_created_says_why(service: tinker.ServiceClient) -> None:
    with pytest.raises(tinker.BadRequestError, match=r"256.* 12"):
        create(service, rank=12)
    with pytest.raises(tinker.BadRequestError, match="offline/ngram-s"):
        service.create_lora_training_client("Qwen/Qwen3-8B").result(60)
    missing = f"tinker://{uuid.uuid4().hex}:train:0/weights/none"
    with pytest.raises(tinker.NotFoundError, match="weights/none"):
        service.create_training_client_from_state(missing).result(60)
