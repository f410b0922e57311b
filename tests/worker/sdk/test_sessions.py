"""What sessions leave behind in a process that opens thousands of them."""

import gc
import sys
from pathlib import Path

import pytest

from tests.support import wait_until
from tests.tinker_offline.process import KEY, Server
from worker.open_model import ALL_LAYERS
from worker.sdk import session as session_module
from worker.sdk.endpoints import Endpoint
from worker.sdk.session import Session


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel lists a process's files in /proc")
def test_the_sockets_of_closed_sessions_are_given_back(tinker: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector alone may wait for a long time: the more a process holds, the longer."""
    monkeypatch.setattr(session_module, "COLLECT_EVERY", 1)
    gc.collect()
    gc.disable()
    try:
        before = open_files()
        for _ in range(5):
            session = Session(lambda: Endpoint(base_url=tinker.url, api_key=KEY), {})
            session.create("offline/ngram-s", rank=8, seed=0, layers=ALL_LAYERS).wait(lambda: None)
            session.close("errored")
        del session
        wait_until(lambda: open_files() <= before + 8, "the sockets to go", seconds=10)
    finally:
        gc.enable()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
