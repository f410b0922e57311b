"""A real server process, for the real SDK to talk to."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import tinker

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".sweep" / "test-cache"  # the frozen bases take seconds to train; git ignores the folder
KEY = "tml-offline"
REFUSED = "tml-refused"


class Server:
    """`python -m tinker_offline` on a free port. It can be stopped, killed and started again on the same state."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tinker_offline", "--port", "0", "--state", str(self.state)]
        command += ["--cache", str(CACHE), "--refuse-key", REFUSED]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.fullmatch(r"tinker_offline listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found is not None, f"the server said {line!r}"
        self.url = found[1]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal, wait, and return the exit status."""
        assert self._process is not None
        self._process.send_signal(number)
        status = self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status

    def client(self, key: str = KEY) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", headers={"X-API-Key": key}, timeout=60)

    @contextlib.contextmanager
    def session(self, **metadata: str) -> Iterator[tinker.ServiceClient]:
        service = tinker.ServiceClient(base_url=self.url, api_key=KEY, user_metadata=metadata)
        yield service
        service.close("success").result(30)

    def rest(self) -> tinker.RestClient:
        return tinker.RestClient(base_url=self.url, api_key=KEY)
