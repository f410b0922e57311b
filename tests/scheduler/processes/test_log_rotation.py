"""Logs of a year fit a disk: a long log is rotated while its process writes, and old ones go."""

import os
from pathlib import Path

from scheduler.processes.log_rotation import PLACES, rotate_logs


def test_a_long_log_is_rotated_under_the_process_that_writes_it_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "worker-1.log"
    with log.open("ab", buffering=0) as written:
        for round_number in range(PLACES + 2):
            written.write(f"{round_number}".encode() * 100)
            rotate_logs(tmp_path, 50, before=0)
        written.write(b"still here")
    assert log.read_bytes() == b"still here"
    kept = {path.name: path.read_bytes()[:1] for path in tmp_path.glob("*.log.*")}
    assert kept == {f"worker-1.log.{place}": f"{PLACES + 2 - place}".encode() for place in range(1, PLACES + 1)}


def test_what_is_short_stays_and_what_is_old_goes(tmp_path: Path) -> None:
    (tmp_path / "scheduler.log").write_text("short")
    old, new = tmp_path / "scheduler.log.1", tmp_path / "scheduler.log.2"
    for path, written in ((old, 100), (new, 300)):
        path.write_text("x")
        os.utime(path, (written, written))
    rotate_logs(tmp_path, 50, before=200)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scheduler.log", "scheduler.log.2"]
