"""A fleet goes on by itself after a failover that lost writes, and its books equal the service's count."""

import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.state import keys
from scheduler.state.server.failover import read_books
from tests.chaos.fleet import IN_SHORT, Fleet
from tests.few_rows import find_few_rows
from tests.sentinels import WatchedServer
from tests.support import wait_until
from tests.tinker_offline.process import KEY
from worker.sdk.endpoints import Endpoint
from worker.sdk.rest import AccountClient

SPEC = """
sweep: night
experiment: grid
model: offline/ngram-s
train: {method: sl, batch_size: 8, steps: 24, rank: 8}
data: {reference: {source: "ROWS", holdout: 32}}
vary: {train.learning_rate: [0.01, 0.02, 0.03]}
seeds: 2
evaluate: [nll]
checkpoint: {every_steps: 6}
"""
SETTINGS = {"SWEEP_THREADS": "3", "SWEEP_SLOTS": "3", "SWEEP_SLOTS_START": "3"}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path / "fleet", workers=1, settings=SETTINGS)
    fleet.redis = WatchedServer(tmp_path / "watched")
    with fleet.up() as running, running.tinker.control() as control:
        control.set(rules=[{"on": "forward_backward", "slow": 0.1}])
        yield running


def count_at_service(fleet: Fleet) -> int:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    used = AccountClient(Endpoint(fleet.tinker.url, KEY)).read_usage(
        hour - timedelta(hours=2), hour + timedelta(hours=2)
    )
    return sum(usage.usage.tokens for usage in used)


def count_ended(client: Any) -> int:
    return int(client.zcard(keys.state("succeeded")))


@IN_SHORT
def test_the_books_equal_the_services_count_after_a_failover_that_lost_writes(fleet: Fleet) -> None:
    assert isinstance(fleet.redis, WatchedServer)
    pair, plan = fleet.redis.pair, fleet.submit(SPEC.replace("ROWS", str(find_few_rows()))).plan
    primary: Any = pair.primary.client()
    wait_until(lambda: count_ended(primary) >= 2, "the first stages to end", seconds=90)
    pair.cut()
    kept = count_ended(primary)
    wait_until(lambda: count_ended(primary) >= kept + 4, "more to end, which the replica does not learn", seconds=90)
    pair.primary.end(signal.SIGKILL)
    primary.close()
    fleet.redis.sentinels.await_failover()
    replica: Any = pair.replica.client()
    assert count_ended(replica) <= kept, "the replica does not know what ended since"
    replica.close()
    fleet.await_finish("night", seconds=120)
    with fleet.store() as store:
        wait_until(lambda: not store.client.zcard(keys.UNRECONCILED), "all costs to be known", seconds=60)
        row = store.client.hgetall(keys.sweep("night"))
        books = read_books(store)
        assert store.client.hget(keys.BOOKS, "run") == books.run
        wait_until(lambda: not read_books(store).attempts, "no doubt to be left")
    assert int(row["tokens"]) == count_at_service(fleet) > plan.totals.tokens, "what was lost is done and paid again"
    assert (int(row["reserved"]), int(row["unreconciled"]), books.closed, books.untold) == (0, 0, 0, {})
