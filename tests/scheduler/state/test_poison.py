"""A stage that kills its worker kills every attempt in that process, and must fail alone all the same."""

import pytest

from scheduler.engine.retry import BUDGETS, SUSPECTED_AFTER, Fault
from scheduler.state import keys
from scheduler.state.connection import Client
from scheduler.state.store import Meter, Renewal
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import single
from tests.support import RedisServer

SLOTS = 8
ROUNDS = 200  # after which a night that gets nowhere is given up


@pytest.fixture
def fleet(night: Night, redis: RedisServer) -> Fleet:
    return Fleet(night, redis.url)


def live_through(fleet: Fleet, poison: set[str], *, quick: bool) -> int:
    """One worker process for all slots, which dies of each poison. Returns the rounds until the sweep is finished.

    Where the others are not quick, none of them has got any further by then: they finish where the worker survives.
    """
    for number in range(ROUNDS):
        fleet.tick(slots=SLOTS)
        leases = fleet.claim_all()
        if fleet.night.sweep_state("s") == "finished":
            return number
        dies = any(lease.stage in poison for lease in leases)
        for lease in leases:
            if lease.stage not in poison and (quick or not dies):
                assert fleet.night.succeed(lease)
        fleet.night.clock.pass_seconds(LEASE)
        fleet.night.spread()
    raise AssertionError("the night comes to no end")


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("poison", [{0}, {5}, {29}, {0, 5}, {3, 4, 20}])
def test_poison_fails_alone(night: Night, fleet: Fleet, poison: set[int], quick: bool) -> None:
    night.submit(single("s", 30))
    poisonous = {f"train-{number:04d}" for number in poison}
    live_through(fleet, poisonous, quick=quick)
    states = {number: night.state(f"train-{number:04d}") for number in range(30)}
    assert states == {number: "failed" if number in poison else "succeeded" for number in range(30)}
    for stage in poisonous:
        assert night.store.client.hget(keys.stage(stage), "failed:lost") == str(BUDGETS[Fault.LOST])


def test_poison_is_found_soon(night: Night, fleet: Fleet) -> None:
    """With its own attempts, and one for each of those that were there when it was first suspected."""
    night.submit(single("s", 30))
    assert live_through(fleet, {"train-0000"}, quick=False) <= BUDGETS[Fault.LOST] + 2 * SLOTS


def test_suspects_are_tried_one_at_a_time_and_the_others_beside_them(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 20))
    for _ in range(SUSPECTED_AFTER):
        fleet.tick(slots=3)
        assert len(fleet.claim_all()) == 3
        night.clock.pass_seconds(LEASE)
        night.spread()
    fleet.tick(slots=3)
    tried = {lease.stage for lease in fleet.claim_all()}
    assert tried == {"train-0000", "train-0003", "train-0004"}
    fleet.tick(slots=4)
    assert [lease.stage for lease in fleet.claim_all()] == ["train-0005"]


@pytest.mark.parametrize("how", ["checkpoint", "succeed", "give back"])
def test_a_suspect_that_gets_on_makes_room_for_the_next(night: Night, client: Client, how: str) -> None:
    night.submit(single("s", 2))
    for _ in range(SUSPECTED_AFTER):
        first, _second = night.start("train-0000", "s"), night.start("train-0001", "s")
        night.clock.pass_seconds(LEASE)
        night.spread()
    first = night.start("train-0000", "s")
    assert night.store.dispatch("train-0001", sweep="s", patience=1).refused == "suspect"
    match how:
        case "checkpoint":
            assert night.commit(first, 1)
        case "succeed":
            assert night.succeed(first)
        case _:
            night.store.give_back(first, Meter(0, 0), delay=60, failure="", cost="exact", cause="")
    night.start("train-0001", "s")
    assert client.scard(keys.SUSPECTS) == (2 if how == "give back" else 1)


def test_a_suspect_that_outlives_a_lease_is_cleared_without_a_checkpoint(night: Night, client: Client) -> None:
    """After a power cut everything is suspected: that must not cost a checkpoint's interval for each stage."""
    night.submit(single("s", 2))
    for _ in range(SUSPECTED_AFTER):
        night.start("train-0000", "s"), night.start("train-0001", "s")
        night.clock.pass_seconds(LEASE)
        night.spread()
    first = night.start("train-0000", "s")
    for _ in range(2):
        night.clock.pass_seconds(0.6 * LEASE)
        assert night.store.renew([Renewal(first, 0.0)], lease=LEASE) == ["held"]
    night.start("train-0001", "s")
    assert client.smembers(keys.SUSPECTS) == {"train-0001"}
