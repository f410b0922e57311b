"""Translate between our SDK and a server for an older one: SkyRL tx 0.4.0 was written for SDK 0.25.

Everything passes unchanged except:

- A model is named by its session and a number, which the SDK knows before the answer; the server
chooses a name.

- `load_weights` creates a model; the server loads into an existing one.

- `asample` names its sequences in advance.

- The log-probabilities of a prompt have an entry for the first token, without a number.

What the server lacks (finishing a session, lifetimes, searching sessions, bills) stays a 404.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tinker.proto import tinker_public_pb2 as schema

API = "/api/v1"
PROTOBUF = "application/x-protobuf"
KEPT = ("content-type", "content-encoding", "accept", "x-api-key")
METHODS = ["GET", "POST", "PUT", "DELETE"]
Json = dict[str, Any]


class Translator:
    """One server's translator. Models and prompts are remembered by the request that made or carried them."""

    def __init__(self, server: str) -> None:
        """`server` is the foreign server's address, as http://host:port."""
        self._client = httpx.AsyncClient(base_url=server, timeout=httpx.Timeout(320), trust_env=False)
        self._models: dict[str, str] = {}  # the SDK's name of a model -> the server's
        self._made: dict[str, Json] = {}  # a request that makes a model -> what the SDK is to be told of it
        self._prompts: dict[str, int] = {}

    def app(self) -> Starlette:
        """The application that the SDK talks to."""

        @asynccontextmanager
        async def close_at_the_end(_: Starlette) -> AsyncIterator[None]:
            yield
            await self._client.aclose()

        calls = (self.create_model, self.load_weights, self.forward_backward, self.asample, self.retrieve_future)
        return Starlette(
            routes=[
                *(Route(f"{API}/{call.__name__}", call, methods=["POST"]) for call in calls),
                Route("/{path:path}", self.forward, methods=METHODS),
            ],
            exception_handlers={httpx.HTTPError: _stay_away},
            lifespan=close_at_the_end,
        )

    async def forward(self, request: Request) -> Response:
        return _pass_on(await self._send(request, self._address(await request.body())))

    async def create_model(self, request: Request) -> Response:
        asked = await request.json()
        made = await self._send(request, await request.body())
        return _pass_on(made) if made.is_error else self._name(asked, made.json(), made.json()["model_id"], {})

    async def load_weights(self, request: Request) -> Response:
        asked = await request.json()
        info = await self._post("weights_info", {"tinker_path": asked["path"]})
        if info.is_error:
            return _pass_on(info)
        answer = info.json()
        model = {"base_model": answer["base_model"], "lora_config": {"rank": answer["lora_rank"]}}
        made = (await self._post("create_model", {"session_id": asked["session_id"], **model})).json()
        await self._post("retrieve_future", {"request_id": made["request_id"]})
        load = {"model_id": made["model_id"], "path": asked["path"], "optimizer": asked["optimizer"]}
        loading = await self._post("load_weights", load)
        if loading.is_error:
            return _pass_on(loading)
        return self._name(asked, loading.json(), made["model_id"], {"path": asked["path"]})

    async def forward_backward(self, request: Request) -> Response:
        message = schema.ForwardBackwardRequest()
        message.ParseFromString(await request.body())
        message.model_id = self._models.get(message.model_id, message.model_id)
        return _pass_on(await self._send(request, bytes(message.SerializeToString())))

    async def asample(self, request: Request) -> Response:
        asked = await request.json()
        accepted = await self._send(request, await request.body())
        if accepted.is_error:
            return _pass_on(accepted)
        answer = accepted.json()
        name = answer["request_id"]
        self._prompts[name] = sum(len(chunk["tokens"]) for chunk in asked["prompt"]["chunks"])
        sequences = [f"{name}-{index}" for index in range(asked.get("num_samples", 1))]
        return JSONResponse({**answer, "sample_sequence_ids": sequences})

    async def retrieve_future(self, request: Request) -> Response:
        name = (await request.json())["request_id"]
        answer = await self._send(request, await request.body())
        if answer.is_success and name in self._made:
            return JSONResponse({**answer.json(), **self._made[name]})
        if answer.is_success and name in self._prompts:
            return Response(_complete(answer.content, self._prompts[name]), media_type=PROTOBUF)
        return _pass_on(answer)

    def _name(self, asked: Json, answer: Json, model: str, more: Json) -> Response:
        """Give a model the name that the SDK expects, and remember what its future is to tell."""
        name = f"{asked['session_id']}:train:{asked['model_seq_id']}"
        self._models[name] = model
        self._made[answer["request_id"]] = {**more, "model_id": name}
        return JSONResponse({**answer, "model_id": name})

    def _address(self, body: bytes) -> bytes:
        """A JSON request for a model, under the server's name of it."""
        with suppress(ValueError):
            asked = json.loads(body)
            if isinstance(asked, dict) and asked.get("model_id") in self._models:
                return json.dumps({**asked, "model_id": self._models[asked["model_id"]]}).encode()
        return body

    async def _post(self, call: str, body: Json) -> httpx.Response:
        return await self._client.post(f"{API}/{call}", json=body)

    async def _send(self, request: Request, body: bytes) -> httpx.Response:
        headers = {name: request.headers[name] for name in KEPT if name in request.headers}
        return await self._client.request(
            request.method, request.url.path, params=request.query_params, content=body, headers=headers
        )


async def _stay_away(_: Request, error: Exception) -> Response:
    """What a proxy says while the server behind it is down."""
    return JSONResponse({"detail": type(error).__name__}, 502)


def _complete(content: bytes, length: int) -> bytes:
    """A sample whose log-probabilities of the prompt are as many as its tokens; the first one is not defined."""
    response = schema.SampleResponse()
    response.ParseFromString(content)
    given = np.frombuffer(response.prompt_logprobs, np.float32)
    if 0 < len(given) == length - 1:
        response.prompt_logprobs = np.concatenate([np.array([np.nan], np.float32), given]).tobytes()
    return bytes(response.SerializeToString())


def _pass_on(answer: httpx.Response) -> Response:
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
