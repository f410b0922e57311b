"""What the service's documentation leaves open about an account can be set either way."""

from collections.abc import Iterator

import httpx
import pytest
import tinker

from tests.tinker_offline.examples import SMALL, batch, logprobs, train
from tests.tinker_offline.process import KEY, Control, Server


@pytest.fixture(scope="module")
def questioned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("questioned"), ["--control"])
    server.start()
    yield server
    server.end()


@pytest.fixture
def control(questioned: Server) -> Iterator[Control]:
    with questioned.control() as side:
        yield side
        side.clear()


def test_a_restored_model_has_its_moments_or_only_its_weights(questioned: Server, control: Control) -> None:
    with questioned.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4, seed=1).result(60)
        train(client, range(3))
        path = client.save_state("kept").result(60).path
        saved = logprobs(client, batch(9)).tobytes()
        expected = train(client, range(3, 6))
        losses = {}
        for moments in (True, False):
            control.set(account={"moments": moments})
            restored = service.create_training_client_from_state_with_optimizer(path).result(60)
            assert logprobs(restored, batch(9)).tobytes() == saved
            losses[moments] = train(restored, range(3, 6))
        weights_only = service.create_training_client_from_state(path).result(60)
        assert losses == {True: expected, False: train(weights_only, range(3, 6))}
        assert losses[True] != losses[False]


def test_a_session_is_finished_by_anyone_or_by_its_opener_alone(questioned: Server, control: Control) -> None:
    service = tinker.ServiceClient(base_url=questioned.url, api_key=KEY)
    client = service.create_lora_training_client(SMALL, rank=4).result(60)
    session = client.model_id.partition(":")[0]
    control.set(account={"finish": False})
    with questioned.client() as raw:
        assert finish(raw, session) == 403
        train(client, [0])
        service.close("success").result(30)
        assert raw.post("/session_heartbeat", json={"session_id": session}).status_code == 410
        control.clear()
        with questioned.session() as another:
            foreign = another.create_lora_training_client(SMALL, rank=4).result(60).model_id.partition(":")[0]
            assert finish(raw, foreign) == 200


def finish(raw: httpx.Client, session: str) -> int:
    return raw.post(f"/sessions/{session}/finish", json={"reason": {"type": "interrupted"}}).status_code


@pytest.mark.parametrize(("forward", "kind"), [("training", "training"), ("prefill", "sampling_prefill")])
def test_forward_is_counted_as_the_account_is_billed_and_training_always_as_training(
    questioned: Server, control: Control, forward: str, kind: str
) -> None:
    control.set(account={"forward": forward})
    with questioned.session() as service:
        only, both = (service.create_lora_training_client(SMALL, rank=4).result(60) for _ in range(2))
        logprobs(only, batch(0))
        assert count_usage(control, only) == {kind: 4 * 32}
        train(both, [0])
        assert count_usage(control, both)["training"] == 4 * 32 * (2 if forward == "training" else 1)


def count_usage(control: Control, client: tinker.TrainingClient) -> dict[str, int]:
    """Of the client's session."""
    tokens: dict[str, int] = control.usage()[client.model_id.partition(":")[0]]["tokens"]
    return tokens


def test_with_the_document_ends_what_it_said_of_the_account(questioned: Server, control: Control) -> None:
    control.set(account={"forward": "prefill"})
    control.clear()
    with questioned.session() as service:
        client = service.create_lora_training_client(SMALL, rank=4).result(60)
        logprobs(client, batch(0))
        assert count_usage(control, client) == {"training": 4 * 32}
