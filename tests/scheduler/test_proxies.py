"""A proxy of the environment is used for the service, and never for what listens on this machine."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import patch

import pytest

from scheduler.errors import ServiceRefused
from scheduler.proxies import find_proxy, hide_password, is_local, list_proxies, spare_this_machine
from scheduler.service_check import list_served_models

NOWHERE = "http://127.0.0.1:9"
KEY = "tml-right"


class Answering(BaseHTTPRequestHandler):
    """Tells one model to whoever asks, and keeps what was asked for: by a proxy, that is the whole address."""

    def do_GET(self) -> None:
        asked: list[str] = self.server.asked  # type: ignore[attr-defined]
        asked.append(self.path)
        body = json.dumps({"supported_models": [{"model_name": "m"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Nothing on the terminal."""


class Far:
    """A server and what was asked of it."""

    def __init__(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.asked: list[str] = []
        self.server.asked = self.asked  # type: ignore[attr-defined]
        self.port = self.server.server_port


@pytest.fixture
def far() -> Iterator[Far]:
    proxy = Far()
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with patch.dict(os.environ):  # what is added there is gone afterwards
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]
        yield proxy
    proxy.server.shutdown()
    thread.join()
    proxy.server.server_close()


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTP_PROXY": NOWHERE},
        {"http_proxy": NOWHERE},
        {"Http_Proxy": NOWHERE},
        {"HTTP_PROXY": "127.0.0.1:9"},
        {"ALL_PROXY": NOWHERE},
        {"all_proxy": "socks5://127.0.0.1:9"},
        {"HTTP_PROXY": "foo://bar"},
        {"HTTP_PROXY": NOWHERE, "NO_PROXY": "corp.example"},
        {"HTTP_PROXY": NOWHERE, "NO_PROXY": "corp.example", "no_proxy": ""},
        {"HTTP_PROXY": NOWHERE, "no_proxy": "a.example, b.example"},
        {"http_proxy": NOWHERE, "No_Proxy": "*"},
    ],
    ids=str,
)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_directly(
    far: Far, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], host: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    spare_this_machine()
    assert find_proxy(f"http://{host}:{far.port}") is None
    assert list_served_models(f"http://{host}:{far.port}", KEY) == ["m"]
    assert far.asked == ["/api/v1/get_server_capabilities"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_the_service_is_asked_by_the_proxy(far: Far, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, f"http://me:s3cret@127.0.0.1:{far.port}")
    spare_this_machine()
    assert list_served_models("http://tinker.example/prod", KEY) == ["m"]
    assert far.asked == ["http://tinker.example/prod/api/v1/get_server_capabilities"]
    assert find_proxy("http://tinker.example/prod") == f"http://127.0.0.1:{far.port}"


def test_what_no_proxy_spares_is_asked_directly(far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("NO_PROXY", "tinker.example")
    spare_this_machine()
    assert find_proxy("http://tinker.example") is None
    assert find_proxy("http://other.example") == NOWHERE
    assert far.asked == []


@pytest.mark.parametrize(
    "proxy", ["http://me:s3cret@127.0.0.1:1", "socks5://me:s3cret@127.0.0.1:1", "foo://me:s3cret@x"]
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    far: Far, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(ServiceRefused, match="through the proxy") as refused:
        list_served_models("http://tinker.example", KEY)
    assert hide_password(proxy) in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert far.asked == []


def test_where_no_proxy_is_set_nothing_is_changed() -> None:
    environment = {"NO_PROXY": "a", "HTTP_PROXY": "", "TRAVIS_APT_PROXY": "x"}
    spare_this_machine(environment)
    assert environment == {"NO_PROXY": "a", "HTTP_PROXY": "", "TRAVIS_APT_PROXY": "x"}
    assert list_proxies(environment) == {}


def test_both_spellings_name_this_machine_and_whom_they_named_before() -> None:
    environment = {
        "https_proxy": "http://p:1",
        "NO_PROXY": "old",
        "no_proxy": "new",
        "SWEEP_OFFLINE_URL": "http://127.0.0.2:5",
    }
    spare_this_machine(environment)
    once = dict(environment)
    spare_this_machine(environment)
    assert environment == once  # again changes nothing
    assert environment["NO_PROXY"] == environment["no_proxy"]
    assert {"new", "localhost", "127.0.0.1", "::1", "127.0.0.2"} <= set(environment["NO_PROXY"].split(","))
    assert "old" not in environment["NO_PROXY"]


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:80", True),
        ("http://127.9.8.7", True),
        ("http://[::1]:80/x", True),
        ("https://LOCALHOST", True),
        ("http://api.localhost:1", True),
        ("http://0.0.0.0:80", True),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
        ("http://[::2]", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local


@pytest.mark.parametrize("module", ["scheduler.cli", "scheduler.__main__"])
def test_a_command_hands_it_on_to_what_it_starts(module: str) -> None:
    """What a process of ours sees of its environment, once it has begun, is what its children get."""
    code = f"""
import os, sys
sys.argv = ["sweep", "doctor", "--help"]
import {module} as started
try: started.main()
except BaseException: pass
print(os.environ.get("NO_PROXY", ""))
"""
    ours = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = {**ours, "HTTP_PROXY": NOWHERE, "REDIS_URL": "redis://127.0.0.1:1", "NO_PROXY": "kept"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert {"kept", "127.0.0.1", "localhost"} <= set(done.stdout.splitlines()[-1].split(","))
