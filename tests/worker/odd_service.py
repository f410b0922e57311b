"""Serve tinker_offline behind a middleware that changes its answers into malformed ones.

Real HTTP, the real SDK and a real model; only the answers are the test's.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import uvicorn
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from tinker.proto import tinker_public_pb2 as schema

from tests.tinker_offline.process import CACHE
from tinker_offline.routes import create_app
from tinker_offline.service import Service

API = "/api/v1/"
MESSAGES: dict[str, Any] = {
    "ForwardBackward": schema.ForwardBackwardOutput,
    "Forward": schema.ForwardBackwardOutput,
    "Sample": schema.SampleResponse,
}
NO_ROUTE = (404, {"detail": "Not Found"})
"""What the usual servers say of a path that they do not know."""

Change = Callable[[Any], Any]
"""Changes an answer in place, a message or a JSON object; or returns what is sent in its place, bytes or a Response."""


class Odd:
    """Middleware. `changes` holds by kind of request (`Forward`, `Sample`, `SaveWeights` …) what becomes of an answer;
    `refusals` by method and path what is answered in place of the work, so often, and `asked` what was asked for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.forget()

    def forget(self) -> None:
        """Be an ordinary service again."""
        self.changes: dict[str, Change] = {}
        self.refusals: dict[str, tuple[int, Any]] = {}
        self.times: dict[str, int] = {}
        self.asked: list[str] = []

    def refuse(self, request: str, status: int, body: Any, times: int = 10**6) -> None:
        """Answer requests like this one (`POST sessions/search`, `PUT */ttl`) this way, this many times."""
        self.refusals[request], self.times[request] = (status, body), times

    def lack(self, *requests: str, answer: tuple[int, Any] = NO_ROUTE) -> None:
        """Have no such calls."""
        for request in requests:
            self.refuse(request, *answer)

    def count(self, request: str) -> int:
        """How often something like this was asked for."""
        return sum(fnmatchcase(pattern, request) for pattern in self.asked)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = f"{scope['method']} {scope['path'].removeprefix(API)}"
        self.asked.append(request)
        for pattern, (status, body) in list(self.refusals.items()):
            if fnmatchcase(request, pattern) and self.times[pattern] > 0:
                self.times[pattern] -= 1
                answer = JSONResponse(body, status) if isinstance(body, dict) else Response(body, status)
                await answer(scope, receive, send)
                return
        kind = Headers(scope=scope).get("x-tinker-request-type", "")
        change = self.changes.get(kind) or self.changes.get(request)
        await (self._app(scope, receive, send) if change is None else self._changed(change, kind, scope, receive, send))

    async def _changed(self, change: Change, kind: str, scope: Scope, receive: Receive, send: Send) -> None:
        head: Message = {}
        body = b""

        async def keep(message: Message) -> None:
            nonlocal head, body
            if message["type"] == "http.response.start":
                head = message
            else:
                body += message["body"]

        await self._app(scope, receive, keep)
        answer = Response(body, head["status"])
        answer.raw_headers = head["headers"]
        if head["status"] == 200:
            answer = _said(change, kind, body, Headers(raw=head["headers"])["content-type"])
        await answer(scope, receive, send)


def _said(change: Change, kind: str, body: bytes, content_type: str) -> Response:
    binary = "protobuf" in content_type
    message = MESSAGES[kind].FromString(body) if binary else json.loads(body)
    instead = change(message)
    if isinstance(instead, Response):
        return instead
    whole = instead if isinstance(instead, bytes) else message.SerializeToString() if binary else json.dumps(message)
    return Response(whole, media_type=content_type)


@contextlib.contextmanager
def odd_service(state: Path) -> Iterator[tuple[str, Odd]]:
    """Its URL, and who changes what it says."""
    service = Service(state, CACHE)
    odd = Odd(create_app(service))
    config = uvicorn.Config(odd, port=0, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    started = threading.Event()
    socket = config.bind_socket()

    async def serve() -> None:
        started.set()
        await server.serve(sockets=[socket])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    started.wait(20)
    yield f"http://127.0.0.1:{socket.getsockname()[1]}", odd
    server.should_exit = True
    thread.join(20)
    service.futures.close()
    service._lock.close()  # else the end of the tests says that nobody did
