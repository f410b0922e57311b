"""A worker's process: it is never half alive, its threads are those of the settings, and it can be drained."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from scheduler.cli.upkeep.drain import find_workers
from scheduler.engine.dispatch import QUEUE, TRANSPORT
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
def run_worker(redis: RedisServer, home: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environment = {**os.environ, "REDIS_URL": redis.url, "SWEEP_HOME": str(home), "SWEEP_THREADS": "2"}
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


def test_a_drained_worker_takes_nothing_from_the_queue_until_it_may_again(redis: RedisServer, tmp_path: Path) -> None:
    store = Store(connect(redis.url))
    store.client.flushall()
    app = Celery()
    app.conf.update(**make_broker_settings(redis.url, TRANSPORT))

    def list_queues() -> list[str]:
        answers = app.control.inspect(timeout=0.5).active_queues() or {}
        return [queue["name"] for queues in answers.values() for queue in queues]

    with run_worker(redis, tmp_path):
        wait_until(lambda: list_queues() == [QUEUE], "it takes messages")
        ((name, report),) = read_live_workers(store).items()
        assert report["threads"] == "2"
        assert find_workers(read_live_workers(store), [report["host"]]) == [name]
        with pytest.raises(UnknownWorker, match=report["host"]):
            find_workers(read_live_workers(store), ["elsewhere"])
        store.scripts.run("drain_worker", name, 1)
        wait_until(lambda: list_queues() == [], "it takes no message")
        wait_until(lambda: read_live_workers(store)[name]["threads"] == "0", "admission counts no thread of it")
        store.scripts.run("drain_worker", name, 0)
        wait_until(lambda: list_queues() == [QUEUE], "it takes messages again")
        wait_until(lambda: read_live_workers(store)[name]["threads"] == "2", "admission counts its threads")
    store.client.close()
