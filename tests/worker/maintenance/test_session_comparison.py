"""The books are compared with the sessions that the service knows, one by one and token by token."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.state import keys
from scheduler.state.keeping.session_comparison import KnownSession, SessionComparison, compare_sessions
from scheduler.state.server.failover import read_books
from scheduler.state.store import Store
from sweeps.stage import Stage
from tests.worker.dead_attempts import count_tokens, make_housekeeping
from tests.worker.workshop import SPEC, Workshop
from worker.maintenance.session_main import main

MODEL = "offline/ngram-s"
DAY = timedelta(days=1)


@pytest.fixture
def asked(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What the command and its program read."""
    monkeypatch.setenv("SWEEP_OFFLINE_URL", workshop.tinker.url)

    def ask(since: timedelta = DAY) -> SessionComparison:
        began, now = datetime.now(UTC) - since, datetime.now(UTC)
        capsys.readouterr()
        assert main([MODEL, workshop.context.fleet, str(began.timestamp())]) == 0
        rows = json.loads(capsys.readouterr().out)["sessions"]
        return compare_sessions(workshop.store, [KnownSession(**row) for row in rows], began, now + DAY)

    return ask


def train_one(workshop: Workshop) -> Stage:
    stage = next(stage for stage in workshop.submit(SPEC + "reuse: sweep\n").plan.stages if stage.kind == "train")
    workshop.attempt(stage)  # and its evaluation, in the same session
    return stage


def count_states(comparison: SessionComparison) -> dict[str, int]:
    return dict(Counter(row.state for row in comparison.sessions))


def test_equal_books_are_found_equal_and_each_kind_of_difference_is_named(workshop: Workshop, asked: Any) -> None:
    stage, client = train_one(workshop), workshop.store.client
    comparison = asked()
    assert count_states(comparison) == {"booked": 1}
    assert (comparison.compared, comparison.differences, comparison.lacking) == (1, (), [])
    assert [row.session.tokens for row in comparison.sessions] == [count_tokens(workshop)]
    assert (comparison.sessions[0].session.usd or 0) > 0

    client.hincrby(keys.stage(stage.id), "tokens", -7)
    (difference,) = asked().differences
    assert (difference.stage, difference.counted - difference.booked) == (stage.id, 7)
    client.hincrby(keys.stage(stage.id), "tokens", 7)

    client.hset(keys.stage(stage.id), "attempt", 0)
    assert count_states(asked()) == {"missing": 1}
    client.hset(keys.stage(stage.id), "attempt", 1)

    client.zadd(keys.UNRECONCILED, {f"{stage.id}|1": 0})
    assert count_states(asked()) == {"unreconciled": 1}
    client.delete(keys.UNRECONCILED, keys.stage(stage.id))
    assert count_states(asked()) == {"orphan": 1}
    client.set(keys.sweep_archive("one"), "packed")
    assert count_states(asked()) == {"archived": 1}


def test_only_what_is_wholly_in_the_time_is_compared(workshop: Workshop, asked: Any) -> None:
    train_one(workshop)
    workshop.store.client.zadd(keys.SWEEPS, {"one": 0})
    assert asked().compared == 0


def test_the_command_lists_what_the_books_lack_and_a_worker_books_it(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, store = train_one(workshop), workshop.store
    housekeeping = make_housekeeping(workshop)
    monkeypatch.setenv("SWEEP_OFFLINE_URL", workshop.tinker.url)
    monkeypatch.setattr("scheduler.cli.upkeep.reconcile_sessions.open_store", lambda _: _Opened(store))
    run = CliRunner().invoke
    spent = _sum_books(store)
    store.client.hset(keys.stage(stage.id), "attempt", 0)
    listed = json.loads(run(command, ["-f", "json", "reconcile", "--offline"]).stdout)
    assert ([row["state"] for row in listed["sessions"]], listed["books_closed"]) == (["missing"], False)
    assert not read_books(store).closed
    booked = json.loads(run(command, ["-f", "json", "reconcile", "--offline", "--book"]).stdout)
    assert booked["books_closed"]
    assert read_books(store).closed
    assert housekeeping._lost_writes.compare_if_closed()
    assert _sum_books(store) > spent
    assert store.client.hget(keys.stage(stage.id), "attempt") == "1"
    again = json.loads(run(command, ["-f", "json", "reconcile", "--offline", "--book"]).stdout)
    assert ([row["state"] for row in again["sessions"]], again["books_closed"]) == (["unreconciled"], False)


def _sum_books(store: Store) -> int:
    row = store.client.hgetall(keys.sweep("one"))
    return int(row.get("spent", 0)) + int(row.get("unreconciled", 0))


class _Opened:
    """The store of the test, as the command opens one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None: ...
