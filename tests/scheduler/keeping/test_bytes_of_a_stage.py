"""What a stage takes in Redis and on disk, counted over two hundred stages; `make bench-keeping` counts 20,000."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts
from scheduler.state import views
from scheduler.state.keeping.cleaning import Cleaning
from scheduler.state.keeping.retention import DAY, parse_retention
from scheduler.state.store import Store
from scheduler.state.submission import submit
from sweeps.stage import Json
from tests.scheduler.keeping.kept_sweeps import Hands, build_plan, list_answers, measure_files, measure_redis
from tests.scheduler.plans import submission
from tests.support import FAST, FakeClock, RedisServer, redis_server

STAGES = 200
BEFORE, ON_DISK, AFTER = 2000, 6000, 500  # bytes of a stage


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[RedisServer]:
    """A server with the options of the built-in one that decide how much it takes."""
    with redis_server(tmp_path, {**FAST, "hash-max-ziplist-value": "1024"}) as server:
        yield server


def test_a_stage_takes_two_kilobytes_and_after_a_year_half_a_kilobyte_and_no_file(
    roomy: RedisServer, tmp_path: Path
) -> None:
    clock, url = FakeClock(), str(tmp_path / "store")
    store, artefacts = Store(roomy.client(), clock), Artefacts(url)
    hands = Hands(store, artefacts)
    empty = measure_redis(store.client)
    spec: dict[str, Json] = {"sweep": "s", "experiment": "data_scaling", "evaluate": [{"name": "nll", "options": {}}]}
    submit(store, submission(build_plan("s", STAGES // 2), spec=spec))
    hands.finish("s")
    files, stored = measure_files(artefacts)
    redis = (measure_redis(store.client) - empty) / STAGES
    before = list_answers(views.read_results(store, "s")), views.read_cells(store, "s")
    assert redis <= BEFORE
    assert (files / STAGES, stored / STAGES <= ON_DISK) == (1, True)
    clock.pass_seconds(367 * DAY)
    cleaned = Cleaning(store, url, parse_retention("artefacts=1h")).run()
    assert (cleaned.archived, cleaned.stages, cleaned.answers) == (1, STAGES, 1)
    assert (list_answers(views.read_results(store, "s")), views.read_cells(store, "s")) == before
    assert (measure_redis(store.client) - empty) / STAGES <= AFTER
    assert measure_files(artefacts) == (0, 0)
