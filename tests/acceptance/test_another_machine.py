"""A person elsewhere, with an address and a token, works as at the machine of the fleet: same words, same files.

`OVER=server` compares more commands here, and makes all tests of the shared fleet work from elsewhere.
"""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.acceptance.command import Desk, DeskElsewhere, until
from tests.acceptance.seats import is_over_server
from tests.acceptance.shared_fleet import SharedFleet

SPEC = """
sweep: {name}
question: Which label?
experiment: data_scaling
model: offline/ngram-s
train: {{method: sl, rank: 8, learning_rate: 0.02, batch_size: 8, steps: 6}}
data: {{claims: {{source: data/claims.jsonl, holdout: 12}}}}
sizes: [8, 16]
seeds: 1
evaluate: [nll, {{answers: {{check: exact, most: 4}}}}]
"""
CORE = [
    "plan specs/far.yaml",
    "results far",
    "report far --format md -o far.md",
    "watch far",
    "retry far",
]
MORE = [
    *("-f json status far", "samples far --worst 1 --best 1", "export far"),
    *(
        "-f json plan specs/far.yaml --all",
        "submit specs/far.yaml",
        "run specs/far.yaml",
        "run --detach specs/far.yaml",
    ),
    *("-f csv results far", "results --sweeps far,farther", "status far", "-f json list", "-f csv list", "events far"),
    *("-f json events far --last 3", "costs far", "-f json costs far", "digest far", "-f json digest far", "wait far"),
    *("report far --figures drawn", "-f json report far -o far.html", "report far --format svg", "export far --curves"),
    *("-f json export far --conclusion", "export far --format parquet -o far.parquet", "export far -o far.csv"),
    *("pause far", "resume far", "cancel far", "-f json cancel far", "priority far 0", "budget far 5", "rm far"),
    *("evaluate far nll --as nothing", "incident far --no-ask", "results nobody", "report nobody", "samples far x"),
    *("-f json samples far", "plan specs/none.yaml", "plan specs/far.yaml rank=2", "plan specs/far.yaml sizes=[999]"),
    *("checkpoints --offline", "-f json weights far", "reconcile --offline", "gc", "token list", "audit --last 1"),
]
CHANGING = re.compile(
    r"\d+(\.\d+)? (ms|s|min|h|d)\b( ago)?|\d\d:\d\d(:\d\d)?|\"(at|as_of|expires|made)\": [\d.]+|[\d.]+ (kB|MB)"
    r"|[^(]* old\)|\"\w+_seconds\": [\d.]+|\d{4}-\d\d-\d\d|cli@\S+|127\.0\.0\.1 \S+"
)


@pytest.fixture(scope="module")
def elsewhere(shared_fleet: SharedFleet, tmp_path_factory: pytest.TempPathFactory) -> DeskElsewhere:
    """Somebody elsewhere, whose data no machine of the fleet can read. A sweep of theirs has run."""
    desk = shared_fleet.seat_elsewhere(tmp_path_factory.mktemp("elsewhere"), "ada", "admin")
    dice = random.Random(8)
    rows = [{"question": f"claim {dice.randrange(10**6)}: ", "answer": dice.choice("NE")} for _ in range(60)]
    (desk.folder / "specs" / "data").mkdir(parents=True)
    desk.write("specs/data/claims.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    for name in ("far", "farther")[: 2 if is_over_server() else 1]:
        desk.write(f"specs/{name}.yaml", SPEC.format(name=name))
        done = desk.sweep("run", f"specs/{name}.yaml")
        assert done.status == 0, done.err
        assert "log in once" not in done.out
        assert "password" not in done.out
    return desk


@pytest.fixture
def beside(shared_fleet: SharedFleet, elsewhere: DeskElsewhere) -> Desk:
    """Somebody with the same files at the machine of the fleet."""
    return Desk(elsewhere.folder, {"SWEEP_HOME": str(shared_fleet.desk.home), "SWEEP_USER": "ada"})


@pytest.mark.parametrize("line", CORE + (MORE if is_over_server() else []))
def test_a_command_says_and_writes_the_same_from_elsewhere(elsewhere: DeskElsewhere, beside: Desk, line: str) -> None:
    spoken = []
    for desk in (beside, elsewhere):
        before = snapshot(desk.folder)
        answer = desk.call(*line.split())
        written = {path: content for path, content in snapshot(desk.folder).items() if before.get(path) != content}
        spoken.append((answer.status, plain(answer.out), plain(answer.err), written.keys()))
        for path in written:
            (desk.folder / path).unlink()
    assert spoken[1] == spoken[0]


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def plain(text: str) -> str:
    """What was said, without times, ages and where it was said."""
    lines = [
        CHANGING.sub("…", line) for line in text.splitlines() if not line.startswith(("Page:", "worker dashboard"))
    ]
    return re.sub(" +", " ", "\n".join(lines).rstrip())


def test_the_sweep_is_of_who_has_the_token_and_needs_nothing_of_the_client(
    elsewhere: DeskElsewhere, beside: Desk
) -> None:
    (row,) = [row for row in beside.call("-f", "json", "list").json["sweeps"] if row["sweep"] == "far"]
    assert (row["user"], row["state"]) == ("ada", "finished")
    assert not (elsewhere.folder / "at-home").exists()
    assert not (elsewhere.folder / ".sweep").exists()
    assert not (elsewhere.folder / "state").exists()


def test_a_stop_here_leaves_the_sweep_there(elsewhere: DeskElsewhere, beside: Desk) -> None:
    elsewhere.write("specs/held.yaml", SPEC.format(name="held"))
    hour = (time.gmtime().tm_hour + 6) % 24
    window = f"window={{daily: '{hour:02}:00-{hour:02}:30', tz: UTC}}"
    assert elsewhere.call("submit", "specs/held.yaml", window).status == 0
    words = [sys.executable, "-m", "scheduler.cli", "watch", "held"]
    with subprocess.Popen(
        words,
        env=elsewhere.variables({}),
        cwd=elsewhere.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=60)
    assert watching.returncode == 130
    assert "sweep watch held" in err
    until(lambda: not any("command_main" in command for command in beside.running()), "the command has ended there")
    assert elsewhere.call("cancel", "held").status == 0
