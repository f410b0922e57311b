"""Speak to the server that SWEEP_SERVER names: send files, have a command run, and read what it says meanwhile."""

import hashlib
import ipaddress
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self
from urllib.parse import SplitResult, quote, urlsplit

import httpx

from scheduler.errors import SchedulerError, SettingInvalid

SERVER = "SWEEP_SERVER"  # where commands are sent; where it is set, this machine needs no Redis
TOKEN = "SWEEP_TOKEN"  # noqa: S105 - the variable
SECRET = re.compile(r"swp_[\w-]{20,100}", re.ASCII)
PREFIX = "/api/v1"
PATIENCE = httpx.Timeout(90, connect=15)  # seconds: a server says at least every ten that it lives
HASHED = 1_000_000  # bytes at a time

Frame = Mapping[str, Any]  # a piece of what a command says, or its end


class ServerUnusable(SchedulerError):
    """The server does not answer, or refuses to."""


def read_version() -> str:
    """Read the version of this program."""
    return version("tinker-sweeps")


class ServerLink:
    """A connection to a server, with a token."""

    def __init__(self, address: str, secret: str, client: httpx.Client) -> None:
        self.address = address
        self._client, self._headers = client, {"Authorization": f"Bearer {secret}", "Accept-Encoding": "identity"}

    @classmethod
    @contextmanager
    def open(cls, environment: Mapping[str, str] = os.environ) -> Iterator[Self]:
        """Open a connection. Raise SettingInvalid. It follows no redirect, so the token goes nowhere else."""
        address = check_address(environment.get(SERVER, ""))
        secret = environment.get(TOKEN, "").strip()
        if not SECRET.fullmatch(secret):
            wrong = "another text" if secret else "nothing"
            raise SettingInvalid(f"{TOKEN}: expected the secret of a token, swp_…, got {wrong}; ask an admin for one")
        with httpx.Client(base_url=f"{address}{PREFIX}", timeout=PATIENCE, follow_redirects=False) as client:
            yield cls(address, secret, client)

    def send_file(self, path: Path) -> str:
        """Send a file, unless the server has it. Return its SHA-256. Raise ServerUnusable and OSError."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if self._ask("GET", f"/data/{digest}").status_code == 404:
            with path.open("rb") as file:
                content = iter(lambda: file.read(HASHED), b"")
                self._check(self._ask("PUT", f"/data/{digest}", content=content))
        return digest

    def read_spec(self, name: str) -> Mapping[str, Any]:
        """Read the spec of a sweep. Raise ServerUnusable."""
        document: dict[str, Any] = self._check(self._ask("GET", f"/sweeps/{quote(name, safe='')}/spec")).json()["spec"]
        return document

    def run(self, order: Mapping[str, Any]) -> Iterator[Frame]:
        """Have a command run, and yield what it says; the last frame has its status. Raise ServerUnusable.

        Whoever stops to read ends the command.
        """
        with (
            self._explain_loss(),
            self._client.stream("POST", "/commands", json=order, headers=self._headers) as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                self._check(answer)
            for line in answer.iter_lines():
                frame: Frame = json.loads(line)
                yield frame
                if "status" in frame:
                    return
        raise ServerUnusable(f"{self.address} went away before the command had ended; run the command again")

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self._explain_loss():
            return self._client.request(method, path, headers=self._headers, **options)

    @contextmanager
    def _explain_loss(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise ServerUnusable(f"{self.address} cannot be reached: {error}; check {SERVER}") from None
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            kind = type(error).__name__
            raise ServerUnusable(
                f"the connection to {self.address} broke off ({kind}); run the command again"
            ) from None

    def _check(self, answer: httpx.Response) -> httpx.Response:
        """Raise ServerUnusable, with the server's own words, for an answer that is an error."""
        if answer.status_code in (200, 201):
            return answer
        if answer.is_redirect:
            raise ServerUnusable(f"{self.address} leads elsewhere, and a token is not sent there; correct {SERVER}")
        if answer.status_code == 401:
            raise ServerUnusable(
                f"{self.address} lets nobody in with this {TOKEN}: it has expired, was revoked, or is wrong"
            )
        try:
            words = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            words = f"{self.address} answers with the status {answer.status_code}: no server of `sweep`, or it is ill"
        raise ServerUnusable(words)


def check_address(text: str) -> str:
    """Return the address of a server. Raise SettingInvalid unless it is https, or this machine."""
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = SplitResult("", "", "", "", ""), None
    if not host or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query or parts.username:
        raise SettingInvalid(f"{SERVER}: expected an address such as https://sweeps.example.org")
    if parts.scheme == "http" and not _is_loopback(host):
        raise SettingInvalid(f"{SERVER}: expected https://…: over http, everybody on the way reads your token")
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
