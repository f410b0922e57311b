"""A Redis that cannot keep the truth is refused in one message that says why, and shows no password."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.state.connection import check_server, connect
from tests.support import TRUSTED, RedisServer, redis_server

SECRET = "hunter2"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("trusted"), TRUSTED) as server:
        yield server


@pytest.fixture
def configured(trusted: RedisServer) -> Iterator[Callable[..., None]]:
    """Changes settings of the server, for one test."""
    client: Any = trusted.client()
    before = {name: client.config_get(name)[name] for name in ("appendonly", "maxmemory-policy")}

    def change(**options: str) -> None:
        for name, value in options.items():
            client.config_set(name.replace("_", "-"), value)

    yield change
    for name, value in before.items():
        client.config_set(name, value)
    client.close()


def complaint(url: str) -> str:
    client = connect(url, retries=0)
    with pytest.raises(StoreUnavailable) as refused:
        check_server(client, url)
    client.close()
    message = str(refused.value)
    assert SECRET not in message
    return message


def test_a_server_that_keeps_everything_is_trusted(trusted: RedisServer) -> None:
    client = trusted.client()
    check_server(client, trusted.url)
    client.close()


def test_one_that_evicts_is_not(trusted: RedisServer, configured: Callable[..., None]) -> None:
    configured(maxmemory_policy="allkeys-lru")
    message = complaint(trusted.url)
    assert "maxmemory-policy is allkeys-lru" in message
    assert "set it to noeviction" in message
    assert "appendonly" not in message


def test_one_that_forgets_is_not(trusted: RedisServer, configured: Callable[..., None]) -> None:
    configured(appendonly="no")
    assert "set appendonly yes" in complaint(trusted.url)


def test_all_that_is_wrong_is_said_at_once(trusted: RedisServer, configured: Callable[..., None]) -> None:
    configured(appendonly="no", maxmemory_policy="volatile-ttl")
    message = complaint(trusted.url)
    assert "appendonly" in message
    assert "volatile-ttl" in message


@pytest.mark.parametrize(
    "url",
    [
        f"unix://:{SECRET}@/nowhere/redis.sock",
        f"unix:///nowhere/redis.sock?password={SECRET}",
        f"redis://ada:{SECRET}@127.0.0.1:1/0",
        f"redis://127.0.0.1:1/0?password={SECRET}",
        f"redis://127.0.0.1:1/0?password=a@{SECRET}",
    ],
)
def test_where_nobody_answers_the_address_is_shown_without_its_password(url: str) -> None:
    message = complaint(url)
    assert "no Redis answers at" in message
    assert ("nowhere" if "nowhere" in url else "127.0.0.1:1") in message


def test_a_wrong_password_is_not_shown(trusted: RedisServer) -> None:
    client: Any = trusted.client()
    client.config_set("requirepass", "right")
    try:
        assert "REDIS_URL=redis://:PASSWORD@" in complaint(trusted.url.replace("unix://", f"unix://:{SECRET}@"))
    finally:
        client.auth("right")
        client.config_set("requirepass", "")
        client.close()


@pytest.mark.parametrize("url", ["localhost:6379", "http://host", "redis://host:port", f":{SECRET}@host", ""])
def test_an_address_that_is_none_is_refused_with_one_that_would_be_right(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="redis://host:6379/0") as refused:
        connect(url)
    assert SECRET not in str(refused.value)


def test_support_starts_servers_that_end(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        client = server.client()
        assert client.ping()
        client.close()
    assert "answers" in complaint(server.url)


@pytest.mark.parametrize("option", ["foo=bar", "socket_timeout=abc", "protocol=9", "decode_response=1"])
def test_an_option_that_the_address_cannot_have_is_no_traceback_and_shows_no_password(option: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        connect(f"redis://:{SECRET}@localhost:1/0?{option}")
    assert "option" in str(refused.value)
    assert SECRET not in str(refused.value)
