"""Requests over plain HTTP, without the SDK."""

from typing import Any

import httpx

SMALL = "offline/ngram-s"


def post(client: httpx.Client, path: str, /, **body: object) -> dict[str, Any]:
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def fetch_future(client: httpx.Client, request_id: str) -> dict[str, Any]:
    return post(client, "/retrieve_future", request_id=request_id)


def create_model(client: httpx.Client) -> str:
    session = post(client, "/create_session", tags=[], user_metadata=None, sdk_version="test")["session_id"]
    body = {"session_id": session, "model_seq_id": 0, "base_model": SMALL, "lora_config": {"rank": 4}}
    first, again = post(client, "/create_model", **body), post(client, "/create_model", **body)
    assert first["request_id"] == again["request_id"]
    model: str = fetch_future(client, first["request_id"])["model_id"]
    return model


def save_weights(client: httpx.Client, model: str, seq_id: int, name: str) -> str:
    request: str = post(client, "/save_weights", model_id=model, seq_id=seq_id, path=name)["request_id"]
    return request
