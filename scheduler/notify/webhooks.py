"""One notice to one address, by HTTP: what is sent, and what the answer means.

The far side may be down, slow or hostile, and the address is a secret. Nothing here raises: an answer is a value, and
neither the reason in it nor any log holds the address.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from scheduler.notify.outbox import OutboxNotice

DEADLINE = 10.0  # seconds for everything, however the far side spreads what it says
DISCORD_LENGTH = 2000  # characters that it takes
SLACK = (".hooks.slack.com", ".hooks.slack-gov.com")
DISCORD = (".discord.com", ".discordapp.com")

for _name in ("httpx", "httpcore"):  # they log the address of every request
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Delivery:
    """How an address has taken a notice."""

    reason: str  # why it was not taken; '' if it was
    wish: float = 0.0  # seconds for which it asked to be left alone


def compose(address: str, notice: OutboxNotice, text: str) -> bytes:
    """The notice as the host of the address takes it; a host that we do not know gets everything that there is."""
    url = _url(address)
    host = "" if url is None else f".{url.host}"
    if host.endswith(SLACK):
        return _document({"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")})
    if host.endswith(DISCORD):
        short = text if len(text) <= DISCORD_LENGTH else f"{text[: DISCORD_LENGTH - 1]}…"
        return _document({"content": short, "allowed_mentions": {"parse": []}})  # a cause may hold an @everyone
    return _document(
        {
            "id": notice.id,
            "kind": notice.kind,
            "sweep": notice.sweep or None,
            "at": datetime.fromtimestamp(notice.at / 1000, UTC).isoformat(timespec="seconds"),
            "detail": notice.detail,
            "text": text,
        }
    )


def build_headers(notice: OutboxNotice, body: bytes, secret: str, now: float) -> dict[str, str]:
    """With the notice's name, by which a repeat is known; and signed, where there is a secret to sign with."""
    named = {"Content-Type": "application/json", "User-Agent": "tinker-sweeps", "X-Sweep-Id": notice.id}
    return named | ({"X-Sweep-Signature": signature(body, secret, round(now))} if secret else {})


def signature(body: bytes, secret: str, now: int) -> str:
    """`t=<seconds since 1970>,v1=<hex HMAC-SHA256 of "t.body">`."""
    made = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256)
    return f"t={now},v1={made.hexdigest()}"


def send(address: str, body: bytes, headers: Mapping[str, str], *, deadline: float = DEADLINE) -> Delivery:
    """Post it, and wait for the answer until the deadline."""
    url = _url(address)
    if url is None:
        return Delivery("what it holds is no address; http://… or https://… is right")
    try:
        return asyncio.run(_send(url, body, headers, deadline))
    except httpx.ConnectTimeout:
        return Delivery(f"cannot be reached: no connection within {deadline / 2:g} s")
    except (TimeoutError, httpx.TimeoutException):
        return Delivery(f"no answer within {deadline:g} s")
    except httpx.ConnectError as error:
        return Delivery(f"cannot be reached: {_cause(error)}")
    except Exception as error:  # noqa: BLE001 - whatever it brings about is a reason: a traceback could quote the address
        return Delivery(f"what it answers is no HTTP ({type(error).__name__})")


async def _send(url: httpx.URL, body: bytes, headers: Mapping[str, str], deadline: float) -> Delivery:
    """The first lines of the answer say all; what else it has to say is not read, so that it may be of any length."""
    limits = httpx.Timeout(deadline, connect=deadline / 2)
    async with (
        asyncio.timeout(deadline),
        httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=limits) as client,
        client.stream("POST", url, content=body, headers=dict(headers)) as answer,
    ):
        return _judge_status(answer.status_code, answer.headers)


def _judge_status(status: int, headers: Mapping[str, str]) -> Delivery:
    if 200 <= status < 300:
        return Delivery("")
    if 300 <= status < 400:
        return Delivery(f"answers {status}, a redirect, which is not followed: the address itself is right")
    return Delivery(f"answers {status}", _seconds(headers.get("Retry-After", "")) if status == 429 else 0.0)


def _seconds(text: str) -> float:
    """Of a Retry-After; one that is a date, or nonsense, counts as none."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _cause(error: Exception) -> str:
    """What the system said underneath, without the words that others put around it: they may quote the host."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            return "no TLS connection, or a certificate that is not trusted"
        if isinstance(below, socket.gaierror):
            return "its host is not known"
        if isinstance(below, OSError) and below.errno:
            return os.strerror(below.errno).lower()
        below = below.__cause__ or below.__context__
    return "no connection"


def _url(address: str) -> httpx.URL | None:
    try:
        url = httpx.URL(address.strip())
    except (httpx.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


def _document(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
