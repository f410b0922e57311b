"""Make faults happen, between the network and the routes."""

import asyncio
import json
from http import HTTPStatus

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tinker_offline.faults.accidents import ErrorAnswer
from tinker_offline.faults.scenario import Scenario

API = "/api/v1/"


class BreakableConnection(HttpToolsProtocol):
    """HTTP as usual, but a request knows its connection, so that it can be broken."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class FaultMiddleware:
    """Middleware that asks the scenario which fault happens to each request, and makes it happen."""

    def __init__(self, app: ASGIApp, scenario: Scenario) -> None:
        self._app = app
        self._scenario = scenario

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        about = scope["type"] == "http" and scope["path"].startswith(API)
        accident = self._scenario.draw_accident(scope["path"].removeprefix(API)) if about else None
        if accident is None:
            await self._app(scope, receive, send)
            return
        await asyncio.sleep(accident.delay)
        if accident.answer is not None:
            await _make_error(accident.answer)(scope, receive, send)
        elif accident.drop == "before":
            await _break_connection(scope, receive)
        else:
            lost = accident.drop == "after"
            forward = _discard if lost else send
            await self._app(scope, receive, self._hold_reply(forward, accident.held) if accident.held else forward)
            if lost:
                await _break_connection(scope, receive)

    def _hold_reply(self, send: Send, seconds: float) -> Send:
        """Pass an answer on, and keep back the reply of the future that it names."""
        status = 0

        async def read(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and status == HTTPStatus.OK:
                self._scenario.hold(json.loads(message["body"])["request_id"], seconds)
            await send(message)

        return read


def _make_error(answer: ErrorAnswer) -> Response:
    content = answer.body or {"error": f"fault: answered {answer.status} on purpose"}
    wait = {} if answer.retry_after is None else {"Retry-After": f"{answer.retry_after:g}"}
    return JSONResponse(content, answer.status, wait)


async def _discard(_: Message) -> None:
    pass


async def _break_connection(scope: Scope, receive: Receive) -> None:
    """Break the connection, and wait until the server notices: otherwise it would answer the request."""
    scope["state"]["transport"].abort()
    while (await receive())["type"] != "http.disconnect":
        pass
