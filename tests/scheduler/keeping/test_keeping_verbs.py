"""What each verb of retention does, and refuses to do."""

import json
from typing import Any

import pytest

from scheduler.errors import SchedulerError
from scheduler.state import keys
from scheduler.state.keeping.removal import NotEnded, archive_sweep, list_belongings, remove_sweep
from scheduler.state.store import Meter
from sweeps.stage import Run
from tests.scheduler.night import LEASE, Night, checkpoint
from tests.scheduler.plans import evaluate, plan, single, train

CHAIN = [train("a"), train("b", "train-a"), evaluate("b", "train-b")]
RUNS = [Run({"size": 1}, 0, "train-b", {"nll": "evaluate-b"}, before=("train-a",))]
STAGES = [stage.id for stage in CHAIN]


def do_all(night: Night, sweep: str) -> None:
    """Do the chain, with a curve and a checkpoint that lives for ever for each training."""
    for stage in STAGES:
        lease = night.start(stage, sweep)
        if stage.startswith("train"):
            night.store.report_progress(lease, Meter(1, 1), {"step": 1}, [{"step": 1, "nll": 2.0}])
            night.store.commit_checkpoint(lease, Meter(1, 1), {**checkpoint(1, run=stage), "ttl_days": 7})
        night.succeed(lease, {"nll": 2.0})
        night.spread()


def lives(night: Night) -> list[bool]:
    return [bool(night.store.client.exists(keys.stage(stage))) for stage in STAGES]


def test_a_removed_sweep_leaves_nothing_but_money(night: Night) -> None:
    night.submit(plan("s", CHAIN, RUNS), window="", deadline=None)
    before = list_belongings(night.store, "s")
    assert (before.own, before.shared) == (tuple(STAGES), 0)
    with pytest.raises(NotEnded):
        remove_sweep(night.store, "s")
    do_all(night, "s")
    night.store.scripts.run("keep_answer", "s", "kept")
    night.store.client.sadd(keys.SUSPECTS, "train-b")
    assert remove_sweep(night.store, "s") == len(STAGES)
    assert lives(night) == [False] * len(STAGES)
    assert night.discarded() == {"train-a/step-1", "train-b/step-1"}
    left = [key for key in night.snapshot() if "stage:" in key or ":s" in key]
    assert [key for key in left if key not in (keys.SWEEPS, keys.SEQUENCE) and ":spending:" not in key] == []
    with pytest.raises(SchedulerError, match="s"):
        remove_sweep(night.store, "s")
    night.submit(plan("s", CHAIN, RUNS))  # its name is free


def test_what_another_sweep_shares_stays_until_that_goes_too(night: Night) -> None:
    night.submit(plan("s", CHAIN, RUNS))
    night.submit(plan("t", CHAIN[:2]))
    do_all(night, "s")
    assert list_belongings(night.store, "s").own == ("evaluate-b",)
    assert remove_sweep(night.store, "s") == 1
    assert lives(night) == [True, True, False]
    assert archive_sweep(night.store, "t") == len(STAGES) - 1
    assert lives(night) == [False] * len(STAGES)
    assert night.tell("retry_sweep", "t") == "archived"


def test_a_stage_whose_cost_is_not_reconciled_stays_and_the_removal_is_completed_later(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start("train-0000", "s")
    night.store.settle(lease, Meter(5, 5), "failed", cost="at most", cause="x")  # type: ignore[arg-type]
    night.close(lease)
    night.spread()
    assert remove_sweep(night.store, "s") == 0
    assert night.state("train-0000") == "failed"
    assert night.tell("open_sweep", "s", "other") == "removing"
    night.store.scripts.run("reconcile_cost", "train-0000|1", json.dumps({"training": 5}))
    assert remove_sweep(night.store, "s") == 1
    assert night.store.client.hgetall(keys.sweep("s")) == {}


def test_a_sweep_that_is_tried_again_has_another_answer(night: Night) -> None:
    night.submit(single("s", 1))
    assert night.tell("keep_answer", "s", "early") == 0, "it has not ended"
    night.fail(night.start("train-0000", "s"))
    night.spread()
    assert night.tell("keep_answer", "s", "kept") == 1
    night.tell("retry_sweep", "s")
    assert night.store.client.get(keys.sweep_answer("s")) is None


@pytest.mark.parametrize("what", ["events", "curve", "checkpoints"])
def test_details_go_once_they_are_old_and_nobody_needs_them(night: Night, what: str) -> None:
    night.submit(plan("s", CHAIN, RUNS))
    lease = night.start("train-a", "s")
    night.store.report_progress(lease, Meter(1, 1), {"step": 1}, [{"step": 1, "nll": 2.0}])
    night.commit(lease, 1)
    night.succeed(lease)
    night.spread()

    def trim(before: int) -> Any:
        return night.tell("trim_stages", what, before, "train-a")

    assert trim(night.clock()) == 0, "its sweep goes on"
    night.tell("cancel_sweep", "s")
    assert trim(night.clock() - 1) == 0, "it is too young"
    assert (trim(night.clock()), trim(night.clock())) == (1, 0)
    gone = {
        "events": night.store.client.hget(keys.stage("train-a"), "events"),
        "curve": night.store.client.get(keys.curve("train-a")),
        "checkpoints": night.store.client.lrange(keys.checkpoints("train-a"), 0, -1) or None,
    }
    assert [name for name, value in gone.items() if value is None] == [what]
    assert night.discarded() == ({"run/step-1"} if what == "checkpoints" else set())


def test_a_sweep_with_an_attempt_at_its_cost_is_not_removed(night: Night) -> None:
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    night.tell("cancel_sweep", "s")
    with pytest.raises(NotEnded, match="running"):
        remove_sweep(night.store, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.store.scripts.run("drop_stages", "s", "train-0000") == 0, "it is neither archived nor being removed"
    assert night.store.scripts.run("drop_fields", "s", "runs", "0") == 0
    assert night.store.scripts.run("ask_need", "train-0000") == 0
