"""Send one notice to one webhook by HTTP, and judge the answer. Opens the network; touches nothing else.

The receiver may be down, slow or hostile, and the address is a secret. So `send` never raises: it returns a Delivery,
and neither its reason nor any log contains the address. Signatures follow https://www.standardwebhooks.com.
"""

import asyncio
import json
import logging
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from scheduler.notify.outbox import OutboxNotice
from scheduler.notify.signing_key import check_secret
from scheduler.settings import WEBHOOK_SECRET
from scheduler.state.milliseconds import read_moment
from sweeps.report.plain_values import simplify
from sweeps.stage import Json

DEADLINE = 10.0  # seconds for the whole exchange
DISCORD_LENGTH = 2000  # characters that Discord takes
SLACK = (".hooks.slack.com", ".hooks.slack-gov.com")
ADDRESS_FORMS = "http://… or https://…"
DISCORD = (".discord.com", ".discordapp.com")

for _name in ("httpx", "httpcore"):  # they log every address
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Delivery:
    """What came of one try to send a notice."""

    reason: str  # why it failed; empty if it was delivered
    retry_after: float = 0.0  # seconds that the receiver asked us to wait


def compose(address: str, notice: OutboxNotice, text: str, conclusion: Mapping[str, Json] | None = None) -> bytes:
    """Build the body that the host expects: Slack's, Discord's, or ours with every field."""
    url = _parse_url(address)
    host = "" if url is None else f".{url.host}"
    if host.endswith(SLACK):
        return _write_document({"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")})
    if host.endswith(DISCORD):
        short = text if len(text) <= DISCORD_LENGTH else f"{text[: DISCORD_LENGTH - 1]}…"
        return _write_document({"content": short, "allowed_mentions": {"parse": []}})  # a cause may contain @everyone
    return _write_document(
        {
            "id": notice.id,
            "kind": notice.kind,
            "sweep": notice.sweep or None,
            "at": read_moment(notice.at).isoformat(timespec="seconds"),
            "detail": notice.detail,
            "text": text,
            "conclusion": simplify(conclusion),
        }
    )


def build_headers(notice: OutboxNotice, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """Build the headers: the id is the same in every try; with a secret they are signed by Standard Webhooks.

    Raises SettingInvalid for a secret that cannot sign.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "tinker-sweeps", "webhook-id": notice.id}
    if not secret:
        return headers
    check_secret(WEBHOOK_SECRET, secret)
    from standardwebhooks.webhooks import Webhook  # only where notices are signed

    signature = Webhook(secret).sign(notice.id, now, body.decode())
    return headers | {"webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


def send(address: str, body: bytes, headers: Mapping[str, str], *, deadline: float = DEADLINE) -> Delivery:
    """Post the body and wait for the answer, at most until the deadline."""
    url = _parse_url(address)
    if url is None:
        return Delivery(f"expected {ADDRESS_FORMS}, got no address")
    try:
        return asyncio.run(_send(url, body, headers, deadline))
    except httpx.ConnectTimeout:
        return Delivery(f"no connection within {deadline / 2:g} s")
    except (TimeoutError, httpx.TimeoutException):
        return Delivery(f"no answer within {deadline:g} s")
    except httpx.ConnectError as error:
        return Delivery(f"cannot connect: {_describe_cause(error)}")
    except Exception as error:  # noqa: BLE001 - a traceback could quote the address
        return Delivery(f"the answer is not HTTP ({type(error).__name__})")


async def _send(url: httpx.URL, body: bytes, headers: Mapping[str, str], deadline: float) -> Delivery:
    """Read the status and the headers only: the rest of the answer may have any length."""
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
        return Delivery(f"status {status}: redirects are not followed; set the final address")
    return Delivery(f"status {status}", _read_seconds(headers.get("Retry-After", "")) if status == 429 else 0.0)


def _read_seconds(text: str) -> float:
    """Read Retry-After in seconds; 0 for a date or nonsense."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _describe_cause(error: Exception) -> str:
    """Return the error of the system below, because the messages of libraries may quote the host."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, ssl.SSLError):
            return "no TLS connection, or an untrusted certificate"
        if isinstance(below, socket.gaierror):
            return "unknown host"
        if isinstance(below, OSError) and below.errno:
            return os.strerror(below.errno).lower()
        below = below.__cause__ or below.__context__
    return "no connection"


def _parse_url(address: str) -> httpx.URL | None:
    try:
        url = httpx.URL(address.strip())
    except (httpx.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") and url.host else None


def _write_document(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
