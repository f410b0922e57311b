"""What nobody holds any more comes back by itself, and money that nobody can account for stays booked."""

import pytest

from scheduler.engine.retry import BUDGETS, Fault
from scheduler.engine.spread import PAGE
from scheduler.engine.tick import OVERDUE, take_back
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Meter
from tests.scheduler.night import LEASE, PATIENCE, STALL, Night
from tests.scheduler.plans import evaluate, plan, single, train
from tests.support import read_log

STAGE = "train-0000"
QUIET = OVERDUE * STALL  # seconds after which an attempt is ended that does not even notice


def cause(night: Night) -> str:
    return night.store.client.hget(keys.stage(STAGE), "cause") or ""


def test_an_unclaimed_dispatch_gives_slot_and_reservation_back(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    assert night.money("s") == (0, 1_000, 0)
    night.clock.pass_seconds(PATIENCE - 0.001)
    assert take_back(night.store, stall=STALL) == 0
    night.clock.pass_seconds(0.001)
    assert take_back(night.store, stall=STALL) == 1
    assert (night.state(STAGE), night.money("s")) == ("ready", (0, 0, 0))


def test_a_lost_attempt_books_what_it_said_and_leaves_the_rest_unreconciled(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(300, 300), {"step": 3})
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert (night.state(STAGE), night.money("s")) == ("ready", (300, 0, 700))


def test_the_next_attempt_reserves_only_what_the_checkpoint_does_not_hold(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.commit(lease, 6, 600)
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.start(STAGE, "s")
    assert night.money("s") == (600, 400, 400)


def test_more_losses_than_a_page_are_all_taken_back(night: Night) -> None:
    count = PAGE + 5
    night.submit(single("s", count))
    for number in range(count):
        night.store.dispatch(f"train-{number:04d}", sweep="s", patience=PATIENCE)
    night.clock.pass_seconds(PATIENCE)
    assert take_back(night.store, stall=STALL) == count
    assert take_back(night.store, stall=STALL) == 0


def test_the_event_of_an_end_names_the_worker_that_had_the_stage(night: Night, client: Client) -> None:
    night.submit(single("s", 3))
    names = [f"train-{number:04d}" for number in range(3)]
    lost, given, done = (night.start(name, "s", worker=f"host-{name}") for name in names)
    night.store.give_back(given, Meter(0, 0), delay=0, failure="", cost="exact", cause="the worker is stopping")
    night.succeed(done)
    night.clock.pass_seconds(LEASE)
    night.spread()
    events = [event for event in read_log(client) if event["from"] == "running"]
    assert {event["stage"]: event["worker"] for event in events} == {name: f"host-{name}" for name in names}
    assert lost.fence != done.fence


@pytest.mark.parametrize(("fault", "quiet"), [(Fault.LOST, None), (Fault.STALLED, QUIET)])
def test_a_stage_that_ends_its_attempts_again_and_again_fails_unless_it_got_further(
    night: Night, fault: Fault, quiet: float | None
) -> None:
    """So many in a row without a new checkpoint; a checkpoint between them, and the count begins again."""
    night.submit(single("s", 1))
    states, most = [], BUDGETS[fault]
    for number in range(1, 2 * most):
        lease = night.start(STAGE, "s")
        if number == most:
            assert night.commit(lease, 1)
        if quiet is None:
            night.clock.pass_seconds(LEASE + 1)
        else:
            assert night.renew(lease, quiet=quiet) == ["held"]
        night.spread()
        states.append(night.state(STAGE))
    assert states == ["ready"] * (2 * most - 2) + ["failed"]
    assert cause(night).startswith(f"{most} attempts in a row ")


def test_an_attempt_that_gets_no_further_is_ended_although_its_worker_renews_the_lease(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(300, 300), {"step": 3})
    night.renew(lease, quiet=QUIET - 1)
    night.spread()
    assert night.state(STAGE) == "running"
    night.renew(lease, quiet=QUIET)
    night.spread()
    assert (night.state(STAGE), night.money("s")) == ("ready", (300, 0, 700))
    assert night.renew(lease) == ["lost"], "whatever its thread may wake up to, it writes nothing"
    event = read_log(night.store.client)[-1]
    assert f" {QUIET:.0f} s " in event["detail"]


def test_an_attempt_that_gets_on_is_never_ended_however_long_it_takes(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    for _ in range(200):
        night.clock.pass_seconds(LEASE / 2)
        assert night.renew(lease, quiet=1) == ["held"]
        assert take_back(night.store, stall=LEASE) == 0


def test_a_worker_that_cannot_say_how_it_gets_on_is_judged_by_its_lease_first(night: Night) -> None:
    """An outage of Redis beyond the stall: the attempt is lost, and has not stalled as well."""
    night.submit(single("s", 1))
    night.start(STAGE, "s")
    night.clock.pass_seconds(2 * QUIET)
    night.spread()
    row = night.store.client.hmget(keys.stage(STAGE), ["state", "failed:lost", "failed:stalled"])
    assert row == ["ready", "1", None]


@pytest.mark.parametrize("end", ["succeed", "fail", "give back", "lose", "retrain"])
def test_whatever_ends_an_attempt_nobody_watches_its_progress_any_more(night: Night, end: str) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a")]))
    night.do("train-a", "s")
    lease = night.start("evaluate-a", "s")
    assert night.store.client.zscore(keys.PROGRESSED, "evaluate-a") is not None
    match end:
        case "succeed":
            night.succeed(lease)
        case "fail":
            night.fail(lease)
        case "give back":
            night.store.give_back(lease, Meter(0, 0), delay=0, failure="", cost="exact", cause="")
        case "lose":
            night.clock.pass_seconds(LEASE)
            night.spread()
        case _:
            night.store.retrain_parent(lease, Meter(0, 0), "train-a", "")
    assert night.store.client.zcard(keys.PROGRESSED) == 0
