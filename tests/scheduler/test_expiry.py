"""What nobody holds any more comes back by itself, and money that nobody can account for stays booked."""

from scheduler import keys
from scheduler.connection import Client
from scheduler.store import Meter
from scheduler.tick import LOSSES, PAGE, take_back
from tests.scheduler.night import LEASE, PATIENCE, Night
from tests.scheduler.plans import single

STAGE = "train-0000"


def test_an_unclaimed_dispatch_gives_slot_and_reservation_back(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    assert night.money("s") == (0, 1_000, 0)
    night.clock.pass_seconds(PATIENCE - 0.001)
    assert take_back(night.store) == 0
    night.clock.pass_seconds(0.001)
    assert take_back(night.store) == 1
    assert (night.state(STAGE), night.money("s")) == ("ready", (0, 0, 0))


def test_a_lost_attempt_books_what_it_said_and_doubts_the_rest(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(300, 300), {"step": 3})
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert (night.state(STAGE), night.money("s")) == ("ready", (300, 0, 700))


def test_the_next_attempt_reserves_only_what_the_checkpoint_does_not_hold(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.commit_checkpoint(lease, Meter(600, 600), {"path": "p"}, embodied=600)
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.start(STAGE, "s")
    assert night.money("s") == (600, 400, 400)


def test_a_loss_costs_the_stage_no_failure(night: Night) -> None:
    night.submit(single("s", 1))
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.store.client.hget(keys.stage(STAGE), "failures") in (None, "0")


def test_more_losses_than_a_page_are_all_taken_back(night: Night) -> None:
    count = PAGE + 5
    night.submit(single("s", count))
    for number in range(count):
        night.store.dispatch(f"train-{number:04d}", sweep="s", patience=PATIENCE)
    night.clock.pass_seconds(PATIENCE)
    assert take_back(night.store) == count
    assert take_back(night.store) == 0


def test_the_event_of_an_end_names_the_worker_that_had_the_stage(night: Night, client: Client) -> None:
    night.submit(single("s", 3))
    names = [f"train-{number:04d}" for number in range(3)]
    lost, given, done = (night.start(name, "s", worker=f"host-{name}") for name in names)
    night.store.give_back(given, Meter(0, 0), delay=0, charged=False, cause="the worker is stopping")
    night.succeed(done)
    night.clock.pass_seconds(LEASE)
    night.spread()
    events = [event for _, event in client.xrevrange(keys.EVENTS) if event["from"] == "running"]
    assert {event["stage"]: event["worker"] for event in events} == {name: f"host-{name}" for name in names}
    assert lost.fence != done.fence


def test_a_stage_that_kills_its_workers_fails_in_the_end(night: Night) -> None:
    """Ten losses in a row without a new checkpoint; a checkpoint between them, and the count begins again."""
    night.submit(single("s", 1))
    states = []
    for loss in range(1, 2 * LOSSES):
        lease = night.start(STAGE, "s")
        if loss == LOSSES:
            assert night.store.commit_checkpoint(lease, Meter(0, 0), {"step": 1}, embodied=0)
        night.clock.pass_seconds(LEASE + 1)
        night.spread()
        states.append(night.store.client.hget(keys.stage(STAGE), "state"))
    assert states == ["ready"] * (2 * LOSSES - 2) + ["failed"]
    assert "lost" in (night.store.client.hget(keys.stage(STAGE), "cause") or "")
