"""A wrong key, an unknown model, an address where nothing or something else answers: each is one clear message."""

import contextlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scheduler.errors import ServiceRefused
from scheduler.service_check import CONSOLE, check_models
from scheduler.settings import TINKER
from tests.wording import naming

KEY = "tml-right"
SERVED = ["Qwen/Qwen3-8B", "meta-llama/Llama-3.2-1B"]


class Service(BaseHTTPRequestHandler):
    """Tells its models to whoever has the key; under /broken and /html it is something else."""

    def do_GET(self) -> None:
        if self.path.startswith("/broken"):
            self._answer(503, "")
        elif self.path.startswith("/html"):
            self._answer(200, "<html>a proxy's login page</html>")
        elif self.path.startswith("/other"):
            self._answer(200, "[1, 2]")
        elif self.headers["X-API-Key"] != KEY:
            self._answer(401, "")
        else:
            self._answer(200, json.dumps({"supported_models": [{"model_name": name} for name in SERVED]}))

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Nothing on the terminal."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def refusal(monkeypatch: pytest.MonkeyPatch, model: str, *, url: str, key: str = KEY) -> str:
    monkeypatch.setenv("TINKER_API_KEY", key)
    with pytest.raises(ServiceRefused) as refused:
        check_models([model], url)
    message = str(refused.value)
    assert not key or key not in message
    return message


def test_what_is_served_is_accepted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    check_models(["Qwen/Qwen3-8B", "offline/ngram-m"], url + "/")


def test_an_unknown_model_is_named_with_the_nearest_right_one(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    message = refusal(monkeypatch, "Qwen/Qwen-8B", url=url)
    assert re.search(naming("Qwen/Qwen-8B", "Qwen/Qwen3-8B"), message)
    assert ", ".join(SERVED) in refusal(monkeypatch, "zzz", url=url)


def test_a_wrong_key_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    message = refusal(monkeypatch, SERVED[0], url=url, key="tml-wrong")
    assert re.search(naming(url, "TINKER_API_KEY", 401, CONSOLE), message)


@pytest.mark.parametrize("key", ["tml-secret\n", "tml-secret\nX-Evil: 1", "tml-sécret"])
def test_a_key_that_cannot_be_one_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str, key: str) -> None:
    message = refusal(monkeypatch, SERVED[0], url=url, key=key)
    assert "cret" not in message
    assert "TINKER_API_KEY" in message


def test_no_key_says_how_to_get_one_and_how_to_rehearse_without(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    message = refusal(monkeypatch, SERVED[0], url=url, key="")
    assert re.search(naming("TINKER_API_KEY", CONSOLE, "model=offline/ngram-s"), message)


@pytest.mark.parametrize(
    ("path", "value"), [("/broken", "503"), ("/html", "TINKER_BASE_URL"), ("/other", "TINKER_BASE_URL")]
)
def test_something_else_at_the_address_is_said_to_be_that(
    monkeypatch: pytest.MonkeyPatch, url: str, path: str, value: str
) -> None:
    assert re.search(naming(url + path, value), refusal(monkeypatch, SERVED[0], url=url + path))


def test_an_address_where_nobody_answers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(socket.socket()) as taken:  # bound and not listening: nobody else can
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert address in refusal(monkeypatch, SERVED[0], url=address)


def test_offline_models_need_no_key_and_no_network() -> None:
    check_models(["offline/ngram-s"], TINKER)
    with pytest.raises(ServiceRefused, match=naming("offline/ngram-xl", "offline/ngram-")):
        check_models(["offline/ngram-xl"], TINKER)
