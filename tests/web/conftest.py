"""One Redis, one page and one night for the folder: a test that changes something has a sweep of its own for it."""

from collections.abc import Iterator

import pytest

from scheduler.settings import read_settings
from scheduler.state.store import Store
from tests.browser import Tab, browser, opened
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import TRUSTED, FakeClock, redis_server
from tests.web.served import Served, serve_page

QUESTION = "How much data does <b>code</b> need?"
PASTED = """
sweep: pasted
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 4}
data: {mine: {source: "offline:reference", holdout: 8}}
sizes: [4, 8]
seeds: 1
"""
SPEC = {"experiment": "data_scaling", "model": "offline/ngram-s", "question": QUESTION}


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """Sweep `half` has measured two of its three sizes, and a stage of the third has failed."""
    clock = FakeClock()
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        night = Night(Store(server.client(), clock), clock)
        night.submit(scaling("half", [8, 16, 32]), spec={**SPEC, "sweep": "half"})
        night.do("evaluate-base", "half", {"nll": 3.0})
        for size, nll in ((8, 2.0), (16, 1.5)):
            for seed in range(2):
                night.do(f"train-n{size}s{seed}", "half")
                night.do(f"evaluate-n{size}s{seed}", "half", {"nll": nll + seed / 10})
        night.fail(night.start("train-n32s0", "half"), "the data is bad")
        night.spread()
        yield night


@pytest.fixture(scope="session")
def page(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = read_settings({"SWEEP_HOME": str(tmp_path_factory.mktemp("home"))})
    with serve_page(night.store, settings) as served:
        yield served


@pytest.fixture
def night_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of an empty fleet, whose Redis keeps what it acknowledges, as a true one must."""
    with redis_server(tmp_path_factory.mktemp("redis"), TRUSTED) as server:
        store = Store(server.client())
        with serve_page(store, read_settings({"SWEEP_HOME": str(tmp_path_factory.mktemp("home"))})) as served:
            yield served


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A real browser. Where none is installed, the tests that ask for it are skipped and say so."""
    program = browser()
    if program is None:
        pytest.skip("NO BROWSER IS INSTALLED: the page was opened in none. `make browser`")
    with opened(program, tmp_path_factory.mktemp("browser")) as tab:
        yield tab
