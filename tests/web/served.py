"""The page as a browser reaches it: served on a port of this machine, from a thread of the test's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn

from scheduler.settings import Settings
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import create_login, create_token
from scheduler.state.store import Store
from tests.support import wait_until
from web.live import Watcher
from web.page_app import create_app
from web.page_server import configure

ADA = Actor("ada", "a test")


class Served:
    """A page that is served, and whom it lets in."""

    def __init__(self, store: Store, url: str, watcher: Watcher, settings: Settings) -> None:
        self.store, self.url, self.watcher, self.settings = store, url, watcher, settings
        self._tokens: dict[str, str] = {}

    def make_token(self, name: str, scope: Scope, user: str = "") -> str:
        """The secret of a token; the same one for the same name."""
        if name not in self._tokens:
            self._tokens[name] = create_token(self.store, ADA, name, scope=scope, user=user or name)
        return self._tokens[name]

    def make_link(self) -> str:
        return create_login(self.store, ADA)

    def open_guest(self, *, origin: str | None = None) -> httpx.Client:
        """A browser that nobody has logged in with."""
        headers = {"accept": "text/html", "origin": self.url if origin is None else origin}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    @contextmanager
    def log_in(self, scope: Scope = Scope.ADMIN, user: str = "") -> Iterator[httpx.Client]:
        """A browser of somebody with this scope."""
        with self.open_guest() as guest:
            secret = self.make_token(f"{scope.value}-{user or 'any'}", scope, user)
            assert guest.post("/login", data={"secret": secret, "next": "/"}).status_code == 303
            yield guest


@contextmanager
def serve_page(store: Store, settings: Settings) -> Iterator[Served]:
    """Serve the page as long as the block runs."""
    app = create_app(store, settings)
    server = uvicorn.Server(configure(app, settings, "127.0.0.1", 0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the page is served")
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(store, f"http://127.0.0.1:{port}", app.state.watcher, settings)
    finally:
        app.state.ending.set()
        server.should_exit = True
        thread.join(10)
