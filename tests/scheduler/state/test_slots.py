"""Slots: never more clients than the limit, each held until it is closed or its worker has been silent for a lease."""

import json
from typing import Any

import pytest

from scheduler.engine.fleet import read_service
from scheduler.state import keys
from scheduler.state.service_facts import record_facts
from scheduler.state.states import StageState
from scheduler.state.store import Lease, Meter, Renewal
from tests.scheduler.night import LEASE, PATIENCE, Fleet, Night
from tests.scheduler.plans import evaluate, plan, single, train
from tests.scheduler.seen import LANE

POOL = "offline/training"


def sense(night: Night) -> Any:
    return json.loads(night.store.scripts.run("read_service", "offline", 60_000, POOL))["pools"][POOL]


def taken(night: Night) -> int:
    return int(sense(night)["taken"])


def begin(night: Night, count: int) -> list[Lease]:
    night.submit(single("s", count))
    return [night.start(f"train-{number:04d}", "s") for number in range(count)]


def test_a_limit_is_kept_whoever_asks_and_a_full_pool_says_so(night: Night) -> None:
    night.submit(single("s", 3))
    night.store.scripts.run("write_capacity", POOL, 0, 2)
    first = night.start("train-0000", "s")
    night.start("train-0001", "s")
    assert night.store.dispatch("train-0002", sweep="s", patience=9).refused == "capacity"
    night.close(first)
    assert night.start("train-0002", "s")


def test_one_model_may_be_limited_further(night: Night) -> None:
    night.submit(single("s", 2))
    night.store.scripts.run("set_limits", LANE, 1)
    night.start("train-0000", "s")
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "capacity"
    night.store.scripts.run("set_limits")
    assert night.start("train-0001", "s"), "a cap that the settings no longer name is gone"


def test_a_slot_outlives_its_attempt_until_the_client_is_closed(night: Night) -> None:
    (lease,) = begin(night, 1)
    night.store.give_back(lease, Meter(0, 0), delay=0, failure="", cost="exact", cause="told to")
    assert taken(night) == 1
    night.close(lease)
    night.close(lease)
    assert taken(night) == 0


def test_every_slot_of_a_dead_worker_is_free_within_a_lease(night: Night) -> None:
    leases = begin(night, 5)
    night.clock.pass_seconds(LEASE / 2)
    night.renew(*leases[:2])
    night.clock.pass_seconds(LEASE / 2)
    assert taken(night) == 2, "those that somebody still renews"
    night.clock.pass_seconds(LEASE / 2)
    assert taken(night) == 0


def test_a_dispatch_that_nobody_claims_gives_its_slot_back(night: Night) -> None:
    night.submit(single("s", 2))
    for stage in ("train-0000", "train-0001"):
        assert night.store.dispatch(stage, sweep="s", patience=PATIENCE).attempt
    assert taken(night) == 2
    night.tell("cancel_sweep", "s")
    assert taken(night) == 0, "at once, where it is called off"
    night.tell("retry_sweep", "s")
    assert night.store.dispatch("train-0000", sweep="s", patience=PATIENCE).attempt
    night.clock.pass_seconds(PATIENCE)
    assert taken(night) == 0


def test_an_adopted_child_goes_on_in_the_slot_of_its_parent_even_where_all_are_taken(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a")]))
    parent = night.start("train-a", "s")
    night.store.scripts.run("write_capacity", POOL, 0, 1)
    assert night.store.settle(parent, Meter(1, 1), StageState.SUCCEEDED, cost="exact", result="{}", cause="")
    child = night.continue_on_client("evaluate-a", "s", opened_by="train-a|1", used=1)
    assert child is not None
    assert taken(night) == 1
    night.clock.pass_seconds(LEASE / 2)
    night.renew(child)
    night.clock.pass_seconds(LEASE / 2)
    assert taken(night) == 1, "the child's renewals keep it"
    night.store.free_slot(LANE, "train-a|1")
    assert taken(night) == 0


def test_what_clients_are_told_is_counted_with_since_when(night: Night) -> None:
    leases = begin(night, 4)
    for lease, state in zip(leases, ["active", "queued", "starved", "limited"], strict=True):
        assert night.store.report_signal(lease, state, ago=3)
    assert sense(night)["signals"] == {"active": 1, "queued": 1, "starved": 1, "limited": 1}
    assert sense(night)["since"]["queued"] == night.clock() - 3000
    assert sense(night)["opened"] == 1
    night.store.report_signal(leases[1], "active", ago=0)
    assert sense(night)["opened"] == 2, "what had to queue has been let in"
    for lease in leases:
        night.close(lease)
    assert sense(night)["signals"] == {}
    night.clock.pass_seconds(LEASE)
    assert not night.store.report_signal(leases[0], "active", ago=0), "without the lease nothing is noted"


def test_a_conclusion_drawn_from_what_has_changed_meanwhile_is_refused(night: Night) -> None:
    put = night.store.scripts.run
    assert put("write_capacity", POOL, 0, 4, "proven", 3) == 1
    assert put("write_capacity", POOL, 0, 9, "proven", 8) == 0
    assert put("write_capacity", POOL, 1, 5, "proven", 4) == 1
    assert night.store.client.hget(keys.LIMITS, POOL) == "5"


def test_the_search_begins_small_and_follows_what_is_known_to_be_there(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 60))
    searching = fleet.searching(ceiling=40)
    assert [fleet.tick(searching).dispatched for _ in range(3)] == [4, 0, 0], "none of the four is known to be there"
    leases = fleet.claim_all()
    for lease in leases:
        night.store.report_signal(lease, "active", ago=0)
    assert fleet.tick(searching).dispatched == 2
    fresh = fleet.claim_all()
    night.store.report_signal(fresh[0], "active", ago=0)
    night.store.report_signal(fresh[1], "queued", ago=0)
    assert fleet.tick(searching).dispatched == 0
    view = read_service(night.store, "offline", searching.slots).pools[POOL]
    assert (view.capacity.limit, view.capacity.searching) == (5, False)
    night.store.renew([Renewal(lease, 0, 0) for lease in [*leases, fresh[0]]], lease=LEASE)
    night.store.give_back(fresh[1], Meter(0, 0), delay=0, failure="", cost="exact", cause="turned away")
    night.close(fresh[1])
    assert fleet.tick(searching).dispatched == 0, "the pool is as full as it can be"
    night.succeed(leases[0])
    assert fleet.tick(searching).dispatched == 1


@pytest.mark.parametrize(
    ("clients", "expected"), [("9", (9, 9, False)), ("6+", (6, 6, True)), ("900", (40, 40, False))]
)
def test_what_the_doctor_was_told_is_where_the_search_begins(
    night: Night, fleet: Fleet, clients: str, expected: tuple[int, int, bool]
) -> None:
    record_facts(night.store, "offline", {"clients": clients})
    night.submit(single("s", 60))
    searching = fleet.searching(ceiling=40)
    assert fleet.tick(searching).dispatched == expected[0]
    capacity = read_service(night.store, "offline", searching.slots).pools[POOL].capacity
    assert (capacity.limit, capacity.proven, capacity.searching) == expected


def test_slots_that_ran_out_are_kept_in_no_list(night: Night) -> None:
    begin(night, 3)
    night.clock.pass_seconds(LEASE)
    night.spread()
    sense(night)
    night.start("train-0000", "s")
    assert night.store.client.zcard(keys.slots(LANE)) == 1
