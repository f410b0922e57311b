"""How long a body may take, and that nothing else is cut off for it."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from web import guard


def test_a_stream_that_is_silent_is_not_taken_for_a_slow_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever streams waits from its start for the end of the connection, perhaps before its first word."""
    monkeypatch.setattr(guard, "PATIENCE", 0.05)
    sent: list[Message] = []

    async def run() -> None:
        messages: asyncio.Queue[Message] = asyncio.Queue()
        messages.put_nowait({"type": "http.request", "body": b"{}", "more_body": False})

        async def stream(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["path"] == "/events"
            assert (await receive())["body"] == b"{}"
            ending = asyncio.ensure_future(receive())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            done, _ = await asyncio.wait([ending], timeout=4 * guard.PATIENCE)
            assert not done
            messages.put_nowait({"type": "http.disconnect"})
            assert (await ending)["type"] == "http.disconnect"

        async def send(message: Message) -> None:
            sent.append(message)

        await guard.Guard(stream)({"type": "http", "path": "/events"}, messages.get, send)

    asyncio.run(run())
    assert [message["status"] for message in sent] == [200]
