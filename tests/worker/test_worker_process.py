"""A worker's process: it is never half alive, its threads are those of the settings, and it can be drained."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery import Celery

from scheduler.cli.upkeep.drain import find_workers
from scheduler.engine.dispatch import ATTEMPT, QUEUE, TRANSPORT, count_waiting
from scheduler.errors import UnknownWorker
from scheduler.state.connection import connect, make_broker_settings
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers
from tests.support import RedisServer, wait_until
from worker.pool_arguments import find_contradiction
from worker.vital_thread import BROKEN

COMMAND = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "--without-gossip", "--without-mingle"]
# A worker's leases, whose report ends the thread as nothing of ours should.
DEAD_THREAD = """
import sys, time
from worker.leases import Leases
class Broken:
    def report_worker(self, *_, **__): sys.exit("gone")
leases = Leases(Broken(), worker="w", threads=1, seconds=30, grace=1, about={})
leases.start()
time.sleep(60)
"""


@contextmanager
def run_worker(redis: RedisServer, home: Path, *arguments: str, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "REDIS_URL": redis.url, "SWEEP_HOME": str(home), "SWEEP_THREADS": "2", **changes}
    process = subprocess.Popen([*COMMAND, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_worker_whose_leases_nobody_renews_any_more_ends() -> None:
    done = subprocess.run([sys.executable, "-c", DEAD_THREAD], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == BROKEN
    assert "'leases'" in done.stderr


def test_an_argument_that_contradicts_the_settings_is_refused(redis: RedisServer, tmp_path: Path) -> None:
    with run_worker(redis, tmp_path, "--concurrency=3") as worker:
        _, words = worker.communicate(timeout=60)
    assert worker.returncode == 1
    assert words.splitlines()[-1].startswith("Error: expected --concurrency 2")
    assert find_contradiction("celery.concurrency.thread", 2, None, threads=2) == ""
    assert "--pool" in find_contradiction("celery.concurrency.solo", 2, None, threads=2)
    assert "--autoscale" in find_contradiction("celery.concurrency.thread", 2, [4, 1], threads=2)


@dataclass(frozen=True)
class Desk:
    """A worker that runs, and who talks to it."""

    worker: "subprocess.Popen[str]"
    store: Store
    app: Celery
    folder: Path  # in which it finds modules

    def list_queues(self) -> list[str]:
        answers = self.app.control.inspect(timeout=5, limit=1).active_queues() or {}
        return [queue["name"] for queues in answers.values() for queue in queues]


class Planted:
    """What runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


ORDERS: list[tuple[str, dict[str, object]]] = [
    ("pool_restart", {"modules": ["planted_module"], "reload": True}),
    ("add_consumer", {"queue": "planted"}),
    ("pool_grow", {"n": 8}),
    ("pool_shrink", {"n": 1}),
    ("autoscale", {"max": 9, "min": 8}),
    ("time_limit", {"task_name": "attempt", "hard": 1}),
    ("rate_limit", {"task_name": "attempt", "rate_limit": "1/h"}),
    ("revoke", {"task_id": "x", "terminate": True}),
    ("memdump", {}),
    ("shutdown", {}),
]


@pytest.fixture(scope="module")
def desk(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One worker for all tests that need a running one: its start takes three seconds of a processor."""
    store, folder = Store(connect(redis.url)), tmp_path_factory.mktemp("worker")
    store.client.flushall()
    app = Celery()
    app.conf.update(**make_broker_settings(redis.url, TRANSPORT))
    with run_worker(redis, folder, PYTHONPATH=str(folder)) as worker:
        desk = Desk(worker, store, app, folder)
        wait_until(lambda: desk.list_queues() == [QUEUE], "it takes messages", seconds=60)
        yield desk
    store.client.close()


def test_what_is_sent_through_the_broker_neither_runs_nor_commands(desk: Desk) -> None:
    """Somebody who can write to Redis sends a pickle, and the orders of Celery's remote control."""
    ran = desk.folder / "ran"
    (desk.folder / "planted_module.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    desk.app.send_task(ATTEMPT, args=(Planted(ran),), serializer="pickle", queue=QUEUE)
    wait_until(lambda: count_waiting(desk.store.client) == 0, "it takes the message")
    for order, arguments in ORDERS:
        answers = desk.app.control.broadcast(order, arguments=arguments, reply=True, limit=1, timeout=10)
        assert [list(answer) for reply in answers for answer in reply.values()] == [["error"]], order
    (facts,) = desk.app.control.inspect(timeout=10, limit=1).stats().values()
    assert facts["pool"]["max-concurrency"] == 2
    assert desk.list_queues() == [QUEUE]
    assert desk.worker.poll() is None
    assert not ran.exists()


def test_a_drained_worker_takes_nothing_from_the_queue_until_it_may_again(desk: Desk) -> None:
    store = desk.store
    ((name, report),) = read_live_workers(store).items()
    assert report["threads"] == "2"
    assert 0 < float(report["disk_used"]) <= 1
    assert find_workers(read_live_workers(store), [report["host"]]) == [name]
    with pytest.raises(UnknownWorker, match=report["host"]):
        find_workers(read_live_workers(store), ["elsewhere"])
    store.scripts.run("drain_worker", name, 1)
    wait_until(lambda: desk.list_queues() == [], "it takes no message")
    wait_until(lambda: read_live_workers(store)[name]["threads"] == "0", "admission counts no thread of it")
    store.scripts.run("drain_worker", name, 0)
    wait_until(lambda: desk.list_queues() == [QUEUE], "it takes messages again")
    wait_until(lambda: read_live_workers(store)[name]["threads"] == "2", "admission counts its threads")
