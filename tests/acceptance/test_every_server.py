"""A short night on another server: the truth, the broker, workers and Flower, all on that one.

`make test` does it on the oldest Redis, beside the pinned server of all other nights; `make servers` does it on each.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.acceptance.command import Desk
from tests.acceptance.small_nights import run_short_night
from tests.support import TRUSTED, redis_server
from tests.tinker_offline.process import Server


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("offline"))
    server.start()
    yield server
    server.end()


@pytest.mark.parametrize("key", [servers.oldest()])
def test_a_night_ends_on_it(desk: Desk, offline: Server, tmp_path: Path, key: str) -> None:
    (tmp_path / "redis").mkdir()
    with redis_server(tmp_path / "redis", TRUSTED, servers.installed_or_skip(key)) as redis:
        desk.environment.update(REDIS_URL=redis.url, SWEEP_OFFLINE_URL=offline.url)
        run_short_night(desk)
        assert str(servers.tested(key)) in desk.said()
