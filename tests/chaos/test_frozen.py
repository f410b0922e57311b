"""A worker that was frozen past its lease writes nothing and requests nothing when it resumes."""

import os
import signal
from pathlib import Path

from scheduler.state import keys, views
from scheduler.state.keeping.packing import unpack
from tests.chaos.fleet import IN_SHORT, Fleet
from tests.few_rows import find_few_rows
from tests.support import wait_until

SPEC = """
sweep: frozen
experiment: grid
model: offline/ngram-s
train: {method: sl, batch_size: 8, steps: 100, rank: 8, learning_rate: 0.01}
data: {reference: {source: "ROWS", holdout: 32}}
vary: {train.rank: [8]}
seeds: 1
evaluate: [nll]
checkpoint: {every_steps: 5}
"""
# However quick the machine, an attempt takes 20 s of its own: it is frozen in its midst, and so is the next one found.
SLOW = [{"on": "forward_backward", "slow": 0.4}]


@IN_SHORT
def test_a_worker_that_wakes_up_too_late_does_no_more(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path / "fleet", settings={"SWEEP_THREADS": "1", "SWEEP_LEASE": "3"})
    with fleet.up(), fleet.tinker.control() as control:
        control.set(rules=SLOW)
        plan = fleet.submit(SPEC.replace("ROWS", str(find_few_rows()))).plan
        stage = next(stage.id for stage in plan.stages if stage.kind == "train")
        wait_until(lambda: fleet.reached(stage) >= 10, "the first attempt to be in the midst", seconds=60)
        row = fleet.row(stage)
        frozen = int(row["worker"].split("-")[-2])
        os.kill(frozen, signal.SIGSTOP)
        with fleet.client() as client:  # if it keeps house, too, that duty would expire 18 s later
            if client.get(keys.HOUSEKEEPER) == row["worker"]:
                client.delete(keys.HOUSEKEEPER)
        assert (fleet.row(stage)["state"], fleet.row(stage)["attempt"]) == ("running", "1"), "it is in its midst"
        wait_until(lambda: fleet.row(stage)["attempt"] == "2", "the lease to run out, and another attempt", seconds=30)
        reached = fleet.reached(stage)
        wait_until(lambda: fleet.reached(stage) > reached, "the second attempt to be in the midst", seconds=30)
        wait_until(lambda: _session_is_over(fleet, stage), "its session to be finished for it", seconds=30)
        files, asked = _files(fleet, stage, row["fence"]), _asked(fleet, stage, attempt="1")
        control.clear()
        fleet.await_finish("frozen", seconds=60)
        child = next(child for child in fleet.children.values() if child.pid == frozen)
        with fleet.redis.silent():  # nobody tells it that the lease is lost: it must know by its own clock
            os.kill(frozen, signal.SIGCONT)
            # At once; or, if it was frozen while it spoke to Redis, when it waits for that answer no longer.
            wait_until(lambda: "the lease was lost" in child.said(), "the first attempt to notice", seconds=60)
        with fleet.store() as store:
            wait_until(
                lambda: store.client.zcard(keys.UNRECONCILED) == 0, "the first attempt's cost to be known", seconds=30
            )
            view = views.read_sweep(store, "frozen")
        assert _files(fleet, stage, row["fence"]) == files, "not one artefact was written"
        assert _asked(fleet, stage, attempt="1") == asked, "nothing more was done in its session"
        assert _is_of_the_second_attempt(fleet, stage, row["fence"])
        used = sum(sum(usage["tokens"].values()) for usage in control.usage().values())
        # Of the first attempt's steps those behind its last checkpoint were done twice; frozen just at one, none were.
        assert asked["optim_step"] >= 10
        assert view.tokens == used >= plan.totals.tokens, "what the first one cost is in the ledger"
        assert (view.reserved, view.unreconciled) == (0, 0)


def _session_is_over(fleet: Fleet, stage: str) -> bool:
    """What had been handed to the SDK before, the SDK sends when it wakes up; this is what refuses it."""
    query = {"user_metadata": {"stage": stage, "attempt": "1"}}
    with fleet.tinker.client() as client:
        answer = client.post("/sessions/search", json=query).raise_for_status().json()
    return [session["status"]["type"] for session in answer["sessions"]] == ["client_finished"]


def _files(fleet: Fleet, stage: str, fence: str) -> dict[str, bytes]:
    """The artefacts of one attempt."""
    folder = fleet.folder / "store" / "stages"
    paths = {path for path in folder.rglob("*") if path.is_file() and stage in str(path) and fence in str(path)}
    assert paths, f"{stage} has written nothing under {fence}"
    return {str(path): path.read_bytes() for path in paths}


def _asked(fleet: Fleet, stage: str, *, attempt: str) -> dict[str, int]:
    with fleet.tinker.control() as control:
        used = control.usage()
    (mine,) = (
        usage_of_session
        for usage_of_session in used.values()
        if (usage_of_session["user_metadata"]["stage"], usage_of_session["user_metadata"]["attempt"])
        == (stage, attempt)
    )
    operations: dict[str, int] = mine["operations"]
    return operations


def _is_of_the_second_attempt(fleet: Fleet, stage: str, first: str) -> bool:
    row = fleet.row(stage)
    result = unpack(row["result"])
    return row["attempt"] == "2" and first not in result["metrics_file"] and result["resumed_at"] > 0
