"""The example `overnight`: an outage, refused requests, lost replies and a killed worker change no number."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scheduler.state.workers import name_process
from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_SHORT, import_module
from tests.acceptance.community.example_runs import copy_new, run_example

SMALL = [
    "vary={train.learning_rate: [0.0001, 0.1], train.rank: [8]}",
    "seeds=2",
    "data.incidents.holdout=20",
    "data.incidents.validation=20",
]
REHEARSAL = """
seed: 7
rules:
  - { on: "*", answer: { status: 503 }, during: { from: 6, for: 4 } }
  - { on: optim_step, slow: 0.2 }
  - { on: forward_backward, share: 0.02, answer: { status: 503 } }
  - { on: optim_step, drop: after, times: 2 }
max_clients: 2
"""


def play_night(desk: Desk, folder: Path) -> tuple[Desk, str]:
    """Run `night.py` as its README says, on a shorter night."""
    (folder / "rehearsal.yaml").write_text(REHEARSAL)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inside = Desk(folder, {"SWEEP_HOME": str(desk.folder / "night"), "PATH": path, "SWEEP_LEASE": "2"})
    night = subprocess.run(
        [sys.executable, "night.py", *SMALL],
        cwd=folder,
        env=inside.variables({}),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert night.returncode == 0, night.stderr + night.stdout[-2000:]
    return inside, night.stdout


def test_the_night_finds_the_process_of_a_worker_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    night = import_module(monkeypatch, "overnight", "night")
    assert night.find_process(name_process()) == os.getpid()


def list_values(results: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted((str(run["cell"]), run["seed"], run["state"], run["metrics"]["nll"]) for run in results["runs"])


@IN_SHORT
@pytest.mark.timeout(300)  # two runs, one of which waits for an outage to end
def test_a_bad_night_has_the_numbers_of_a_quiet_one(desk: Desk) -> None:
    quiet = run_example(desk, "overnight", *SMALL)
    night = Desk(desk.folder / "bad")
    night.folder.mkdir()
    inside, written = play_night(night, copy_new(night, "overnight"))
    assert list_values(inside.call("-f", "json", "results", "overnight").json) == list_values(quiet)
    digest = inside.call("-f", "json", "digest", "overnight").json
    assert digest["failures"] == []
    assert digest["conclusion"]["claim"] == quiet["conclusion"]["claim"] == "best_cell"
    assert quiet["conclusion"]["low"] > 0
    assert f"${digest['spent_usd']:.2f}" in written
    events = inside.call("-f", "json", "events", "overnight", "--last", "10000").json["events"]
    interrupted = {event["detail"] for event in events if (event["from"], event["to"]) == ("running", "ready")}
    assert interrupted or "killed" not in written
    assert all(cause in written for cause in interrupted)
    planned = inside.call("-f", "json", "plan", "sweep.yaml", *SMALL).json
    assert digest["spent_usd"] <= planned["totals"]["usd"] * 2  # what was under way is requested again
