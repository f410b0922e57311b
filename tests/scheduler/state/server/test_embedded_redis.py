"""The embedded Redis keeps what it acknowledged, is shared by all who ask, and goes with the last of them."""

import multiprocessing
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler.engine.dispatch import Nudges
from scheduler.errors import StoreUnavailable
from scheduler.settings import Settings, read_settings
from scheduler.state.connection import Client, check_server, connect
from scheduler.state.server import embedded_redis
from scheduler.state.server.embedded_redis import ensure_server, find_server_url, open_server
from scheduler.state.server.failover import ServerWatch, close_books, read_books
from scheduler.state.store import Store
from tests import support
from tests.support import wait_until
from tests.wording import naming


def settings_in(home: Path) -> Settings:
    return read_settings({"SWEEP_HOME": str(home)})


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = settings_in(tmp_path / "home")
    yield settings
    if answers(settings):
        kill(settings)


def answers(settings: Settings) -> bool:
    return support.answers(find_server_url(settings))


def pid(settings: Settings) -> int:
    client = connect(find_server_url(settings), retries=0)
    number = int(client.info("server")["process_id"])
    client.close()
    return number


def kill(settings: Settings) -> None:
    os.kill(pid(settings), signal.SIGKILL)
    wait_until(lambda: not answers(settings), "the server to be gone")


def client_of(url: str) -> Client:
    return connect(url, retries=0)


def test_what_was_written_survives_the_command_that_wrote_it(settings: Settings) -> None:
    with open_server(settings) as url:
        client = client_of(url)
        client.hset("night", "state", "ready")
        client.close()
    assert not answers(settings), "the last one out stops it"
    with open_server(settings) as url:
        client = client_of(url)
        assert client.hget("night", "state") == "ready"
        client.close()


def test_it_is_a_server_that_can_be_trusted_and_that_only_its_owner_reaches(settings: Settings) -> None:
    with open_server(settings) as url:
        client = client_of(url)
        check_server(client, url)
        assert client.config_get("appendfsync") == {"appendfsync": "always"}
        assert client.config_get("port") == {"port": "0"}
        client.close()
        socket = Path(url.removeprefix("unix://"))
        assert stat.S_IMODE(socket.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700


def test_it_runs_for_as_long_as_anybody_uses_it(settings: Settings) -> None:
    with open_server(settings) as first:
        with open_server(settings) as second:
            assert first == second
        assert answers(settings)
    assert not answers(settings)


def test_a_kill_loses_nothing_that_was_acknowledged(settings: Settings) -> None:
    with open_server(settings) as url:
        client = client_of(url)
        for number in range(200):
            client.hset("acknowledged", str(number), number)
        client.close()
        kill(settings)
        assert ensure_server(settings), "it had to be started again"
        client = client_of(url)
        assert len(client.hgetall("acknowledged")) == 200
        client.close()


def test_a_server_left_behind_by_a_crash_is_used_again(settings: Settings) -> None:
    ensure_server(settings)
    left = pid(settings)
    with open_server(settings):
        assert pid(settings) == left
    assert not answers(settings)


def test_beside_a_server_that_hangs_no_second_one_is_started(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one append-only file would destroy it."""
    monkeypatch.setattr(embedded_redis, "PING_SECONDS", 0.2)
    monkeypatch.setattr(embedded_redis, "START_SECONDS", 0.5)
    with open_server(settings):
        left = pid(settings)
        os.kill(left, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable, match=naming("running", "not answer", "redis.log")):
                ensure_server(settings)
        finally:
            os.kill(left, signal.SIGCONT)
        assert not ensure_server(settings), "it answers again"
        assert pid(settings) == left


def _use(home: str, start: Any, used: Any, leave: Any) -> None:
    settings = settings_in(Path(home))
    start.wait(60)
    with open_server(settings):
        used.put(pid(settings))
        leave.wait(60)


def test_processes_that_start_it_at_once_share_one(settings: Settings) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, used, leave = spawn.Barrier(2), spawn.Queue(), spawn.Event()
    people = [spawn.Process(target=_use, args=(str(settings.home), start, used, leave)) for _ in range(2)]
    for process in people:
        process.start()
    numbers = [used.get(timeout=60) for _ in people]
    leave.set()
    for process in people:
        process.join(60)
    assert len(set(numbers)) == 1
    assert [process.exitcode for process in people] == [0, 0]
    assert not answers(settings)


@pytest.mark.parametrize("folder", ["x" * 120, "my research", "100%25 sure", "what?#now", "größe"])
def test_any_folder_can_hold_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    short = tempfile.mkdtemp()  # as the system's own is, which pytest's is not
    monkeypatch.setattr(tempfile, "tempdir", short)
    settings = settings_in(tmp_path / folder)
    with open_server(settings) as url:
        client = client_of(url)
        client.hset("a", "b", 1)
        client.close()
        nudges = Nudges(url)
        assert nudges.send("stage", 1, "a label"), "Celery finds the same server"
        nudges.close()
        assert any((settings.home / "redis").rglob("*.aof"))
        assert stat.S_IMODE(Path(url.removeprefix("unix://")).parent.stat().st_mode) == 0o700
    assert not answers(settings)
    shutil.rmtree(short)


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    settings = replace(settings_in(tmp_path), home=blocked / "home")  # as it is when the folder changes afterwards
    with pytest.raises(StoreUnavailable, match=f"{blocked}.*SWEEP_HOME"):
        ensure_server(settings)


def test_a_server_that_cannot_start_says_why_at_once(settings: Settings) -> None:
    appended = settings.home / "redis" / "appendonlydir"
    appended.mkdir(parents=True)
    (appended / "appendonly.aof.manifest").write_text("this is no manifest\n")
    with pytest.raises(StoreUnavailable, match=r"(?s)redis\.log:\n.*manifest") as refused:
        ensure_server(settings)
    assert str(refused.value).count("\n") <= 6


def test_with_a_server_of_ones_own_none_is_started(tmp_path: Path) -> None:
    own = read_settings({"SWEEP_HOME": str(tmp_path / "home"), "REDIS_URL": "redis://host:1/0"})
    with open_server(own) as url:
        assert url == "redis://host:1/0"
    assert not (tmp_path / "home").exists()


def test_a_restart_of_our_own_server_leaves_the_books_open_also_for_a_process_that_saw_the_one_before(
    settings: Settings,
) -> None:
    watch = ServerWatch()
    with open_server(settings) as url:
        client = client_of(url)
        assert not watch.look(Store(client))
        kill(settings)
        assert ensure_server(settings)
        assert not read_books(Store(client)).closed
        assert not watch.look(Store(client))
        close_books(Store(client), "an older state was restored")
        kill(settings)
        assert ensure_server(settings)
        assert read_books(Store(client)).closed, "nobody has compared them yet"
        client.close()
