"""What holds for every request and response: the headers that a browser obeys, and how large and slow a body may be."""

import asyncio

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
PATIENCE = 10.0  # seconds for the next piece of a body


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
        call = _Call(receive, send)
        try:
            await self._app(scope, call.receive, call.send)
        except TooLarge:
            if call.has_started:
                raise
            text = b"The body of the request is too large, or came too slowly."
            kind = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await call.send({"type": "http.response.start", "status": 413, "headers": kind})
            await call.send({"type": "http.response.body", "body": text})


class _Call:
    """One request and its response."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._size = 0
        self.has_started = False

    async def receive(self) -> Message:
        if self.has_started:  # only the end of the connection can come
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), PATIENCE)
        except TimeoutError:
            raise TooLarge from None
        self._size += len(message.get("body", b""))
        if self._size > LARGEST:
            raise TooLarge
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_started = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
