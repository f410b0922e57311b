"""Only what stays silent while it could give a sign of life is killed; each other silence proves nothing.

Workers and the scheduler report to a real Redis; the offline service and Flower answer requests.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from scheduler.processes import frozen_processes
from scheduler.processes.frozen_processes import FrozenProcesses
from scheduler.processes.supervisor import START_SECONDS, Child
from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.store import Store
from scheduler.state.workers import report_scheduler
from tests.support import RedisServer, redis_server, wait_until

PATIENCE = 8.0
LOOK = PATIENCE / 4


class Watch:
    """A process that stands for a worker or a scheduler, what is said of it, and a clock that the test moves."""

    def __init__(self, server: RedisServer, folder: Path, name: str, url: str = "") -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.store = Store(connect(server.url, retries=0))
        self.child = Child(name, [sys.executable, "-c", "input()"], os.environ, folder / "child.log", url)
        self._client = connect(server.url, retries=0, patience=0.3)
        self._frozen = FrozenProcesses(self._client, [self.child], PATIENCE, lambda: self.now)
        self.child.start()
        os.kill(_pid(self.child), signal.SIGSTOP)  # before it reads the end of its input, or anything else
        self._process = self.child.process_name

    def report(self) -> None:
        if self.child.name == "scheduler":
            report_scheduler(self.store.client, self._process)
        else:
            self.store.report_worker(self._process, threads=1, busy=0, ttl=60)

    def fall_silent(self) -> None:
        self.store.client.delete(keys.scheduler(self._process), keys.worker(self._process))

    def look(self, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self.now += seconds
            self._frozen.look_after(self.said.append)

    def is_killed(self) -> bool:
        return bool(self.said)

    def close(self) -> None:
        self.child.kill()
        self.child.stop(10)
        self._client.close()
        self.store.client.close()


def _pid(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def watch(server: RedisServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watch]:
    watch = Watch(server, tmp_path, getattr(request, "param", "worker-1"))
    yield watch
    watch.close()


@pytest.mark.parametrize("watch", ["worker-1", "scheduler"], indirect=True)
def test_what_falls_silent_is_killed_and_restarted(watch: Watch) -> None:
    watch.report()
    watch.look(LOOK, times=20)
    watch.fall_silent()
    watch.look(LOOK, times=4)
    assert not watch.is_killed(), "its patience is not over"
    watch.look(LOOK)
    (line,) = watch.said
    assert watch.child.name in line
    assert "SWEEP_FROZEN" in line
    first = watch.child.process
    wait_until(lambda: first is not None and first.poll() is not None, "the stopped process to end")
    watch.child.look_after(watch.said.append)
    assert "SIGKILL" in watch.said[-1]
    wait_until(lambda: _look_until_started(watch), "another one to be started")
    assert watch.child.process is not first


def _look_until_started(watch: Watch) -> bool:
    watch.child.look_after(watch.said.append)
    return watch.child.process is not None


def test_a_worker_that_was_just_started_gets_the_time_of_a_start(watch: Watch) -> None:
    watch.look(LOOK, times=round((PATIENCE + START_SECONDS) / LOOK))
    assert not watch.is_killed()
    watch.look(LOOK)
    assert watch.is_killed()


def test_a_report_in_between_starts_the_count_again(watch: Watch) -> None:
    for _ in range(5):
        watch.report()
        watch.look(LOOK)
        watch.fall_silent()
        watch.look(LOOK, times=3)
    assert not watch.is_killed()


def test_a_sleep_of_the_whole_machine_proves_no_silence(watch: Watch) -> None:
    watch.report()
    watch.look(LOOK)
    watch.fall_silent()
    watch.look(3600.0)
    assert not watch.is_killed()


@contextmanager
def _stopped(store: Store) -> Iterator[None]:
    number = int(store.client.info("server")["process_id"])
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


@contextmanager
def _without_memory(store: Store) -> Iterator[None]:
    client: Any = store.client
    client.config_set("maxmemory", "1")
    yield
    client.config_set("maxmemory", "0")


@contextmanager
def _read_only(store: Store) -> Iterator[None]:
    client: Any = store.client
    client.replicaof("127.0.0.1", "1")
    yield
    client.replicaof("NO", "ONE")


@pytest.mark.parametrize("trouble", [_stopped, _without_memory, _read_only])
def test_while_redis_takes_no_writes_nothing_is_killed_and_the_count_starts_again(
    watch: Watch, trouble: Callable[[Store], Any]
) -> None:
    watch.report()
    watch.look(LOOK)
    watch.fall_silent()
    watch.look(LOOK, times=3)
    with trouble(watch.store):
        watch.look(LOOK, times=8)
        assert not watch.is_killed()
    watch.look(LOOK, times=4)
    assert not watch.is_killed(), "it gets time to report again"


@contextmanager
def _listening(answer: bytes) -> Iterator[str]:
    """An address that takes every connection, and answers so: nothing drops the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, answering = listener.getsockname()[1], threading.Event()

        def answer_all() -> None:
            with suppress(OSError):  # it is closed
                while not answering.is_set():
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}"
        answering.set()
        socket.create_connection(("127.0.0.1", port)).close()
        thread.join(10)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", b""])
def test_an_error_or_a_dropped_connection_is_a_sign_of_life(server: RedisServer, tmp_path: Path, answer: bytes) -> None:
    with _listening(answer) as url:
        watch = Watch(server, tmp_path, "offline", url)
        watch.look(LOOK, times=10)
        assert not watch.is_killed()
        watch.close()


def test_what_answers_no_more_is_killed_also_while_redis_is_away(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_processes, "ANSWER_SECONDS", 0.05)
    with _listening(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n") as url:
        watch = Watch(server, tmp_path, "flower", url)
        watch.look(LOOK)
    server.end(signal.SIGKILL)
    watch.look(LOOK, times=4)
    assert not watch.is_killed(), "its patience is not over"
    watch.look(LOOK)
    (line,) = watch.said
    assert "flower" in line
    assert "SWEEP_FROZEN" in line
    watch.close()
