"""Whatever is wrong, a person gets one clear error: what, where, and what would be right. Never a traceback."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.acceptance.command import Desk, Said, until
from tests.acceptance.refusals import nothing_was_submitted, refused
from tests.acceptance.small_nights import small, small_beside
from tests.tinker_offline.process import KEY, REFUSED, Server


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ("train: {metod: sl}", ["sweep.yaml:5", "train.metod", "method"]),
        ("seeds: many", ["sweep.yaml:8", "seeds", "many"]),
        ("sizes: [32, 1000000]", ["1,000,000", "636", "reference"]),
        ("data: {mine: {source: nowhere.jsonl}}", ["nowhere.jsonl"]),
        ("data: {mine: {source: empty.jsonl}}", ["empty.jsonl", "empty"]),
        ("data: {mine: {source: bad.jsonl}}", ["bad.jsonl:2"]),
        ("model: offline/ngram-xl", ["offline/ngram-xl", "offline/ngram-"]),
    ],
    ids=["unknown key", "wrong type", "size beyond the data", "no file", "empty data", "bad row", "unknown model"],
)
def test_a_bad_spec_is_refused_whole(quiet_desk: Desk, wrong: str, parts: list[str]) -> None:
    quiet_desk.write("empty.jsonl", "")
    quiet_desk.write("bad.jsonl", '{"text": "fine"}\n{"tex": "not"}\n')
    key = wrong.partition(":")[0]
    lines = [wrong if line.startswith(key + ":") else line for line in small_beside(quiet_desk, "sweep").splitlines()]
    file = str(quiet_desk.write("sweep.yaml", "\n".join(lines)))
    refused(quiet_desk.call("submit", file), *parts)
    nothing_was_submitted(quiet_desk)


def test_ten_million_runs_are_refused_by_counting(quiet_desk: Desk) -> None:
    grid = (
        small_beside(quiet_desk, "sweep")
        .replace("data_scaling", "grid")
        .replace("sizes: [32, 64]", "vary: {train.learning_rate: 0}")
    )
    axis = "{uniform: [0.001, 0.1], count: 10000000, seed: 0}"
    file = str(
        quiet_desk.write(
            "sweep.yaml", grid.replace("vary: {train.learning_rate: 0}", f"vary: {{train.learning_rate: {axis}}}")
        )
    )
    refused(quiet_desk.call("plan", file), "20,000,000", "200,000")


def test_a_name_means_one_question(quiet_desk: Desk) -> None:
    file = str(quiet_desk.write("small.yaml", small_beside(quiet_desk)))
    assert quiet_desk.call("submit", file).status == 0
    refused(quiet_desk.call("submit", file, "train.rank=16"), "train.rank: 8 ", " 16\n", "another name")


@pytest.mark.parametrize("command", ["plan", "submit", "run"])
@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("deadline: 2026-01-01T08:00:00+01:00", ["deadline", "2026-01-01"]),
        ("model: offline/nope", ["offline/nope", "offline/ngram-s"]),
        ("model: offline/ngram-S", ["offline/ngram-S", "offline/ngram-s?"]),
        ("vary: {model: [offline/ngram-s, offline/ngram-xl]}", ["offline/ngram-xl"]),
        ("window: {daily: '%H:%M-%H:%M'}\ndeadline: %Y-%m-%dT%H:%M:00Z", ["window", "deadline"]),
    ],
    ids=["passed deadline", "unknown model", "case", "varied model", "window behind the deadline"],
)
def test_what_is_planned_is_what_can_be_submitted(quiet_desk: Desk, command: str, line: str, parts: list[str]) -> None:
    """One and the same look at the file: no command accepts what another refuses."""
    if line.startswith("window"):
        now = datetime.now(UTC)
        opens = (now + timedelta(hours=3)).strftime("%H:%M-") + (now + timedelta(hours=4)).strftime("%H:%M")
        ends = (now + timedelta(hours=2)).isoformat(timespec="seconds")
        line = f"window: {{daily: '{opens}'}}\ndeadline: {ends}"
    key = line.partition(":")[0]
    text = "\n".join(line for line in small_beside(quiet_desk, "sweep").splitlines() if not line.startswith(f"{key}:"))
    refused(quiet_desk.call(command, str(quiet_desk.write("sweep.yaml", f"{text}\n{line}\n"))), *parts)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({}, "TINKER_API_KEY"),
        ({"TINKER_API_KEY": "tml-x", "TINKER_BASE_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1"),
        ({"TINKER_API_KEY": "tml-x\n"}, "TINKER_API_KEY"),
    ],
    ids=["no key", "no service", "no such key"],
)
def test_a_plan_says_what_submitting_would_be_refused_for_now(desk: Desk, changes: dict[str, str], part: str) -> None:
    """What a question costs is to be known without a key."""
    file = str(desk.write("live.yaml", small().replace("offline/ngram-s", "Qwen/Qwen3-8B")))
    with patch("scheduler.prepare.tokenizer_for", lambda _: OfflineTokenizer()):  # the real one is not to be had here
        planned = desk.call("-f", "json", "plan", file, **changes)
    assert planned.status == 0, planned.err
    assert [part in refusal for refusal in planned.json["refusals"]] == [True]
    refused(desk.call("submit", file, **changes), part)
    nothing_was_submitted(desk)


def test_a_store_that_cannot_be_written_is_refused_by_the_plan(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small()))
    for store in (f"{file}/store", "/proc/1/store", "nonsense://x"):
        refused(desk.call("plan", file, SWEEP_STORE=store), store)
        refused(desk.call("submit", file, SWEEP_STORE=store), store)


def test_a_notice_that_could_reach_nobody_is_warned_of_and_still_submitted(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small() + 'notify: [{webhook: "env:HOOK"}, {webhook: "env:OTHER"}]\n'))
    output = desk.call("submit", file, HOOK="https://hooks.example/T0KEN")
    assert output.status == 0, output.err
    assert output.err.startswith("Warning: notify: OTHER ")
    assert output.err.count("\n") == 1
    notes = desk.call("-f", "json", "plan", file, HOOK="https://hooks.example/T0KEN").json["notes"]
    assert [note for note in notes if note.startswith("notify: OTHER")] != []
    assert [note for note in notes if " HOOK " in note] == []


def test_a_budget_stops_the_sweep_before_it_is_crossed(home_desk: Desk) -> None:
    """Three of five trainings fit; the rest waits, status says why, and not a millionth more is spent."""
    desk = home_desk
    file = desk.write("capped.yaml", small("capped", sizes=(32, 64, 128, 256), seeds=2))
    planned = desk.call("-f", "json", "plan", file.name).json
    budget = planned["totals"]["usd"] / 2
    file.write_text(file.read_text() + f"budget: {{usd: {budget:.6f}}}\n")
    with desk.sweeping("run", file.name) as process:
        until(lambda: "budget:" in json.dumps(_status(desk)), f"the budget stops it: {desk.said()}", seconds=90)
        until(lambda: _status(desk)["running"] == [], "nothing runs any more")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130, "kill ends it as Ctrl-C does"
    assert "Traceback" not in desk.said()
    (row,) = _status(desk)["sweeps"]
    assert 0 < row["spent_usd"] <= budget
    assert desk.call("cancel", "capped").status == 0


def _status(desk: Desk) -> dict[str, Any]:
    status = desk.call("-f", "json", "status", "capped")
    return status.json if status.status == 0 else {"running": None}


def test_no_redis(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small()))
    output = desk.call("submit", file, REDIS_URL="redis://:secret@127.0.0.1:1/0")
    refused(output, "127.0.0.1:1", "REDIS_URL")
    assert "secret" not in output.err


def test_a_state_folder_that_cannot_be_written(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small()))
    refused(desk.call("submit", file, SWEEP_HOME="/proc/nowhere"), "/proc/nowhere", "SWEEP_HOME")


def test_a_full_disk(desk: Desk) -> None:
    """A disk that takes no more than a few kilobytes, as the kernel tells it; afterwards nothing is there by halves."""
    file = str(desk.write("small.yaml", small()))
    assert desk.call("plan", file).status == 0  # the corpus is cached elsewhere

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))

    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "submit", file],
        env=desk.variables({"SWEEP_STORE": str(desk.folder / "store")}),
        cwd=desk.folder,
        preexec_fn=little_room,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    refused(Said(done.returncode, done.stdout, done.stderr), "artefact store", "data/", "too large")
    assert [path.name for path in (desk.folder / "store").rglob("*") if path.is_file()] == []
    nothing_was_submitted(desk)


@pytest.fixture
def tinker(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "tinker")
    server.start()
    yield server
    server.end()


def test_keys(desk: Desk, tinker: Server) -> None:
    """No key, a wrong key, and a model that the account does not have: each is told before anything is planned."""
    file = str(desk.write("live.yaml", small().replace("offline/ngram-s", "Qwen/Qwen3-8B")))
    refused(desk.call("submit", file), "TINKER_API_KEY", "Qwen/Qwen3-8B", "offline/ngram-s")
    wrong = desk.call("submit", file, TINKER_BASE_URL=tinker.url, TINKER_API_KEY=REFUSED)
    refused(wrong, tinker.url, "TINKER_API_KEY", "401")
    assert REFUSED not in wrong.err
    unserved = desk.call("submit", file, TINKER_BASE_URL=tinker.url, TINKER_API_KEY=KEY)
    refused(unserved, "Qwen/Qwen3-8B", "offline/ngram-s")
    nothing_was_submitted(desk)
