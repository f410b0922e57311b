"""What an operator is woken up for: things are killed, closed, stopped and started twice, and the night goes on."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.processes.supervisor import START_SECONDS
from scheduler.settings import read_settings
from scheduler.state.connection import connect
from scheduler.state.server.embedded_redis import find_server_url
from tests.acceptance.command import Desk, until
from tests.acceptance.small_nights import SLOW, finished, small
from tests.chaos.fleet import IN_SHORT

CHILDREN = {
    "worker-1": "worker.app worker",
    "scheduler": "-m scheduler ",
    "flower": "scheduler.processes.flower_app flower",
    "offline": "tinker_offline",
}


def supervisor(desk: Desk) -> int:
    """The process id that it published itself."""
    try:
        return int(json.loads((desk.home / "up.json").read_text())["supervisor"])
    except FileNotFoundError:
        return 0


def children(number: int) -> dict[str, int]:
    """What a process started and still runs: command line -> process id."""
    numbers = {}
    for child in Path(f"/proc/{number}/task/{number}/children").read_text().split():
        numbers[Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()] = int(child)
    return numbers


def child(desk: Desk, name: str) -> int:
    return next(number for command, number in children(supervisor(desk)).items() if name in command)


def nothing_is_left(desk: Desk) -> None:
    until(lambda: not desk.running(), f"everything has ended: {desk.running()}", seconds=20)


def redis_of(desk: Desk) -> int:
    client = connect(find_server_url(read_settings(desk.variables({}))))
    number = int(client.info("server")["process_id"])
    client.close()
    return number


@IN_SHORT
@pytest.mark.timeout(240)
def test_whatever_is_stopped_or_killed_is_replaced_and_the_sweep_ends(desk: Desk) -> None:
    """Stop every process that `sweep up` starts, all at once; then kill Redis and the supervisor itself.

    A process that is stopped is killed for its silence, and what is killed is started again. However quick the
    machine, the work outlasts that: each training takes 80 s, until the service that the last supervisor starts is
    quick.
    """
    spec = small(steps=16, sizes=(32, 64), seeds=2) + "checkpoint: {every_steps: 2}\n"
    slow = desk.write("slow.yaml", "rules: [{on: forward_backward, slow: 10}]\n")
    desk.environment.update(SWEEP_LEASE="3", SWEEP_FROZEN="4", SWEEP_REHEARSAL=str(slow), SWEEP_FLOWER_PORT="0")
    with desk.sweeping("run", str(desk.write("small.yaml", spec))) as process:
        until(lambda: finished(desk, "succeeded") >= 1, "it works")
        for stopped in [child(desk, command) for command in CHILDREN.values()]:
            os.kill(stopped, signal.SIGSTOP)
        for name in CHILDREN:
            line = f"{name} ended (killed by SIGKILL); restarting it"
            until(lambda line=line: line in desk.said(), f"{name} is killed: {desk.said()}")  # type: ignore[misc]
        os.kill(redis_of(desk), signal.SIGKILL)
        until(lambda: "Redis ended and was restarted" in desk.said(), "it is said of Redis")
        assert desk.said().count("SWEEP_FROZEN") == len(CHILDREN), "their successors are left alone"
        first = supervisor(desk)
        assert finished(desk, "succeeded") < 9, "all of it fell into work"
        slow.write_text("rules: []\n")
        os.kill(first, signal.SIGKILL)
        # As long as a start may take: it waits for tinker_offline and Flower on a machine that may be busy.
        until(lambda: supervisor(desk) not in (0, first), "another one is up", seconds=START_SECONDS)
        assert "the supervisor was killed by SIGKILL; restarting it" in desk.said()
        assert process.wait(120) == 0, desk.said()
    assert "Traceback" not in desk.said()
    nothing_is_left(desk)
    counts = desk.call("-f", "json", "list").json["sweeps"][0]
    assert counts["succeeded"] == counts["stages"] == 9


def test_two_runs_at_once_share_what_is_up_and_the_second_takes_over(desk: Desk) -> None:
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("slow.yaml", SLOW))
    brief = str(desk.write("a.yaml", small("a", sizes=(32,), seeds=1)))
    longer = str(desk.write("b.yaml", small("b", steps=16, sizes=(64,), seeds=1)))
    with desk.sweeping("run", longer) as other:
        run_output = desk.sweep("run", brief)
        assert run_output.status == 0, run_output.err
        assert other.wait(120) == 0, desk.said()
    assert "Error" not in run_output.err + desk.said()
    nothing_is_left(desk)


@pytest.fixture
def hangup() -> Iterator[None]:
    """Under nohup a test ignores a hang-up, and so would what it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
def test_a_terminal_that_is_closed_ends_it_as_ctrl_c_does(desk: Desk) -> None:
    """Then, at once, the same again: nothing of what was killed is in the way."""
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("slow.yaml", SLOW))
    file = str(desk.write("small.yaml", small(steps=80)))  # of 40 s each: none ends by itself
    for ending in (signal.SIGHUP, signal.SIGKILL):
        with desk.sweeping("run", file) as process:
            until(lambda: supervisor(desk), f"it is up: {desk.said()}")
            process.send_signal(ending)
            assert process.wait(60) == (-ending if ending is signal.SIGKILL else 130), desk.said()
            assert "Traceback" not in desk.said()
    nothing_is_left(desk)
    rows = desk.call("-f", "json", "list").json["sweeps"]
    assert rows[0].get("running", 0) == 0, "every stage was given back"
