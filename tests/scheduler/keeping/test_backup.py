"""A backup that is taken while a sweep runs brings everything back; what was done since is done again, once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts
from scheduler.engine.tick import take_back
from scheduler.state import keys, views
from scheduler.state.connection import check_server
from scheduler.state.keeping.backup import MANIFEST, STATE, BackupUnusable, restore_backup, take_backup
from scheduler.state.server.failover import read_books
from scheduler.state.states import StageState
from scheduler.state.store import Lease, Meter, Store
from scheduler.state.submission import submit
from sweeps.stage import Json
from tests.scheduler.keeping.kept_sweeps import Hands, build_plan, list_answers
from tests.scheduler.night import read_everything
from tests.scheduler.plans import submission
from tests.support import TRUSTED, FakeClock, RedisServer, redis_server

SPEC: dict[str, Json] = {"sweep": "s", "experiment": "data_scaling", "evaluate": [{"name": "nll", "options": {}}]}
PAIRS = 6


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[RedisServer]:
    """Another server, which is empty."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    with redis_server(folder, TRUSTED) as server:
        yield server


def run_half(store: Store, url: str) -> Hands:
    """Submit a sweep and do some of its stages; three are dispatched and not done."""
    hands = Hands(store, Artefacts(url))
    submit(store, submission(build_plan("s", PAIRS), spec=SPEC))
    hands.most = 3
    hands.work()
    return hands


def run_whole(store: Store, url: str) -> list[tuple[object, ...]]:
    hands = Hands(store, Artefacts(url))
    submit(store, submission(build_plan("s", PAIRS), spec=SPEC))
    hands.finish("s")
    return list_answers(views.read_results(store, "s"))


def test_what_is_restored_goes_on_to_the_same_results(
    store: Store, clock: FakeClock, elsewhere: RedisServer, tmp_path: Path
) -> None:
    hands, folder = run_half(store, str(tmp_path / "a")), tmp_path / "backup"
    stage, number = hands.post.sent.popleft()
    late = store.claim(stage, attempt=number, worker="late", lease=60)
    taken = take_backup(store, str(tmp_path / "a"), folder)
    state = {key: value for key, value in read_everything(store.client).items() if key != keys.CLEANER}
    hands.most = 100
    hands.work()  # what the backup does not know
    restored = Store(elsewhere.client(), clock)
    assert restore_backup(restored, str(tmp_path / "b"), folder) == taken
    check_server(restored.client, elsewhere.url)
    there = read_everything(restored.client)
    ours = {key: value for key, value in state.items() if key not in (keys.FENCE, keys.BOOKS, keys.EVENTS)}
    assert {key: there.get(key) for key in ours if "worker" not in key} == {
        key: value for key, value in ours.items() if "worker" not in key
    }
    new = Hands(restored, Artefacts(str(tmp_path / "b")))
    clock.pass_seconds(61)
    take_back(restored, stall=1e9)
    assert new.work() == 0, "nothing starts before the books are compared"
    books = read_books(restored)
    assert (books.closed > 0, books.since) == (True, taken.taken)
    assert isinstance(late, Lease)
    assert not restored.settle(late, Meter(0, 0), StageState.SUCCEEDED, cost="exact", result="{}")
    assert restored.scripts.run("reopen_books", books.run, books.asked, clock())  # as a worker that found nothing
    assert restored.client.hget(keys.breaker("offline"), "state") == "suspect", "its clients have been silent for long"
    restored.client.hset(keys.breaker("offline"), mapping={"state": "closed"})  # as a canary finds
    new.finish("s")
    client = store.client
    client.flushall()
    assert [row[:4] for row in list_answers(views.read_results(restored, "s"))] == [
        row[:4] for row in run_whole(store, str(tmp_path / "c"))
    ]


def test_a_second_backup_copies_only_what_is_new(store: Store, tmp_path: Path) -> None:
    hands, folder = run_half(store, str(tmp_path / "a")), tmp_path / "backup"
    first = take_backup(store, str(tmp_path / "a"), folder)
    hands.most = 100
    hands.finish("s")
    second = take_backup(store, str(tmp_path / "a"), folder)
    assert (first.copied, second.copied, second.files) == (3, 2 * PAIRS - 3, 2 * PAIRS)


@pytest.mark.parametrize("harm", ["no manifest", "cut off", "not empty"])
def test_what_cannot_be_restored_is_refused_and_changes_no_sweep(
    store: Store, clock: FakeClock, elsewhere: RedisServer, tmp_path: Path, harm: str
) -> None:
    run_half(store, str(tmp_path / "a"))
    folder, other = tmp_path / "backup", Store(elsewhere.client(), clock)
    take_backup(store, str(tmp_path / "a"), folder)
    if harm == "no manifest":
        (folder / MANIFEST).unlink()
    if harm == "cut off":
        (folder / STATE).write_bytes((folder / STATE).read_bytes()[:-20])
    if harm == "not empty":
        submit(other, submission(build_plan("t", 1), spec={**SPEC, "sweep": "t"}))
    before = other.client.zrange(keys.SWEEPS, 0, -1)
    with pytest.raises(BackupUnusable):
        restore_backup(other, str(tmp_path / "b"), folder)
    assert other.client.zrange(keys.SWEEPS, 0, -1) == before
