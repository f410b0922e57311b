"""A server is known by what it says of itself; what was not tested is said, what is too old is refused."""

from pathlib import Path
from typing import Any, cast

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.settings import read_settings
from scheduler.state.connection import Client, check_server, find_problems
from scheduler.state.server.embedded_redis import describe_server
from scheduler.state.server.server_versions import (
    ServerVersion,
    identify_binary,
    identify_server,
    is_tested,
    parse_version,
)
from tests import servers
from tests.support import redis_server

TOLD = {  # by `INFO server`; of Dragonfly, KeyDB and the like as their documents have it
    "Redis 7.0.15": {"redis_version": "7.0.15", "executable": "/usr/bin/redis-server"},
    "Redis 8.0-rc1": {"redis_version": "8.0-rc1"},
    "Valkey 9.1.2": {"redis_version": "7.2.4", "server_name": "valkey", "valkey_version": "9.1.2"},
    "Dragonfly df-v1.21.2": {"redis_version": "7.2.0", "dragonfly_version": "df-v1.21.2"},
    "KeyDB 6.3.4": {"redis_version": "6.3.4", "executable": "/usr/local/bin/keydb-server"},
    "Redict 7.3.0": {"redis_version": "7.2.4", "redict_version": "7.3.0"},
}


class Told:
    """Answers `INFO` as a server would, and keeps everything."""

    def __init__(self, **server: Any) -> None:
        self._sections = {"server": server, "persistence": {"aof_enabled": 1}, "memory": {}, "replication": {}}

    def ping(self) -> bool:
        return True

    def get(self, name: str) -> None:
        """No layout: the state is empty."""

    def zcard(self, name: str) -> int:  # noqa: ARG002 - the server's command has an argument
        return 0

    def info(self, section: str) -> dict[str, Any]:
        return self._sections[section]

    @classmethod
    def client(cls, **server: Any) -> Client:
        return cast(Client, cls(**server))


@pytest.mark.parametrize("who", TOLD)
def test_it_is_called_what_it_calls_itself(who: str) -> None:
    assert str(identify_server(TOLD[who])) == who
    assert find_problems(Told.client(**TOLD[who])) == []
    assert str(check_server(Told.client(**TOLD[who]), "redis://host")) == who


@pytest.mark.parametrize("key", servers.here())
def test_a_real_one_is_told_by_its_connection_as_by_its_program(key: str, tmp_path: Path) -> None:
    binary = servers.installed_or_skip(key)
    with redis_server(tmp_path, binary=binary) as server:
        client = server.client()
        identified = identify_server(client.info("server"))
        client.close()
    assert (identified.name, identified.series) == (servers.tested(key).name, servers.tested(key).series)
    assert is_tested(identified)


@pytest.mark.parametrize(
    ("printed", "server"),
    [
        (
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c9",
            ServerVersion("Redis", "7.0.15"),
        ),
        ("Valkey server v=9.1.2 sha=00000000:1 malloc=libc bits=64 build=1536df3", ServerVersion("Valkey", "9.1.2")),
        ("something else entirely", None),
        ("", None),
    ],
)
def test_a_program_says_what_it_is(printed: str, server: ServerVersion | None) -> None:
    assert identify_binary(printed) == server


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7", "2.8.19", "0", "", "unknown"])
def test_what_is_too_old_is_refused_with_what_to_do(version: str) -> None:
    with pytest.raises(StoreUnavailable, match="too old") as refused:
        check_server(Told.client(redis_version=version), "redis://host")
    assert "Redis 6.2" in str(refused.value)


@pytest.mark.parametrize(("version", "series"), [("7", (7, 0)), ("v1.24", (1, 24)), ("7.4-rc1", (7, 4)), ("x", (0, 0))])
def test_versions_are_read_as_people_write_them(version: str, series: tuple[int, int]) -> None:
    assert parse_version(version) == series


@pytest.mark.parametrize(
    ("server", "tested"),
    [
        (ServerVersion("Redis", "7.0.3"), True),
        (ServerVersion("Valkey", "9.1.0"), True),
        (ServerVersion("Redis", "9.9.0"), False),
        (ServerVersion("Valkey", "7.2.5"), False),
        (ServerVersion("Dragonfly", "df-v1.21.2"), False),
        (ServerVersion("KeyDB", "7.0.0"), False),
    ],
)
def test_what_was_not_tested_is_said(server: ServerVersion, tested: bool) -> None:
    settings = read_settings({"REDIS_URL": "redis://:secret@host:6379/0"})
    description = describe_server(server, "redis://:secret@host:6379/0", settings)
    assert str(server) in description
    assert "redis://host:6379/0" in description
    assert "secret" not in description
    assert ("not tested" in description) is not tested
