"""What holds for every request and response: the headers that a browser obeys, and how large and slow a body may be."""

import asyncio
import json
import math

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # `no-referrer` would make the origin of our own forms null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
LARGEST = 1_000_000  # bytes of a body
UPLOADS = ("/api/v1/data/", "/new")  # what takes a body there bounds it itself, by a setting
PATIENCE = 10.0  # seconds for the next piece of a body

REFUSAL = json.dumps(
    {
        "type": "about:blank",
        "title": "Too large",
        "status": 413,
        "code": "too_much",
        "detail": f"the body of the request has more than {LARGEST:,} bytes, or came too slowly",
    }
).encode()
HEADERS_OF_A_REFUSAL = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]


class TooLarge(Exception):
    """A body has more than LARGEST bytes, or comes too slowly."""


class Guard:
    """Wraps the whole app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = math.inf if scope["path"].startswith(UPLOADS) else LARGEST
        call = _Call(receive, send, most)
        try:
            await self._app(scope, call.receive, call.send)
        except TooLarge:
            if call.has_started:
                raise
            await call.refuse()


class _Call:
    """One request and its response."""

    def __init__(self, receive: Receive, send: Send, most: float) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._size = 0
        self._is_refused = self._is_whole = False
        self.has_started = False

    async def receive(self) -> Message:
        if self.has_started or self._is_whole:  # only the end of the connection can come
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), PATIENCE)
        except TimeoutError:
            self._is_refused = True
            raise TooLarge from None
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            self._is_refused = True
            raise TooLarge
        self._is_whole = not message.get("more_body", False)
        return message

    async def refuse(self) -> None:
        """Answer that the body is too large, or comes too slowly."""
        self._is_refused = False
        await self.send({"type": "http.response.start", "status": 413, "headers": HEADERS_OF_A_REFUSAL})
        await self.send({"type": "http.response.body", "body": REFUSAL})

    async def send(self, message: Message) -> None:
        if self._is_refused:  # what reads the body took our refusal for an error of its own
            raise TooLarge
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
