"""A home goes on with a server that reads it, whatever is on the PATH; or it is said why not, and nothing is touched.

The homes are written, and opened, by the real servers.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.errors import StoreUnavailable
from scheduler.settings import Settings, read_settings
from scheduler.state.connection import connect
from scheduler.state.server import server_choice
from scheduler.state.server.embedded_redis import find_server_url, open_server
from scheduler.state.server.server_choice import choose_server
from scheduler.state.server.server_data import read_author, read_data
from scheduler.state.server.server_versions import ServerData, ServerVersion, can_read
from tests import servers
from tests.acceptance.command import Desk
from tests.support import TRUSTED, redis_server, wait_until

PINNED = "valkey-9.1"
HERE = tuple(key for key in servers.KEYS if servers.installed(key))
Offer = Callable[..., None]


def settings_in(home: Path) -> Settings:
    return read_settings({"SWEEP_HOME": str(home)})


def tree(home: Path) -> dict[str, str]:
    """Every file and folder, with what is in it."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(home.rglob("*"))
    }


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Decides which servers this machine has: on the PATH, and pinned."""
    pinned = server_choice.find_pinned()

    def has(*keys: str, with_pinned: bool = False) -> None:
        place = tmp_path / "bin"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for key in keys:
            name = f"{key.partition('-')[0]}-server"
            (place / name).write_text(f'#!/bin/sh\nexec "{servers.installed_or_skip(key)}" "$@"\n')
            (place / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
        monkeypatch.setattr(server_choice, "find_pinned", lambda: pinned if with_pinned else None)
        monkeypatch.setattr(server_choice, "on_the_path", lambda name: _on(place, name))

    return has


def _on(place: Path, name: str) -> str | None:
    """Only there: the machine that tests may have a Redis of its own."""
    return str(place / name) if (place / name).exists() else None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bool], Path]:
    """A home as a server wrote it before there was a note; `anew`: and wrote again whole, as it does now and then."""
    made: dict[tuple[str, bool], Path] = {}

    def write(key: str, anew: bool) -> Path:
        if (key, anew) not in made:
            home = tmp_path_factory.mktemp("written")
            (home / "redis").mkdir()
            with redis_server(home / "redis", TRUSTED, servers.installed_or_skip(key)) as running:
                client = running.client()
                for number in range(20):
                    client.hset("kept", str(number), "x" * number)
                    client.zadd("ranked", {str(number): number})
                if anew:
                    getattr(client, "bgrewriteaof")()  # noqa: B009  our protocol of a client lists what our code calls
                    wait_until(lambda: int(client.info("persistence")["aof_rewrite_in_progress"]) == 0, "it is anew")
                client.hset("kept", "last", "acknowledged")
                client.close()
            (home / "redis" / "redis.sock").unlink(missing_ok=True)
            made[key, anew] = home
        return made[key, anew]

    return write


@pytest.fixture
def home(tmp_path: Path, written: Callable[[str, bool], Path]) -> Callable[..., Path]:
    def copy(key: str, *, anew: bool = False) -> Path:
        return Path(shutil.copytree(written(key, anew), tmp_path / "home"))

    return copy


def kept(home: Path) -> int:
    """How much is there, opened as every command does."""
    with open_server(settings_in(home)) as url:
        client = connect(url, retries=0)
        count = len(client.hgetall("kept"))
        client.close()
    return count


def refused(home: Path) -> str:
    """What is said of a home that is not opened; nothing of it is touched, and nothing added."""
    before = tree(home)
    with pytest.raises(StoreUnavailable) as raised, open_server(settings_in(home)):
        pass
    assert tree(home) == before
    assert "--fix" not in str(raised.value)
    assert "check-" not in str(raised.value)
    return str(raised.value)


ALL = 21


def reads(reader: str, writer: str) -> bool:
    """As it was measured on 2026-11-29, for files that were written anew as for those that were not."""
    order = ["redis-6.2", "redis-7.0", "redis-7.2", "redis-7.4", "redis-8.2"]
    if writer in ("redis-6.2", reader):
        return True
    if reader in order and writer in order:
        return order.index(reader) >= order.index(writer) or {reader, writer} == {"redis-7.4", "redis-8.2"}
    if writer == "valkey-8.1":
        return reader in ("redis-7.2", "redis-7.4", "redis-8.2", "valkey-9.1")
    return reader.startswith("valkey") and writer in ("redis-7.0", "redis-7.2")


@pytest.mark.parametrize("reader", HERE)
@pytest.mark.parametrize("writer", HERE)
def test_what_another_wrote_is_read_whole_or_left_alone(
    writer: str, reader: str, home: Callable[..., Path], offer: Offer
) -> None:
    folder = home(writer, anew=len(writer) % 2 == len(reader) % 2)
    offer(reader)
    if reads(reader, writer):
        assert kept(folder) == ALL
        note = read_author(folder / "redis")
        assert note is not None
        assert (note.server.name, note.server.series) == (servers.tested(reader).name, servers.tested(reader).series)
    else:
        refusal = refused(folder)
        assert str(servers.tested(reader)) in refusal
        assert str(servers.tested(writer)) in refusal


@pytest.mark.parametrize("other", [key for key in HERE if key != PINNED])
def test_a_server_that_is_installed_later_changes_nothing(other: str, home: Callable[..., Path], offer: Offer) -> None:
    offer(other, with_pinned=True)
    folder = home(PINNED)
    assert kept(folder) == ALL
    assert kept(folder) == ALL
    note = read_author(folder / "redis")
    assert note is not None
    assert note.server.name == "Valkey"


@pytest.mark.parametrize("before", ["redis-7.4", "redis-8.2"])
def test_what_the_pinned_one_cannot_read_goes_on_with_the_one_of_the_path(
    before: str, home: Callable[..., Path], offer: Offer
) -> None:
    offer(before, with_pinned=True)
    assert kept(home(before)) == ALL


def test_a_program_that_left_the_path_is_still_found(home: Callable[..., Path], offer: Offer, tmp_path: Path) -> None:
    offer("redis-8.2")
    folder = home("redis-8.2")
    assert kept(folder) == ALL
    (tmp_path / "bin").rename(tmp_path / "elsewhere")
    note = json.loads((folder / "redis" / "server.json").read_text())
    note["binary"] = str(tmp_path / "elsewhere" / "redis-server")
    (folder / "redis" / "server.json").write_text(json.dumps(note))
    offer("redis-7.0", with_pinned=True)
    assert kept(folder) == ALL


def test_a_refusal_names_both_versions_to_the_last_number(home: Callable[..., Path], offer: Offer) -> None:
    offer(with_pinned=True)
    folder = home(PINNED)
    assert kept(folder) == ALL
    note = read_author(folder / "redis")
    assert note is not None
    (folder / "redis" / "server.json").write_text(json.dumps({**json.loads(_note(folder)), "binary": "/gone"}))
    offer("redis-7.0")
    refusal = refused(folder)
    assert str(note.server) in refusal
    assert "Redis 7.0." in refusal
    assert "/gone" in refusal


def _note(home: Path) -> str:
    return (home / "redis" / "server.json").read_text()


@pytest.mark.parametrize("note", ["", "{", "[]", '{"name": 1}', "null"])
def test_a_note_that_is_none_is_no_hindrance(home: Callable[..., Path], offer: Offer, note: str) -> None:
    offer("redis-7.0", with_pinned=True)
    folder = home(PINNED)
    (folder / "redis" / "server.json").write_text(note)
    assert kept(folder) == ALL
    assert "redis-7.0" not in _note(folder)


def test_one_that_is_too_old_is_not_started(tmp_path: Path, offer: Offer) -> None:
    offer()
    old = tmp_path / "bin" / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64 build=6d95e1af'\n")
    old.chmod(0o755)
    folder = tmp_path / "home"
    folder.mkdir()
    refusal = refused(folder)
    assert "Redis 6.0.16" in refusal
    assert "REDIS_URL" in refusal


@pytest.mark.parametrize(
    ("reader", "data", "can"),
    [
        # A pinned server that was newer for a while.
        (
            ServerVersion("Valkey", "9.1.2"),
            ServerData("VALKEY", 81, parts=True, writer=ServerVersion("Valkey", "10.0.0")),
            False,
        ),
        (
            ServerVersion("Valkey", "9.0.0"),
            ServerData("VALKEY", 80, parts=True, writer=ServerVersion("Valkey", "9.1.2")),
            True,
        ),
        # One that nobody here knew reads what its own kind wrote, and what the last of them that was known reads.
        (
            ServerVersion("Valkey", "10.0.1"),
            ServerData("VALKEY", 81, parts=True, writer=ServerVersion("Valkey", "10.0.0")),
            True,
        ),
        (ServerVersion("Valkey", "10.0.1"), ServerData("VALKEY", 80, parts=True, writer=None), True),
        (
            ServerVersion("Redis", "9.0.0"),
            ServerData("REDIS", 14, parts=True, writer=ServerVersion("Redis", "9.0.0")),
            True,
        ),
        (
            ServerVersion("Redis", "9.0.0"),
            ServerData("VALKEY", 80, parts=True, writer=ServerVersion("Valkey", "9.1.2")),
            False,
        ),
        (
            ServerVersion("Redis", "8.0.2"),
            ServerData("REDIS", 12, parts=True, writer=ServerVersion("Redis", "8.2.3")),
            True,
        ),
        (
            ServerVersion("Redis", "8.2.3"),
            ServerData("REDIS", 14, parts=True, writer=ServerVersion("Redis", "9.0.0")),
            False,
        ),
        # A server without parts would begin anew, empty, whatever is in them.
        (ServerVersion("Redis", "6.2.14"), ServerData(None, 0, parts=True, writer=None), False),
        (ServerVersion("Redis", "6.2.14"), ServerData(None, 0, parts=False, writer=None), True),
        (ServerVersion("Redis", "5.0.0"), ServerData(None, 0, parts=False, writer=None), False),
    ],
)
def test_who_reads_what(reader: ServerVersion, data: ServerData, can: bool) -> None:
    assert can_read(reader, data) is can


@pytest.mark.parametrize("key", HERE)
def test_a_write_that_a_power_cut_broke_off_is_left_out_and_said(
    key: str, home: Callable[..., Path], offer: Offer, caplog: pytest.LogCaptureFixture
) -> None:
    offer(key)
    folder = home(key)
    path = _commands(folder)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with caplog.at_level(logging.WARNING):
        assert kept(folder) == ALL - 1, "the last was not whole"
    ours = [record for record in caplog.records if record.name.startswith("scheduler")]
    assert [record.name for record in ours if record.levelname == "WARNING"] == ["scheduler"]
    caplog.clear()
    assert kept(folder) == ALL - 1
    assert [record for record in caplog.records if record.name.startswith("scheduler")] == []


@pytest.mark.parametrize("key", HERE)
def test_zeros_where_a_power_cut_left_them_are_told_from_damage(
    key: str, home: Callable[..., Path], offer: Offer
) -> None:
    offer(key)
    folder = home(key)
    path = _commands(folder)
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(4096))
    refusal = opened_in_vain(folder)
    assert f"truncate --size {len(whole)} '{path}'" in refusal
    os.truncate(path, len(whole))
    assert kept(folder) == ALL


@pytest.mark.parametrize("key", HERE)
def test_damage_is_named_with_its_place_and_nobody_is_told_to_cut_it_off(
    key: str, home: Callable[..., Path], offer: Offer
) -> None:
    offer(key)
    folder = home(key)
    path = _commands(folder)
    whole = path.read_bytes()
    at = whole.rindex(b"*", 0, len(whole) // 2)
    path.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
    refusal = opened_in_vain(folder)
    assert f"{at:,} of {len(whole):,}" in refusal
    assert "truncate" not in refusal


def opened_in_vain(home: Path) -> str:
    """What is said where the server itself refuses; the data stay as they are."""
    before = tree(home / "redis")
    with pytest.raises(StoreUnavailable) as raised, open_server(settings_in(home)):
        pass
    after = tree(home / "redis")
    assert {name: after[name] for name in before if name != "redis.log"} == {
        name: before[name] for name in before if name != "redis.log"
    }
    assert set(after) - set(before) <= {"redis.log", "redis.sock"}
    assert "fix" not in str(raised.value)
    return str(raised.value)


def _commands(home: Path) -> Path:
    """The file that the last writes went to."""
    parts = sorted((home / "redis").rglob("*.incr.aof"))
    return parts[-1] if parts else home / "redis" / "appendonly.aof"


def test_the_advice_of_a_server_is_not_passed_on(home: Callable[..., Path], offer: Offer) -> None:
    """Damage in a snapshot, which only the server sees."""
    offer(PINNED)
    folder = home(PINNED, anew=True)
    base = next((folder / "redis").rglob("*.base.rdb"))
    whole = base.read_bytes()
    base.write_bytes(whole[: len(whole) // 2])
    refusal = opened_in_vain(folder)
    assert "redis.log" in refusal


def test_every_command_says_it_and_leaves_the_folder_alone(
    tmp_path: Path, home: Callable[..., Path], offer: Offer
) -> None:
    desk = Desk(tmp_path)
    home(PINNED).rename(desk.home)
    offer("redis-7.0")
    before = tree(desk.home)
    for words in (("status",), ("list",), ("results", "x"), ("up",)):
        result = desk.call(*words, PATH=os.environ["PATH"])
        assert result.status == 1, words
        assert "Valkey 9.1" in result.err
        assert "Redis 7.0" in result.err
        assert len(result.err.splitlines()) <= 4
        assert "Traceback" not in result.err
    assert tree(desk.home) == before


def test_where_there_is_nothing_yet_nothing_hinders(tmp_path: Path) -> None:
    assert read_data(tmp_path / "none") is None
    assert choose_server(tmp_path / "none").server.name == "Valkey"
    assert list(tmp_path.iterdir()) == []
    assert find_server_url(settings_in(tmp_path)).startswith("unix://")
