"""Only a worker that stays silent while a real Redis takes writes is killed; each other silence proves nothing."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.processes.frozen_workers import FrozenWorkers
from scheduler.processes.supervisor import START_SECONDS, Child
from scheduler.state.connection import connect
from scheduler.state.store import Store
from scheduler.state.workers import name_process
from tests.support import RedisServer, redis_server, wait_until

PATIENCE = 8.0
LOOK = PATIENCE / 4


class Watch:
    """A process that stands for a worker, what is said of it, and a clock that the test moves."""

    def __init__(self, server: RedisServer, folder: Path) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.store = Store(connect(server.url, retries=0))
        self.child = Child("worker-1", [sys.executable, "-c", "input()"], os.environ, folder / "worker.log")
        self.scheduler = Child("scheduler", self.child.command, os.environ, folder / "scheduler.log")
        self._client = connect(server.url, retries=0, patience=0.3)
        self._frozen = FrozenWorkers(self._client, [self.child, self.scheduler], PATIENCE, lambda: self.now)
        for child in (self.child, self.scheduler):
            child.start()
            os.kill(_pid(child), signal.SIGSTOP)  # before it reads the end of its input, or anything else

    def report(self) -> None:
        self.store.report_worker(name_process(_pid(self.child)), threads=1, busy=0, ttl=60)

    def fall_silent(self) -> None:
        self.store.forget_worker(name_process(_pid(self.child)))

    def look(self, seconds: float, times: int = 1) -> None:
        for _ in range(times):
            self.now += seconds
            self._frozen.look_after(self.said.append)

    def is_killed(self) -> bool:
        return bool(self.said)

    def close(self) -> None:
        for child in (self.child, self.scheduler):
            child.kill()
            child.stop(10)
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
def watch(server: RedisServer, tmp_path: Path) -> Iterator[Watch]:
    watch = Watch(server, tmp_path)
    yield watch
    watch.close()


def test_a_worker_that_falls_silent_is_killed_and_restarted(watch: Watch) -> None:
    watch.report()
    watch.look(LOOK, times=20)
    watch.fall_silent()
    watch.look(LOOK, times=4)
    assert not watch.is_killed(), "its patience is not over"
    watch.look(LOOK)
    (line,) = watch.said
    assert "worker-1" in line
    assert "SWEEP_FROZEN" in line
    first = watch.child.process
    wait_until(lambda: first is not None and first.poll() is not None, "the stopped process to end")
    watch.child.look_after(watch.said.append)
    assert "SIGKILL" in watch.said[-1]
    wait_until(lambda: _look_until_started(watch), "another one to be started")
    assert watch.child.process is not first
    assert watch.scheduler.process is not None
    assert watch.scheduler.process.poll() is None, "no worker"


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
