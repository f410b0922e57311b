"""One server for all tests of this folder, and a separate one for tests that stop it."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinker

from tests.tinker_offline.process import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("offline"))
    server.start()
    yield server
    server.end()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop; not started yet."""
    server = Server(tmp_path)
    yield server
    with contextlib.suppress(Exception):
        server.end(signal.SIGKILL)


@pytest.fixture
def service(server: Server) -> Iterator[tinker.ServiceClient]:
    with server.session(test="yes") as client:
        yield client
