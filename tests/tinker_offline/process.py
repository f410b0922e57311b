"""Start a real server process for the real SDK."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import tinker

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".sweep" / "test-cache"  # the frozen bases take seconds to train; git ignores the folder
KEY = "tml-offline"
REFUSED = "tml-refused"


class Server:
    """`python -m tinker_offline` on a free port. It can be stopped, killed and started again on the same state.

    `options` are further words of its command line; with `--control` among them, `control()` talks to its other side.
    """

    def __init__(self, state: Path, options: Sequence[str] = (), host: str = "127.0.0.1") -> None:
        self.state = state
        self._host = host
        self.options = list(options)
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tinker_offline", "--host", self._host, "--port", "0"]
        command += ["--state", str(self.state), "--cache", str(CACHE), "--refuse-key", REFUSED, *self.options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        match = re.fullmatch(rf"tinker_offline listening on (http://{re.escape(self._host)}:\d+)\n", line)
        assert match is not None, f"the server said {line!r}"
        self.url = match[1]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, wait, and return the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def client(self, key: str = KEY) -> httpx.Client:
        return _client(f"{self.url}/api/v1", key)

    @contextlib.contextmanager
    def control(self) -> Iterator["Control"]:
        with _client(f"{self.url}/offline", KEY) as client:
            yield Control(client)

    @contextlib.contextmanager
    def session(self, **metadata: str) -> Iterator[tinker.ServiceClient]:
        service = tinker.ServiceClient(base_url=self.url, api_key=KEY, user_metadata=metadata)
        yield service
        service.close("success").result(30)

    def rest(self) -> tinker.RestClient:
        return tinker.RestClient(base_url=self.url, api_key=KEY)


def _client(url: str, key: str) -> httpx.Client:
    """Without TLS there is nothing to verify, and reading the certificates takes 40 ms of every look at a server."""
    return httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60, verify=False)


class Control:
    """The other side of a server that was started with `--control`."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def set(self, **document: object) -> None:
        """Put this document of faults in the place of the one before."""
        response = self._client.put("/faults", json=document)
        assert response.status_code == 200, response.text

    def clear(self) -> None:
        self._client.delete("/faults").raise_for_status()

    def hits(self) -> list[int]:
        """How often each rule of the document has taken effect."""
        answer: list[int] = self._client.get("/faults").raise_for_status().json()["hits"]
        return answer

    def cycles(self) -> dict[str, int]:
        """How often the clock has ticked, at how many of these ticks there was work, and how much waits for one."""
        answer: dict[str, int] = self._client.get("/faults").raise_for_status().json()["cycles"]
        return answer

    def tick(self) -> None:
        """Let the clock tick now."""
        self._client.post("/tick").raise_for_status()

    def crash(self) -> None:
        """As SIGKILL; the answer never comes."""
        with contextlib.suppress(httpx.TransportError):
            self._client.post("/crash")

    def expire(self, paths: Sequence[str] | None = None) -> None:
        """Let these checkpoints expire, or all."""
        self._client.post("/expire", json={"paths": "all" if paths is None else list(paths)}).raise_for_status()

    def usage(self) -> dict[str, Any]:
        """By session id: its user_metadata, tokens by kind and operations, up to now."""
        answer: dict[str, Any] = self._client.get("/usage").raise_for_status().json()["sessions"]
        return answer
