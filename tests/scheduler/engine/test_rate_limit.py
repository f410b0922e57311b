"""A rate that the whole fleet shares: whoever draws, never more than it, and all of it where it is wanted."""

import threading
import time
from pathlib import Path

import pytest

from scheduler.engine.rate_limit import BURST, Rate
from scheduler.state.connection import Client, RedisError, connect
from tests.support import RedisServer


def test_however_many_draw_at_once_it_is_kept_and_used_up(redis: RedisServer, client: Client) -> None:  # noqa: ARG001
    """In real time: the script reads the server's clock."""
    per_second, seconds, drawn = 400.0, 0.7, []
    began = time.monotonic()

    def draw() -> None:
        ours = redis.client()
        rate = Rate(ours, "requests|offline", per_second=per_second)
        while time.monotonic() - began < seconds:
            if rate.draw() == 0:
                drawn.append(rate.batch)
        ours.close()

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(drawn) <= per_second * (time.monotonic() - began + BURST)
    assert sum(drawn) >= per_second * (seconds + BURST) - 2 * max(drawn)


def test_who_must_wait_is_told_how_long(client: Client) -> None:
    rate = Rate(client, "requests|offline", per_second=0.1)
    assert rate.draw() == 0
    assert 5 < rate.draw() <= 10


def test_limits_of_other_names_are_other_limits(client: Client) -> None:
    slow = [Rate(client, f"requests|{name}", per_second=0.001) for name in ("offline", "tinker")]
    assert [rate.draw() for rate in slow] == [0, 0]
    assert all(rate.draw() > 60 for rate in slow)


@pytest.mark.parametrize("per_second", [1e-6, 0.5, 1, 3.7, 1_667, 1e7])
def test_a_batch_can_always_be_had(client: Client, per_second: float) -> None:
    assert Rate(client, "tokens|offline", per_second=per_second).draw() == 0


def test_a_redis_that_is_away_is_an_error_of_redis(tmp_path: Path) -> None:
    away = connect(f"unix://{tmp_path}/none.sock", retries=0)
    with pytest.raises(RedisError):
        Rate(away, "requests|offline", per_second=1).draw()
