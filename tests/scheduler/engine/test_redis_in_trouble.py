"""A Redis that is full, read-only or set up wrongly pauses the fleet, is named in the log, and loses nothing."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.engine import loop
from scheduler.engine.dispatch import Nudges
from scheduler.engine.loop import PAUSE, TROUBLE, Scheduler
from scheduler.errors import StoreUnavailable
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.connection import check_server, connect
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.submission import submit
from tests.scheduler.plans import single, submission
from tests.support import TRUSTED, RedisServer, redis_server
from tests.wording import naming

TROUBLES = {
    "full": ({"maxmemory": "1"}, {"maxmemory": "0"}, "used memory > 'maxmemory'"),
    "evicting": ({"maxmemory-policy": "allkeys-lru"}, {"maxmemory-policy": "noeviction"}, "maxmemory-policy"),
    "forgetful": ({"appendonly": "no"}, {"appendonly": "yes"}, "appendonly"),
}


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("trusted"), TRUSTED) as server:
        yield server


@pytest.fixture
def store(trusted: RedisServer) -> Iterator[Store]:
    client = connect(trusted.url, retries=0)
    client.flushall()
    store = Store(client)
    submit(store, submission(single("s", 3)))
    store.report_worker("w", threads=8, busy=0, ttl=600)
    yield store
    client.close()


@pytest.fixture
def scheduler(
    store: Store, trusted: RedisServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Scheduler]:
    monkeypatch.setattr(loop, "LOOK", 0.0)  # a look at every turn
    scheduler = Scheduler(store, Nudges(trusted.url), read_settings({"SWEEP_HOME": str(tmp_path)}))
    yield scheduler
    scheduler.leave()


def dispatched(store: Store) -> int:
    return store.client.zcard(keys.state(StageState.DISPATCHED))


def turn_until_idle(scheduler: Scheduler) -> None:
    for _ in range(20):
        if scheduler.run_tick() == PAUSE:
            return
    raise AssertionError("it never comes to rest")


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_fleet_pauses_says_why_and_goes_on(
    scheduler: Scheduler, store: Store, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    wrong, right, words = TROUBLES[trouble]
    client: Any = store.client
    for name, value in wrong.items():
        client.config_set(name, value)
    try:
        with caplog.at_level(logging.WARNING):
            assert scheduler.run_tick() == TROUBLE
        assert words in caplog.text
        assert dispatched(store) == 0
    finally:
        for name, value in right.items():
            client.config_set(name, value)
    turn_until_idle(scheduler)
    assert dispatched(store) == 3


def test_a_server_that_became_a_replica_is_waited_for(
    scheduler: Scheduler, store: Store, caplog: pytest.LogCaptureFixture, trusted: RedisServer
) -> None:
    client: Any = store.client
    client.replicaof("127.0.0.1", "1")
    try:
        with caplog.at_level(logging.WARNING):
            assert scheduler.run_tick() == TROUBLE
        assert "replica" in caplog.text
        assert "127.0.0.1:1" in caplog.text, "its primary"
        with pytest.raises(StoreUnavailable, match=naming("replica", "127.0.0.1:1")):
            check_server(store.client, trusted.url)
    finally:
        client.replicaof("NO", "ONE")
    turn_until_idle(scheduler)
    assert dispatched(store) == 3
