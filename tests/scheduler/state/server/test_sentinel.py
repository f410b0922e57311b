"""Our client and Celery's broker follow the primary that Sentinels name: real servers, a real failover."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from scheduler.engine.dispatch import QUEUE, TRANSPORT, Nudges, count_waiting
from scheduler.state.connection import Away, check_server, connect, make_broker_settings
from tests.sentinels import Pair, Sentinels, watched_pair
from tests.support import wait_until


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pair, Sentinels]]:
    with watched_pair(tmp_path_factory.mktemp("watched")) as both:
        yield both


def test_a_client_and_the_broker_go_on_with_the_server_that_sentinels_promote(watched: tuple[Pair, Sentinels]) -> None:
    pair, sentinels = watched
    url = sentinels.url
    client: Any = connect(url)
    check_server(client, url)
    client.set("tinker-sweeps:before", 1)
    nudges = Nudges(url)
    assert nudges.send("stage", 1, "label")
    assert count_waiting(client) == 1
    pair.await_same()
    pair.primary.end(signal.SIGKILL)
    sentinels.await_failover()
    assert client.get("tinker-sweeps:before") == "1"
    wait_until(lambda: nudges.send("stage", 2, "label"), "the broker to follow")
    assert count_waiting(client) == 2
    app = Celery()
    app.conf.update(**make_broker_settings(url, TRANSPORT))
    with app.connection() as broker, broker.SimpleQueue(QUEUE) as queue:
        assert [queue.get(timeout=5).payload[0] for _ in range(2)] == [["stage", 1], ["stage", 2]]
    app.close()
    nudges.close()
    sentinels.end()  # a known primary is used further; without it, nobody knows where to go
    pair.replica.end(signal.SIGKILL)
    with pytest.raises(Away):
        client.ping()
    client.close()
