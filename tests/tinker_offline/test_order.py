"""Operations of one model happen once and in the order of their numbers, however they arrive."""

from typing import Any

import httpx
import pytest

from tests.tinker_offline.process import Server

SMALL = "offline/ngram-s"


def ask(client: httpx.Client, path: str, /, **body: object) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def fetch(client: httpx.Client, request_id: str) -> dict[str, Any]:
    return ask(client, "/retrieve_future", request_id=request_id)


def new_model(client: httpx.Client) -> str:
    session = ask(client, "/create_session", tags=[], user_metadata=None, sdk_version="test")["session_id"]
    body = {"session_id": session, "model_seq_id": 0, "base_model": SMALL, "lora_config": {"rank": 4}}
    first, again = ask(client, "/create_model", **body), ask(client, "/create_model", **body)
    assert first["request_id"] == again["request_id"]
    model: str = fetch(client, first["request_id"])["model_id"]
    return model


def save(client: httpx.Client, model: str, seq_id: int, name: str) -> str:
    request: str = ask(client, "/save_weights", model_id=model, seq_id=seq_id, path=name)["request_id"]
    return request


def test_an_early_one_waits_for_the_missing_one(server: Server) -> None:
    with server.client() as client:
        model = new_model(client)
        third, second = save(client, model, 3, "same"), save(client, model, 2, "same")
        first = save(client, model, 1, "same")
        assert "path" in fetch(client, first)
        assert fetch(client, second)["category"] == "user"  # the name is taken: it came after the first
        assert fetch(client, third)["category"] == "user"


def test_a_repeated_one_is_not_done_again(server: Server) -> None:
    with server.client() as client:
        model = new_model(client)
        request = save(client, model, 1, "once")
        assert save(client, model, 1, "once") == request
        assert fetch(client, request) == fetch(client, request)  # nor is its answer gone after the first time
        assert "path" in fetch(client, request)


def test_finishing_a_session_answers_what_still_waits(server: Server) -> None:
    with server.client() as client:
        model = new_model(client)
        early = save(client, model, 2, "never")
        session = model.partition(":")[0]
        ask(client, f"/sessions/{session}/finish", reason={"type": "interrupted"}, detail="enough")
        assert "finished" in fetch(client, early)["error"]
        refused = client.post("/save_weights", json={"model_id": model, "seq_id": 1, "path": "x"})
        assert refused.status_code == 404
        assert client.post("/session_heartbeat", json={"session_id": session}).status_code == 410


@pytest.mark.parametrize("seq_id", [0, -1])
def test_numbers_start_at_one(server: Server, seq_id: int) -> None:
    with server.client() as client:
        body = {"model_id": new_model(client), "seq_id": seq_id, "path": "x"}
        assert client.post("/save_weights", json=body).status_code == 400


def test_an_unknown_request_is_gone(server: Server) -> None:
    with server.client() as client:
        assert client.post("/retrieve_future", json={"request_id": "none"}).status_code == 410
