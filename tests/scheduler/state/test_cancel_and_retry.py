"""Cancelling ends one sweep's interest and nobody else's; retrying brings back what has no result, and only that."""

import pytest

from scheduler.engine.spread import PAGE, spread_changes, walk_sweeps
from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Lease, Meter
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import evaluate, plan, single, train

PLAN = plan("s", [train("ready"), train("sent"), train("running"), train("done"), evaluate("child", "train-ready")])


@pytest.fixture
def cancelled(night: Night) -> tuple[Night, Lease]:
    """A sweep with a stage in every state, cancelled; and the lease of the one that runs."""
    night.submit(PLAN)
    night.do("train-done", "s")
    night.store.dispatch("train-sent", sweep="s", patience=PATIENCE)
    lease = night.start("train-running", "s")
    assert night.store.scripts.run("cancel_sweep", "s") == "active"
    night.spread()
    return night, lease


def states(night: Night) -> dict[str, str]:
    return {stage.label.split()[1]: night.state(stage.id) for stage in PLAN.stages}


def test_what_runs_learns_of_it_with_its_next_renewal_however_many_stages_are_still_to_be_walked_through(
    night: Night,
) -> None:
    night.submit(single("s", 3 * PAGE))
    lease = night.start(f"train-{3 * PAGE - 1:04d}", "s")  # the last that a walk would come to
    night.store.scripts.run("pause_sweep", "s")
    assert night.renew(lease) == ["yield"]
    night.store.scripts.run("resume_sweep", "s")
    assert night.renew(lease) == ["held"]
    night.store.scripts.run("cancel_sweep", "s")
    assert night.renew(lease) == ["stop"]
    assert night.store.dispatch("train-0000", sweep="s", patience=9).refused == "the sweep is not active"


def test_what_has_not_begun_ends_and_gives_back_what_it_held(cancelled: tuple[Night, Lease]) -> None:
    night, _ = cancelled
    assert states(night) == {
        "ready": "cancelled",
        "sent": "cancelled",
        "running": "running",
        "done": "succeeded",
        "child": "cancelled",
    }
    assert night.money("s") == (1_000, 1_000, 0)
    assert night.store.claim("train-sent", attempt=1, worker="w", lease=LEASE) is None


def test_what_runs_is_asked_to_stop_and_may_still_say_what_it_cost(cancelled: tuple[Night, Lease]) -> None:
    night, lease = cancelled
    assert night.renew(lease) == ["stop"]
    assert night.store.settle(
        lease, Meter(300, 300), StageState.CANCELLED, cost="exact", cause="no sweep wants it any more"
    )
    night.spread()
    assert (night.state("train-running"), night.money("s")) == ("cancelled", (1_300, 0, 0))
    assert night.sweep_state("s") == "cancelled"


def test_a_stage_asked_to_stop_whose_worker_is_lost_ends_as_cancelled(cancelled: tuple[Night, Lease]) -> None:
    night, _ = cancelled
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.state("train-running") == "cancelled"


def test_a_result_that_was_ready_before_the_request_stands(cancelled: tuple[Night, Lease]) -> None:
    night, lease = cancelled
    assert night.succeed(lease)
    night.spread()
    assert night.state("train-running") == "succeeded"


def test_cancelling_the_last_sweep_that_wants_it_stops_it(night: Night) -> None:
    night.submit(single("s", 1))
    night.submit(single("other", 1))
    lease = night.start("train-0000", "s")
    for sweep in ("s", "other"):
        night.store.scripts.run("cancel_sweep", sweep)
        night.spread()
    assert night.renew(lease) == ["stop"]


def test_a_stage_wanted_again_before_its_worker_stopped_is_asked_no_more(cancelled: tuple[Night, Lease]) -> None:
    night, lease = cancelled
    night.store.scripts.run("retry_sweep", "s")
    night.spread()
    assert night.renew(lease) == ["held"]


def test_a_stage_wanted_again_while_its_worker_stops_is_done_by_another_attempt(
    cancelled: tuple[Night, Lease],
) -> None:
    night, lease = cancelled
    assert night.renew(lease) == ["stop"]
    night.store.scripts.run("retry_sweep", "s")
    night.spread()
    assert night.store.settle(
        lease, Meter(100, 100), StageState.CANCELLED, cost="exact", cause="no sweep wants it any more"
    )
    night.spread()
    assert (night.state("train-running"), night.sweep_state("s")) == ("ready", "active")


def test_a_request_to_stop_is_not_handed_on_to_the_next_attempt(cancelled: tuple[Night, Lease]) -> None:
    night, _ = cancelled
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.submit(plan("other", [train("running")]))
    sent = night.store.dispatch("train-running", sweep="other", patience=PATIENCE)
    lease = night.store.claim("train-running", attempt=sent.attempt, worker="w2", lease=LEASE)
    assert lease is not None
    assert night.renew(lease) == ["held"], "asked at once, before anything was spread"


def test_retrying_brings_back_all_that_has_no_result(cancelled: tuple[Night, Lease]) -> None:
    night, lease = cancelled
    night.store.settle(lease, Meter(300, 300), StageState.CANCELLED, cost="exact", cause="")
    night.spread()
    assert night.store.scripts.run("retry_sweep", "s") == "cancelled"
    night.spread()
    assert states(night) == {
        "ready": "ready",
        "sent": "ready",
        "running": "ready",
        "done": "succeeded",
        "child": "waiting",
    }
    for stage in ("train-ready", "train-sent", "train-running", "evaluate-child"):
        night.do(stage, "s")
    assert night.sweep_state("s") == "finished"


def test_a_retried_sweep_is_not_finished_before_its_stages_were_opened(night: Night) -> None:
    count = PAGE + 10
    night.submit(single("s", count))
    night.store.scripts.run("cancel_sweep", "s")
    night.spread()
    night.store.scripts.run("retry_sweep", "s")
    while walk_sweeps(night.store):
        spread_changes(night.store)
        assert night.sweep_state("s") == "active"
    night.spread()
    assert night.store.client.zcard(keys.state("ready")) == count


def test_a_retry_that_finds_what_failed_only_on_its_second_page_does_not_finish_before(night: Night) -> None:
    count = PAGE + 10
    night.submit(single("s", count))
    for number in range(count):
        lease = night.start(f"train-{number:04d}", "s")
        assert night.fail(lease) if number == count - 1 else night.succeed(lease)
    night.spread()
    assert night.sweep_state("s") == "finished"
    night.store.scripts.run("retry_sweep", "s")
    walk_sweeps(night.store)
    assert night.sweep_state("s") == "active"
    night.spread()
    assert (night.sweep_state("s"), night.state(f"train-{count - 1:04d}")) == ("active", "ready")


def test_retrying_a_sweep_in_which_nothing_failed_leaves_it_finished(night: Night) -> None:
    night.submit(single("s", 2))
    for number in range(2):
        night.do(f"train-{number:04d}", "s")
    assert night.store.scripts.run("retry_sweep", "s") == "finished"
    night.spread()
    assert (night.sweep_state("s"), night.state("train-0000")) == ("finished", "succeeded")


def test_a_retry_gives_a_stage_all_its_attempts_again(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start("train-0000", "s")
    night.store.give_back(lease, Meter(0, 0), delay=0, failure="unknown", cost="exact", cause="who knows")
    night.spread()
    night.fail(night.start("train-0000", "s"))
    night.spread()
    night.store.scripts.run("retry_sweep", "s")
    night.spread()
    night.start("train-0000", "s")
    assert night.store.read_assignment("train-0000").failures == {}


@pytest.mark.parametrize("verb", ["cancel_sweep", "retry_sweep", "pause_sweep", "resume_sweep"])
def test_a_sweep_that_was_never_submitted_is_said_to_be_none(night: Night, verb: str) -> None:
    assert night.store.scripts.run(verb, "nobody") == ""
    assert night.snapshot() == {}


def test_cancelling_twice_or_after_the_end_changes_nothing(cancelled: tuple[Night, Lease]) -> None:
    night, _ = cancelled
    before = night.snapshot()
    assert night.store.scripts.run("cancel_sweep", "s") == "cancelled"
    night.spread()
    assert night.snapshot() == before
