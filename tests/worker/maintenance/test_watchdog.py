"""A worker exits when it receives nothing despite a backlog, and only then."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.state import keys
from scheduler.state.connection import connect
from scheduler.state.store import Lease, Store
from tests.support import RedisServer, wait_until
from worker.leases import Leases
from worker.maintenance.watchdog import Observation, SilenceTimer, Watchdog

WAITS = Observation(waiting=True, free=True, heard=7)


def deaf_for(looks: list[Observation]) -> list[float]:
    """One look a second."""
    deafness = SilenceTimer()
    return [deafness.observe(look, second) for second, look in enumerate(looks)]


def test_deafness_is_counted_while_nudges_wait_a_thread_is_free_and_none_comes() -> None:
    assert deaf_for([WAITS] * 5) == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    "excuse",
    [
        Observation(waiting=False, free=True, heard=7),
        Observation(waiting=True, free=False, heard=7),
        Observation(waiting=True, free=True, heard=8),
    ],
    ids=["nothing waits", "no thread is free", "one came"],
)
def test_an_excuse_begins_the_count_anew(excuse: Observation) -> None:
    after = Observation(waiting=True, free=True, heard=excuse.heard)
    assert deaf_for([WAITS, WAITS, WAITS, excuse, after, after])[3:] == [0, 0, 1]


@pytest.fixture
def leases(redis: RedisServer, tmp_path: Path) -> Iterator[Leases]:  # noqa: ARG001
    client = connect(redis.url)
    leases = Leases(Store(client), worker="w1", threads=1, seconds=30, grace=1, about={})
    leases.start()
    yield leases
    leases.stop()
    client.close()


def test_a_deaf_worker_is_told_to_leave_and_ends_with_a_status_that_is_seen(leases: Leases) -> None:
    ended: list[int] = []
    Watchdog(leases, lambda: 3, patience=0.2, grace=1, exit=ended.append).start()
    wait_until(lambda: ended == [1], "it ends")


def test_a_worker_that_is_busy_stays(leases: Leases) -> None:
    ended: list[int] = []
    looks: list[int] = []

    def waiting() -> int:
        looks.append(1)
        return 3

    with leases.count_thread():
        Watchdog(leases, waiting, patience=0.2, grace=1, exit=ended.append).start()
        wait_until(lambda: len(looks) > 15, "it has looked for longer than its patience")
        assert ended == []


def test_threads_that_hang_are_offered_so_that_it_is_seen_that_nothing_takes_what_waits(leases: Leases) -> None:
    """A read from a share that is gone never returns: a worker with only such threads would idle forever, unnoticed."""

    def busy() -> str | None:
        return leases._store.client.hget(keys.worker("w1"), "busy")

    with leases.count_thread(), leases.hold(Lease("train-nobodys", "1-1"), asked_at=time.monotonic()) as held:
        wait_until(lambda: held.lost, "the server says that it is another's")
        leases._wake.set()
        wait_until(lambda: busy() == "0", "it reports a free thread")
        assert leases.free == 1
