"""A worker has the state cleaned up once a day, by a process that ends with it."""

from pathlib import Path

import pytest

from scheduler.state import keys
from scheduler.state.keeping.cleaning import EVERY, SECOND, Cleaning, take_duty_if_due
from scheduler.state.store import Store
from tests.support import TRUSTED, redis_server, wait_until
from worker.maintenance.apart import run_apart
from worker.maintenance.daily_cleaning import DailyCleaning


def test_what_is_due_is_cleaned_up_once_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_server(tmp_path, TRUSTED) as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        monkeypatch.setenv("SWEEP_HOME", str(tmp_path))
        monkeypatch.setattr(Cleaning, "run", None)  # not in this process
        store = Store(server.client())
        client, yesterday = store.client, store.scripts.read_time() - round(EVERY * SECOND)
        client.hset(keys.CLEANED, "at", yesterday + 60 * SECOND)
        assert not take_duty_if_due(store, "early")
        client.hset(keys.CLEANED, "at", yesterday)
        cleaning = DailyCleaning(store, "worker", period=0.01)
        cleaning.start()
        wait_until(lambda: int(client.hget(keys.CLEANED, "at") or 0) > yesterday, "it is cleaned up")
        wait_until(lambda: not client.exists(keys.CLEANER), "the duty is given up")
        cleaning.stop()
        assert not take_duty_if_due(store, "late")


def test_a_process_apart_that_fails_is_no_empty_answer() -> None:
    with pytest.raises(RuntimeError, match=r"json\.tool ended with status 1"):
        run_apart("json.tool", order="no JSON", patience=60)
    assert run_apart("json.tool", order="[]", patience=60) == "[]\n"
