"""What tests of several packages share: a real Redis, a clock that only the test moves, waiting for what must come."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis

from scheduler.state import keys
from scheduler.state.connection import Client, connect
from scheduler.state.events import read_stage_events
from scheduler.state.store import Store
from tests import servers

FAST = {"appendonly": "no", "save": ""}  # a test's data need not survive
TRUSTED = {"appendonly": "yes", "appendfsync": "always", "save": ""}


class RedisServer:
    """A real server on a unix socket in `folder`; it can be killed and started again on the same data."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None, binary: Path | None = None) -> None:
        self.url = f"unix://{folder / 'redis.sock'}"
        self.binary = binary or servers.binary()
        self._folder = folder
        self._options = FAST if options is None else options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        fixed = {"port": "0", "unixsocket": str(self._folder / "redis.sock"), "dir": str(self._folder)}
        words = [word for name, value in fixed.items() for word in (f"--{name}", value)]
        words += [word for name, value in self._options.items() for word in (f"--{name}", *value.split(" "))]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([str(self.binary), *words], stdout=log, stderr=log)
        wait_until(self._answers, "the server to answer")

    def end(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """It answers nothing while the block runs, and all that it was asked afterwards."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def client(self) -> Client:
        return connect(self.url, retries=0)

    def _answers(self) -> bool:
        return answers(self.url)


def answers(url: str) -> bool:
    """Does a server answer there, at once?"""
    client = connect(url, retries=0)
    try:
        return client.ping()
    except redis.RedisError:
        return False
    finally:
        client.close()


@contextlib.contextmanager
def redis_server(
    folder: Path, options: dict[str, str] | None = None, binary: Path | None = None
) -> Iterator[RedisServer]:
    """A server for as long as the block runs. `options` replaces FAST, which keeps nothing on disk."""
    server = RedisServer(folder, options, binary)
    server.start()
    try:
        yield server
    finally:
        server.end(signal.SIGKILL)


def read_log(client: Client) -> list[dict[str, str]]:
    """Every event of every stage, the oldest first; within a millisecond, in the order of the stage."""
    places = [key for key in client.scan_iter(keys.stage("*")) if key.count(":") == keys.stage("").count(":")]
    rows = [
        {"stage": stage, "from": event.from_state, "to": event.to, "detail": event.detail, "worker": event.worker}
        | {"at": str(event.at), "attempt": str(event.attempt)}
        for stage in sorted(key.removeprefix(keys.stage("")) for key in places)
        for event in read_stage_events(Store(client), stage)
    ]
    return sorted(rows, key=lambda row: int(row["at"]))


class FakeClock:
    """Milliseconds, as a `Store` takes them; time passes when the test says so."""

    def __init__(self, now: int = 1_800_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


def wait_until(predicate: Callable[[], bool], description: str, *, seconds: float = 20.0) -> None:
    """Look until it is so, less often the longer it takes. Raises AssertionError naming what did not come."""
    give_up, gap = time.monotonic() + seconds, 0.01
    while not predicate():
        assert time.monotonic() < give_up, f"waited {seconds:g} s for {description}"
        time.sleep(gap)
        gap = min(1.3 * gap, 0.15)  # looking costs what the processes that are looked at could use
