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
SLOWER = "rules: [{on: forward_backward, slow: 1.6}]\n"  # a step takes half of that
STEPS = "{base: 2, at_size: 32, power: 1}"


def _no_key_is_left(desk: Desk, printed: str) -> None:
    """Not in what Redis keeps, an artefact, a log or what is printed: the environment of the processes has it alone."""
    assert SECRET not in printed
    written = [path for path in desk.home.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.timeout(300)  # two fleets, one after the other
def test_files_become_answers_and_nothing_is_left_running_or_done_twice(desk: Desk) -> None:
    """Also when it is stopped half-way: Ctrl-C ends with status 130, and no stage that had finished is done again."""
    file = str(desk.write("small.yaml", small(steps=STEPS, seeds=1)))
    more = str(desk.write("more.yaml", small("more", steps=STEPS, sizes=(32, 64, 128, 512), seeds=1)))
    planned, whole = (desk.call("-f", "json", "plan", name).json for name in (file, more))
    assert planned["totals"]["train"] == 2
    assert planned["totals"]["evaluate"] == 3  # one for each training, one for the untrained base

    _stop_half_way(desk, file, more, len(planned["stages"]))
    before = finished_stages(desk, "more")
    assert len(planned["stages"]) < len(before) < len(whole["stages"])

    run_output = desk.sweep("run", file, more, TINKER_API_KEY=SECRET)
    assert run_output.status == 0, run_output.err
    _no_key_is_left(desk, run_output.out + run_output.err)
    assert "Flower): off" in run_output.out, "as the tests' own settings say"
    until(lambda: not desk.running(), f"everything has ended: {desk.running()}", seconds=10)

    _check_answer(desk, planned["totals"])
    after = finished_stages(desk, "more")
    assert len(after) == len(whole["stages"])
    assert {stage: after[stage] for stage in before} == before
    rows = {row["sweep"]: row for row in desk.call("-f", "json", "list").json["sweeps"]}
    assert rows["more"]["succeeded"] == len(whole["stages"])
    new = sum(stage["tokens"] for stage in whole["stages"] if re.search("size=(128|512)", stage["label"]))
    all_tokens, used = whole["totals"]["tokens"], sum(row["tokens"] for row in rows.values())
    assert all_tokens <= used <= all_tokens + 0.35 * new  # what was stopped goes on from a fresh checkpoint

    again = desk.sweep("run", file)
    assert again.status == 0, again.err
    assert "Flower" not in again.out, "nothing is brought up for nothing"


def _stop_half_way(desk: Desk, file: str, more: str, stages: int) -> None:
    """Press Ctrl-C when all `stages` of one file, which the other has too, and one more have finished.

    The training on the largest size takes four times as long as the longest that has finished by then: 25 s, however
    quick the machine, for the service is slow until then.
    """
    desk.environment["SWEEP_REHEARSAL"] = str(desk.write("slow.yaml", SLOWER))
    with desk.sweeping("run", file, more) as process:
        until(lambda: finished(desk, "succeeded") >= 2 * stages + 1, "a new stage has finished", seconds=90)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130, desk.said()
    until(lambda: not desk.running(), f"everything has ended: {desk.running()}", seconds=10)
    del desk.environment["SWEEP_REHEARSAL"]


def _check_answer(desk: Desk, planned: Mapping[str, Any]) -> None:
    """It cost what its plan said, and the larger training learnt something."""
    results = desk.call("-f", "json", "results", "small").json
    assert {run["state"] for run in results["runs"]} == {"succeeded"}
    assert sum(run["tokens"] for run in results["runs"]) == planned["tokens"]
    assert sum(run["usd"] for run in results["runs"]) == pytest.approx(planned["usd"])
    assert _nll(results["runs"], size=64) < _nll(results["runs"], size=0)


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
