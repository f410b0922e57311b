"""A worker on real parts: a Redis, a tinker_offline and the SDK. Only time and the messages belong to the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts
from scheduler.state.connection import connect
from scheduler.state.store import Store
from tests.support import RedisServer, redis_server
from tests.tinker_offline.process import KEY, Control, Server
from tests.worker.odd_service import Odd, odd_service
from tests.worker.workshop import Workshop
from worker.attempt import Attempt, WorkerContext
from worker.examples import Examples
from worker.held_lease import EndRequest, LeaseLost
from worker.leases import Leases
from worker.outcome import Stopped
from worker.sdk.endpoints import Endpoint

LEASE = 30.0
GRACE = 3.0


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def tinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("offline"))
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def moody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that has bad nights, when `control` says so."""
    server = Server(tmp_path_factory.mktemp("moody"), ["--control"])
    server.start()
    yield server
    server.end()


@pytest.fixture
def control(moody: Server) -> Iterator[Control]:
    with moody.control() as control:
        yield control
        control.clear()


@pytest.fixture
def stops(monkeypatch: pytest.MonkeyPatch) -> list[EndRequest | LeaseLost]:
    """What happens at each following step: nothing, a request to end, or the loss of the lease."""
    script: list[EndRequest | LeaseLost] = []
    ask = Attempt.stop_if_asked

    def asked(this: Attempt) -> Stopped | None:
        event = script.pop(0) if script else EndRequest.NOTHING
        if isinstance(event, LeaseLost):
            raise event
        if event:
            this.held.request_end(event, within=60)
        return ask(this)

    monkeypatch.setattr(Attempt, "stop_if_asked", asked)
    return script


@pytest.fixture
def workshop(redis: RedisServer, tinker: Server, tmp_path: Path) -> Iterator[Workshop]:
    client = connect(redis.url)
    client.flushall()
    store, artefacts = Store(client), Artefacts(str(tmp_path / "store"))
    leases = Leases(store, worker="w1", threads=4, seconds=LEASE, grace=GRACE, about={})
    leases.start()
    endpoint = Endpoint(base_url=tinker.url, api_key=KEY)
    yield Workshop(WorkerContext(store, artefacts, leases, Examples(artefacts), lambda _: endpoint), tinker, tmp_path)
    leases.stop()
    client.close()


@pytest.fixture(scope="session")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Odd]]:
    """A service that answers oddly, when `odd` says so; in this process."""
    server = Server(tmp_path_factory.mktemp("odd"))
    with odd_service(server.state) as (server.url, odd):
        yield server, odd


@pytest.fixture
def odd(strange: tuple[Server, Odd]) -> Iterator[Odd]:
    yield strange[1]
    strange[1].forget()


@pytest.fixture
def among_odds(workshop: Workshop, strange: tuple[Server, Odd], odd: Odd) -> Workshop:  # noqa: ARG001 - ended after us
    """A workshop at the odd service."""
    return workshop.at(strange[0])
