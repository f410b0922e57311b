"""One real server for the folder, emptied for each test; no test may leave a key that keys.py does not name."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Store
from tests import servers
from tests.scheduler.night import Fleet, Night
from tests.support import FakeClock, RedisServer, redis_server

# What runs on the oldest Redis, too; the rest does with SERVER=KEY, as `make servers` has it.
ON_SEVERAL = {
    f"test_{name}.py" for name in ("any_interleaving", "checkpoints", "claims", "unreconciled", "money", "payers")
}
EXPIRING = {keys.LEADER, keys.worker("@"), keys.rate("@"), keys.login("@"), keys.session("@")}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "TINKER_API_KEY", "TINKER_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.path.name in ON_SEVERAL and "redis" in metafunc.fixturenames:
        metafunc.parametrize("redis", servers.here(), indirect=True, scope="session")


@pytest.fixture(scope="session")
def redis(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    binary = servers.installed_or_skip(getattr(request, "param", servers.chosen()))
    with redis_server(tmp_path_factory.mktemp("redis"), binary=binary) as server:
        yield server


@pytest.fixture
def client(redis: RedisServer) -> Iterator[Client]:
    client = redis.client()
    client.flushall()
    yield client
    strays = [key for key in client.scan_iter() if not _allowed(client, key)]
    client.close()
    assert not strays, f"keys.py names no such key, or it ought to expire: {strays}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(client: Client, clock: FakeClock) -> Store:
    return Store(client, clock)


@pytest.fixture
def night(store: Store, clock: FakeClock) -> Night:
    return Night(store, clock)


@pytest.fixture
def fleet(night: Night, redis: RedisServer) -> Iterator[Fleet]:
    """Workers that report free threads, and the tick that sends to them."""
    fleet = Fleet(night, redis.url)
    yield fleet
    fleet.nudges.close()


@cache
def named() -> dict[str, re.Pattern[str]]:
    """Every key that keys.py names, with `@` for what varies, and the pattern of its names."""
    functions: list[Callable[..., str]] = [
        function for _, function in inspect.getmembers(keys, inspect.isfunction) if function.__module__ == keys.__name__
    ]
    fixed = [
        value for name, value in vars(keys).items() if name.isupper() and name not in ("PREFIX", "BROKER", "RATES")
    ]
    spelled = [*fixed, *(function(*"@" * len(inspect.signature(function).parameters)) for function in functions)]
    return {spelling: re.compile(re.escape(spelling).replace("@", "[^:]+")) for spelling in spelled}


def _allowed(client: Client, key: str) -> bool:
    if key.startswith(keys.BROKER):
        return True
    names = [name for name, pattern in named().items() if pattern.fullmatch(key)]
    return bool(names) and (not EXPIRING.intersection(names) or expires(client, key))


def expires(client: Client, key: str) -> bool:
    pipe = client.pipeline()
    return int(getattr(pipe, "pttl")(key).execute()[0]) > 0  # noqa: B009  our protocol of a client lists what our code calls
