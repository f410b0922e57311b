"""After its lease is over a worker can write nothing, and what the next attempt writes stands."""

from collections.abc import Callable

import pytest

from scheduler.state.states import StageState
from scheduler.state.store import Lease, Meter, Renewal, Store
from tests.scheduler.night import LEASE, Night, checkpoint
from tests.scheduler.plans import single

STAGE = "train-0000"
Write = Callable[[Store, Lease], bool]

WRITES: dict[str, Write] = {
    "progress": lambda store, lease: store.report_progress(lease, Meter(7, 7), {"step": 7}, [{"step": 7}]),
    "checkpoint": lambda store, lease: store.commit_checkpoint(lease, Meter(7, 7), checkpoint(7)),
    "success": lambda store, lease: store.settle(lease, Meter(7, 7), StageState.SUCCEEDED, cost="exact", result="{}"),
    "failure": lambda store, lease: store.settle(lease, Meter(7, 7), StageState.FAILED, cost="exact", cause="late"),
    "give back": lambda store, lease: store.give_back(
        lease, Meter(7, 7), delay=5, failure="lost", cost="exact", cause="late"
    ),
    "renewal": lambda store, lease: store.renew([Renewal(lease, 0)], lease=LEASE) != ["lost"],
    "a line": lambda store, lease: store.log_event(lease, "late"),
    "a checkpoint gone": lambda store, lease: store.forget_checkpoint(lease, "early"),
    "a parent gone": lambda store, lease: store.retrain_parent(lease, Meter(7, 7), "train-0001", "early"),
}


@pytest.fixture
def night(night: Night) -> Night:
    night.submit(single("s", 1))
    return night


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_a_holder_may_write(night: Night, write: Write) -> None:
    assert write(night.store, night.start(STAGE, "s"))


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_once_the_lease_ran_out_a_write_changes_nothing(night: Night, write: Write) -> None:
    lease = night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    before = night.snapshot()
    assert not write(night.store, lease), "nobody has taken the stage back yet, but the lease is over"
    night_after = night.snapshot()
    assert night_after == before
    night.spread()
    before = night.snapshot()
    assert not write(night.store, lease)
    assert night.snapshot() == before


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
def test_the_next_attempt_stands(night: Night, write: Write) -> None:
    old = night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    new = night.start(STAGE, "s", worker="w2")
    before = night.snapshot()
    assert not write(night.store, old)
    assert night.snapshot() == before
    assert night.succeed(new, {"nll": 1.5})
    assert night.state(STAGE) == "succeeded"
    assert not write(night.store, old)
    assert not write(night.store, new), "a settled attempt is over, even for its own worker"


def test_a_checkpoint_of_the_old_attempt_is_where_the_next_one_starts(night: Night) -> None:
    old = night.start(STAGE, "s")
    assert night.commit(old, 4, 400)
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert not night.commit(old, 9, 900)
    night.start(STAGE, "s")
    assert night.store.read_assignment(STAGE).checkpoint == checkpoint(4, 400)
