"""Run the product against a Tinker server by others, SkyRL tx on the CPU: `make foreign`, eight
minutes.

python -m tests.foreign [NAME…]: sl, dpo, methods, killed, restarted; all of them without a name.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from tests.acceptance.command import Desk, until
from tests.foreign import nights
from tests.foreign.server import HERE, Server, model, python, served

PATIENCE = 1500.0  # seconds for one sweep: the server compiles each new shape
KEY = "tml-foreign"
CLOSE = 1e-4  # nats: float32 sums in another order

Figures = dict[str, float]


def main() -> None:
    os.environ["TINKER_TELEMETRY"] = "0"
    folder = Path(tempfile.mkdtemp(prefix="foreign-"))
    say(f"state and logs in {folder}")
    for name in sys.argv[1:] or NIGHTS:
        began, place = time.monotonic(), folder / name
        nights.lay_out(place / "desk", model())
        # A server of its own: a place for an adapter that was freed keeps the gradients of who had it before.
        with served(place, place / "desk") as (server, url):
            figures = NIGHTS[name](Desk(place / "desk", _variables(url)), server)
        numbers = ", ".join(f"{key} {value:.5g}" for key, value in figures.items())
        say(f"{name}: {numbers} ({time.monotonic() - began:.0f} s)")
    shutil.rmtree(folder)


def supervised(desk: Desk, _: Server) -> Figures:
    """The loss falls with the data; that of the untrained model is what torch computes."""
    runs = nights.runs(_swept(desk, "sl"))
    untrained = [_of(run, "nll") for run in runs if run["cell"]["size"] == 0]
    few = fmean(_of(run, "nll") for run in runs if run["cell"]["size"] == 16)
    many = fmean(_of(run, "nll") for run in runs if run["cell"]["size"] == 128)
    torch = _torch_loss(desk)
    assert abs(untrained[0] - torch) < CLOSE, (untrained, torch)
    assert many < few < untrained[0]
    return {"untrained": untrained[0], "torch": torch, "16 chats": few, "128 chats": many}


def preferences(desk: Desk, _: Server) -> Figures:
    """What was chosen becomes the likelier of two."""
    accuracy = fmean(_of(run, "preference_accuracy") for run in nights.runs(_swept(desk, "dpo")))
    assert accuracy > 0.9
    return {"preference accuracy": accuracy}


def methods(desk: Desk, _: Server) -> Figures:
    """Supervised, acting, and one after the other: all of them learn what is rewarded."""
    rewards = {run["cell"]["method"]: _of(run, "reward") for run in nights.runs(_swept(desk, "methods"))}
    untrained = rewards.pop(None)
    assert min(rewards.values()) > 2 * untrained, (untrained, rewards)
    assert rewards["sl_then_rl"] > rewards["sl"], rewards
    return {"untrained": untrained, **rewards}


def killed(desk: Desk, _: Server) -> Figures:
    """A worker that is killed in the middle: the loss is that of the undisturbed run."""
    whole = _of(nights.runs(_swept(desk, "whole"))[0], "nll")
    loss, resumes = _disturbed(desk, "killed", _kill_worker)
    assert abs(loss - whole) < CLOSE, (loss, whole)
    return {"undisturbed": whole, "killed": loss, "resumes": resumes}


def restarted(desk: Desk, server: Server) -> Figures:
    """A server that loses its models and comes back: the stage continues from its checkpoint."""

    def restart(_: Desk) -> None:
        server.kill()
        server.start()

    loss, resumes = _disturbed(desk, "restarted", restart)
    return {"restarted": loss, "resumes": resumes}


NIGHTS: dict[str, Callable[[Desk, Server], Figures]] = {
    "sl": supervised,
    "dpo": preferences,
    "methods": methods,
    "killed": killed,
    "restarted": restarted,
}


def _variables(url: str) -> dict[str, str]:
    return {
        "TINKER_BASE_URL": url,
        "TINKER_API_KEY": KEY,
        "HF_HUB_OFFLINE": "1",
        "SWEEP_SLOTS": "3",
        "SWEEP_LEASE": "15",
        "SWEEP_HOUSEKEEPING": "5",
        "PYTHONPATH": str(HERE.parents[1]),
    }


def _swept(desk: Desk, name: str) -> dict[str, Any]:
    ran = desk.sweep("run", f"{name}.yaml", wait=PATIENCE)
    assert ran.status == 0, ran.out[-3000:] + ran.err[-3000:]
    return _results(desk, name)


def _results(desk: Desk, name: str) -> dict[str, Any]:
    return desk.sweep("-f", "json", "results", f"foreign-{name}").json


def _of(run: dict[str, Any], metric: str) -> float:
    return float(run["metrics"][metric])


def _torch_loss(desk: Desk) -> float:
    words = [str(python()), str(HERE / "independent.py"), str(model()), str(desk.folder / "held.jsonl")]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def _disturbed(desk: Desk, name: str, disturb: Callable[[Desk], None]) -> tuple[float, int]:
    """Loss and resumes of a run that something happens to once it has a checkpoint."""
    with desk.sweeping("run", f"{name}.yaml") as running:
        until(lambda: _step(desk, name) >= 15, f"a step behind a checkpoint of {name}", seconds=PATIENCE)
        disturb(desk)
        running.wait(PATIENCE)
        assert running.returncode == 0, desk.said()[-3000:]
    run = nights.runs(_results(desk, name))[0]
    assert run["steps"] == 60, run
    resumes = len(re.findall(r"checkpoint at step \d+", desk.sweep("events", f"foreign-{name}").out))
    assert resumes >= 1, f"{name}: it did not go on from a checkpoint"
    return _of(run, "nll"), resumes


def _step(desk: Desk, name: str) -> int:
    status = desk.sweep("-f", "json", "status", f"foreign-{name}")
    steps = re.findall(r'"step": (\d+)', status.out) if status.status == 0 else []
    return max(map(int, steps), default=0)


def _kill_worker(desk: Desk) -> None:
    mark = f"SWEEP_HOME={desk.home}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = mark in (process / "environ").read_bytes().split(b"\0")
            if ours and b"worker.app" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
