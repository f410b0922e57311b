"""What is written for people is whole, or is not there; and what was there before is still there."""

import os
import resource
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.cli.console.output_files import open_replacement, write_whole
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import RedisServer

ROOM = 4_096  # bytes of a disk


def test_a_full_disk_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    """The kernel refuses what there is no room for, as it does where a disk is full."""
    target = tmp_path / "r.html"
    target.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            write_whole(target, b"x" * 2 * ROOM)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert raised.value.filename == str(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def half_written(target: Path) -> None:
    with open_replacement(target) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt


def test_a_ctrl_c_leaves_nothing_half_done(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        half_written(tmp_path / "new.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one_and_permissions_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.html", tmp_path / "latest.html"
    real.write_text("old")
    real.chmod(0o604)
    link.symlink_to(real)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o604


def test_a_name_as_long_as_may_be_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), b"new")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"new"


def test_a_device_is_written_to_and_an_error_names_it() -> None:
    write_whole(Path(os.devnull), b"gone")
    with pytest.raises(OSError, match="No space left") as raised:
        write_whole(Path("/dev/full"), b"no room")
    assert raised.value.filename == "/dev/full"
    with pytest.raises(IsADirectoryError):
        write_whole(Path("/"), b"no file")


@pytest.mark.parametrize(
    "words",
    [
        ("report", "s", "-o", "TARGET"),
        ("report", "s", "--format", "md", "-o", "TARGET"),
        ("report", "s", "--format", "svg", "-o", "."),
        ("export", "s", "-o", "TARGET"),
        ("export", "s", "--curves", "-o", "TARGET"),
    ],
    ids=" ".join,
)
def test_commands_put_a_new_file_in_the_place_of_the_old_one(
    night: Night, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Whoever reads the old one meanwhile, here by another name, goes on reading it whole."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)  # ours is not durable
    night.submit(scaling("s", [8], seeds=1), spec={"sweep": "s", "experiment": "data_scaling"})
    target = tmp_path / ("cost.svg" if "svg" in words else "target")
    target.write_text("old")
    os.link(target, tmp_path / "reader")
    result = CliRunner().invoke(command, [str(target) if word == "TARGET" else word for word in words])
    assert (result.exit_code, result.exception) == (0, None)
    assert target.read_text() != "old"
    assert (tmp_path / "reader").read_text() == "old"


def test_what_is_no_text_does_not_go_to_the_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["report", "s", "--format", "svg", "-o", "-"], ["export", "s", "--format", "parquet", "-o", "-"]):
        result = CliRunner().invoke(command, words)
        assert result.exit_code == 2
        assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []
