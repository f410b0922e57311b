"""One file in, an answer out, through every real part; and again, without doing anything twice."""

import json
import re
import signal
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.acceptance.command import Desk, until
from tests.acceptance.small_nights import finished, finished_stages, small

SECRET = "tml-0123456789abcdef"
SLOWER = "rules: [{on: forward_backward, slow: 0.8}]\n"  # a step takes half of that
STEPS = "{base: 4, at_size: 32, power: 1}"


def _no_key_is_left(desk: Desk, printed: str) -> None:
    """Not in what Redis keeps, an artefact, a log or what is printed: the environment of the processes has it alone."""
    assert SECRET not in printed
    written = [path for path in desk.home.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.timeout(300)  # three fleets, one after the other
def test_a_file_becomes_an_answer_and_nothing_is_left_running_or_done_twice(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small(steps=STEPS, seeds=1)))
    planned = desk.call("-f", "json", "plan", file).json
    assert planned["totals"]["train"] == 2
    assert planned["totals"]["evaluate"] == 3  # one for each training, one for the untrained base

    run_output = desk.sweep("run", file, TINKER_API_KEY=SECRET)
    assert run_output.status == 0, run_output.err
    _no_key_is_left(desk, run_output.out + run_output.err)
    assert "Flower): http://127.0.0.1:" in run_output.out
    assert "password" in run_output.out
    until(lambda: not desk.running(), f"everything has ended: {desk.running()}", seconds=10)

    results = desk.sweep("-f", "json", "results", "small").json
    assert {run["state"] for run in results["runs"]} == {"succeeded"}
    assert sum(run["tokens"] for run in results["runs"]) == planned["totals"]["tokens"]
    assert sum(run["usd"] for run in results["runs"]) == pytest.approx(planned["totals"]["usd"])
    untrained = _nll(results["runs"], size=0)
    assert _nll(results["runs"], size=64) < untrained

    again = desk.sweep("run", file)
    assert again.status == 0, again.err
    assert "Flower" not in again.out, "nothing is brought up for nothing"
    _more_trains_what_is_new_also_when_it_is_stopped_half_way(desk)


def _more_trains_what_is_new_also_when_it_is_stopped_half_way(desk: Desk) -> None:
    """Ctrl-C ends with status 130 and leaves nothing running; no stage that had finished is done again.

    The training on the largest size takes four times as long as the one that has finished by then: 25 s, however quick
    the machine, for the service is slow until then.
    """
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("slow.yaml", SLOWER))
    more = str(desk.write("more.yaml", small("more", steps=STEPS, sizes=(32, 64, 128, 512), seeds=1)))
    planned = desk.call("-f", "json", "plan", more).json
    first = finished_stages(desk, "small")
    with desk.sweeping("run", more) as process:
        until(lambda: finished(desk, "succeeded") >= 2 * len(first) + 1, "a new stage has finished", seconds=90)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, desk.said()
    until(lambda: not desk.running(), f"everything has ended: {desk.running()}", seconds=10)
    before = finished_stages(desk, "more")
    assert len(first) < len(before) < len(planned["stages"])

    del desk.environment["SWEEP_REHEARSAL"]
    run_output = desk.sweep("run", more)
    assert run_output.status == 0, run_output.err
    after = finished_stages(desk, "more")
    assert len(after) == len(planned["stages"])
    assert {stage: after[stage] for stage in before} == before
    new = sum(stage["tokens"] for stage in planned["stages"] if re.search("size=(128|512)", stage["label"]))
    row = next(row for row in desk.call("-f", "json", "list").json["sweeps"] if row["sweep"] == "more")
    assert new <= row["tokens"] <= new * 1.35  # what was stopped goes on from a fresh checkpoint
    assert row["succeeded"] == len(planned["stages"])


def _nll(runs: Iterable[Mapping[str, Any]], *, size: int) -> float:
    values = [run["metrics"]["nll"] for run in runs if run["cell"]["size"] == size]
    return float(sum(values) / len(values))


def test_two_submissions_at_once_are_one(desk: Desk) -> None:
    file = str(desk.write("small.yaml", small()))
    with desk.sweeping("submit", file) as other:
        mine = desk.sweep("submit", file)
        assert other.wait(60) == 0, desk.said()
    assert mine.status == 0, mine.err
    listed = desk.call("-f", "json", "list").json["sweeps"]
    assert [row["sweep"] for row in listed] == ["small"]
    assert listed[0]["stages"] == len(json.loads(desk.call("-f", "json", "plan", file).out)["stages"])
