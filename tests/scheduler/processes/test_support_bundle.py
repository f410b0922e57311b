"""What goes to a service's support has ids, times and codes, and nothing that people wrote and no secret."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.processes.support_bundle import build_bundle, read_codes
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.store import Meter
from scheduler.state.views import read_sweep
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import single
from tests.support import RedisServer

KEY = "tml-hunter2-hunter2"
ROW = "Mrs Miller of 12 Elm Street has a fever"
SESSION = {"session": "session-17", "status": "failed", "began": 1.0, "tokens": 5, "usd": None, "sweep": "s"}


@pytest.fixture
def sick(night: Night) -> Night:
    """A sweep whose attempts failed, with a key and a row of data wherever a text can be."""
    spec = {"sweep": "s", "note": f"{ROW} {KEY}"}
    night.submit(single("s", 3), spec=spec, limit=10_000)
    lease = night.start("train-0000", "s")
    cause = f"InternalServerError: status 503 {KEY}: cannot tokenize {ROW!r}"
    night.store.log_event(lease, "the service names it request 0123abcd-4567")
    night.store.log_event(lease, f"it continues from a checkpoint of {ROW}")
    night.store.give_back(lease, Meter(5, 5), delay=9, failure="outage", cost="at most", cause=cause)
    night.start("train-0001", "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.fail(night.start("train-0002", "s"), f"a row is wrong: {ROW}")
    night.store.client.hset(keys.breaker("offline"), mapping={"state": "open", "cause": f"{cause} {KEY}"})
    night.store.client.hset(keys.stage("train-0000"), mapping={"recipe": ROW, "lost": ROW, "progress": ROW})
    night.spread()
    return night


def unpack(content: bytes) -> dict[str, list[Any]]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {entry.name.rpartition("/")[2]: archive.extractfile(entry) for entry in archive}
        read = {name: file.read().decode() for name, file in files.items() if file is not None}
    return {name: [json.loads(line) for line in text.splitlines()] for name, text in read.items()}


def bundle(night: Night, folder: Path, sessions: Mapping[str, Any]) -> dict[str, list[Any]]:
    settings = read_settings({"SWEEP_HOME": str(folder), "REDIS_URL": f"redis://:{KEY}@host:6379/0"})
    return unpack(build_bundle(night.store, settings, read_sweep(night.store, "s"), sessions))


def test_it_has_what_the_service_needs(sick: Night, tmp_path: Path) -> None:
    mine, other = {**SESSION, "stage": "train-0000"}, {**SESSION, "stage": "train-of-another"}
    files = bundle(sick, tmp_path, {"offline": [mine, other], "tinker": "no answer from the service in 20 s"})
    (manifest,) = files["manifest.json"]
    assert manifest["versions"].keys() >= {"tinker-sweeps", "tinker", "python", "server"}
    assert manifest["settings"]["lease"] == 60
    assert manifest["services_that_did_not_tell"]["tinker"]["phrase"]
    assert [row["session"] for row in files["sessions.jsonl"]] == ["session-17"], "of this sweep alone"
    stages = {row["stage"]: row for row in files["stages.jsonl"]}
    assert stages["train-0000"]["failures"] == {"outage": 1}
    assert stages["train-0000"]["cause"]["statuses"] == ["503"]
    assert stages["train-0000"]["cause"]["errors"] == ["InternalServerError"]
    details = [event["detail"] for event in files["events.jsonl"]]
    assert ["0123abcd-4567"] in [detail["requests"] for detail in details]
    assert "the lease ran out" in {detail["phrase"] for detail in details}
    assert files["services.jsonl"][0]["state"] == "open"


def test_no_secret_and_no_word_of_the_data_is_in_it(
    sick: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    files = bundle(sick, tmp_path, {"offline": f"{KEY} {ROW}"})
    text = json.dumps(files)
    assert not any(word in text for word in (KEY, *(word for word in ROW.split() if len(word) > 2), str(tmp_path)))


def test_only_codes_of_a_text_are_kept() -> None:
    codes = read_codes(f"no answer from the service: ReadTimeout 504 in 20 s, {ROW}, request abcdefgh1")
    assert codes == {
        "phrase": "no answer from the service",
        "statuses": ["504"],
        "errors": ["ReadTimeout"],
        "requests": ["abcdefgh1"],
    }
    assert read_codes(ROW) == {"phrase": "", "statuses": [], "errors": [], "requests": []}


@pytest.mark.usefixtures("sick")
def test_the_command_writes_one_file(redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", redis.url)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("scheduler.cli.console.options.check_server", lambda _client, _url: None)
    target = tmp_path / "it.tar.gz"
    done = CliRunner().invoke(command, ["-f", "json", "incident", "s", "--no-ask", "-o", str(target)])
    assert json.loads(done.stdout)["files"] == [{"file": str(target), "bytes": target.stat().st_size}]
    assert len(unpack(target.read_bytes())["stages.jsonl"]) == 3
