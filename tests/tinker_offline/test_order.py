"""A model's operations happen once and in the order of their numbers, however they arrive."""

import pytest

from tests.tinker_offline.plain_http import create_model, fetch_future, post, save_weights
from tests.tinker_offline.process import Server


def test_an_early_one_waits_for_the_missing_one(server: Server) -> None:
    with server.client() as client:
        model = create_model(client)
        third, second = save_weights(client, model, 3, "same"), save_weights(client, model, 2, "same")
        first = save_weights(client, model, 1, "same")
        assert "path" in fetch_future(client, first)
        assert fetch_future(client, second)["category"] == "user"  # the name is taken: it came after the first
        assert fetch_future(client, third)["category"] == "user"


def test_a_repeated_one_is_not_done_again(server: Server) -> None:
    with server.client() as client:
        model = create_model(client)
        request = save_weights(client, model, 1, "once")
        assert save_weights(client, model, 1, "once") == request
        assert fetch_future(client, request) == fetch_future(client, request)  # its answer is still there
        assert "path" in fetch_future(client, request)


def test_finishing_a_session_answers_what_still_waits(server: Server) -> None:
    with server.client() as client:
        model = create_model(client)
        early = save_weights(client, model, 2, "never")
        session = model.partition(":")[0]
        post(client, f"/sessions/{session}/finish", reason={"type": "interrupted"}, detail="enough")
        assert "finished" in fetch_future(client, early)["error"]
        refused = client.post("/save_weights", json={"model_id": model, "seq_id": 1, "path": "x"})
        assert refused.status_code == 404
        assert client.post("/session_heartbeat", json={"session_id": session}).status_code == 410


@pytest.mark.parametrize("seq_id", [0, -1])
def test_numbers_start_at_one(server: Server, seq_id: int) -> None:
    with server.client() as client:
        body = {"model_id": create_model(client), "seq_id": seq_id, "path": "x"}
        assert client.post("/save_weights", json=body).status_code == 400


def test_an_unknown_request_is_gone(server: Server) -> None:
    with server.client() as client:
        assert client.post("/retrieve_future", json={"request_id": "none"}).status_code == 410
