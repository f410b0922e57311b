"""Serve the page: where it may listen, and the process that does."""

import logging
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from scheduler.errors import SettingInvalid
from scheduler.settings import Settings
from scheduler.state.people.tokens import list_tokens
from scheduler.state.store import Store
from web.page_app import create_app

LOOPBACK = ("127.0.0.1", "::1", "localhost")
CONNECTIONS = 500  # at the same time; further ones are refused
PATIENCE = 3  # seconds for requests to end when the process does


def check_address(store: Store, host: str) -> None:
    """Raise SettingInvalid if others could reach the page and nobody has a token to log in with."""
    if host not in LOOPBACK and not list_tokens(store):
        advice = "create one first: `sweep token create NAME --scope read`"
        raise SettingInvalid(
            f"SWEEP_PAGE: {host} is not the loopback address, and there is no token to log in with; {advice}"
        )


def serve(store: Store, settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `say` gets the page's URL once it answers. Raises SettingInvalid."""
    assert settings.observation.page is not None
    host, port = settings.observation.page
    check_address(store, host)
    app = create_app(store, settings)
    config = configure(app, settings, host, port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    _Server(config, say, app.state.ending).run()


def configure(app: FastAPI, settings: Settings, host: str, port: int) -> uvicorn.Config:
    """Return how the page is served: by whom `X-Forwarded-*` is believed, and what is logged."""
    proxy = settings.observation.page_proxy
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,  # it would have every login link
        server_header=False,
        proxy_headers=bool(proxy),
        forwarded_allow_ips=list(proxy),
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
    )


class _Server(uvicorn.Server):
    """Says where it listens: with port 0, only the system knows. It ends the streams of events before it waits."""

    def __init__(self, config: uvicorn.Config, say: Callable[[str], None], ending: threading.Event) -> None:
        super().__init__(config)
        self._say, self._ending = say, ending

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.servers:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._say(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._ending.set()
        super().handle_exit(sig, frame)
