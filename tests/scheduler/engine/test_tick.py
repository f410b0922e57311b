"""The tick starts what there is room for, in the right order, at a cost that does not grow with what waits."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from scheduler.engine.spread import PAGE, _walk, spread_changes, walk_sweeps
from scheduler.engine.tick import take_back, tick
from scheduler.state import keys
from scheduler.state.store import Dispatched, Meter, Store
from scheduler.state.submission import submit
from scheduler.state.workers import read_live_workers
from tests.scheduler.night import LEASE, PATIENCE, STALL, Fleet, Night, limits
from tests.scheduler.plans import scaling, single, submission
from tests.scheduler.seen import LANE
from tests.support import RedisServer


def finish_all(fleet: Fleet) -> list[str]:
    """Play every worker until nothing is left; the stages in the order in which they were done."""
    done = []
    for _ in range(5000):
        idle = fleet.tick().idle
        leases = fleet.claim_all()
        for lease in leases:
            assert fleet.night.succeed(lease, {"nll": 1.0})
            done.append(lease.stage)
        if idle and not leases:
            return done
    raise AssertionError("the tick never comes to rest")


def test_a_sweep_is_done_from_submission_to_the_end_each_stage_once(night: Night, fleet: Fleet) -> None:
    question = scaling("s", [8, 16, 32])
    submit(night.store, submission(question))
    assert sorted(finish_all(fleet)) == sorted(stage.id for stage in question.stages)
    assert (night.sweep_state("s"), night.money("s")) == ("finished", (13 * 1_000, 0, 0))


@pytest.mark.parametrize(
    ("slots", "threads", "expected"), [(8, 100, 8), (100, 5, 5), (0, 5, 0), (3, 0, 0), (100, 100, 30)]
)
def test_the_window_is_the_smaller_of_free_slots_and_free_threads(
    night: Night, redis: RedisServer, slots: int, threads: int, expected: int
) -> None:
    fleet = Fleet(night, redis.url, threads=threads)
    night.submit(single("s", 30))
    assert fleet.tick(slots=slots).dispatched == expected
    assert len(fleet.received()) == expected
    assert fleet.tick(slots=slots).dispatched == 0, "what is sent and not yet claimed fills the window"
    fleet.nudges.close()


def test_without_a_worker_nothing_is_sent(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 3))
    assert tick(night.store, fleet.nudges, limits(8, 60)).dispatched == 0
    assert fleet.received() == []


def test_a_worker_that_fell_silent_has_no_threads_and_is_forgotten(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 3))
    night.store.client.sadd(keys.WORKERS, "gone")  # its hash has expired
    assert tick(night.store, fleet.nudges, limits(8, 60)).dispatched == 0
    assert night.store.client.smembers(keys.WORKERS) == set()
    night.store.report_worker("w", threads=4, busy=1, ttl=60, host="here")
    assert read_live_workers(night.store) == {"w": {"threads": "4", "busy": "1", "host": "here"}}
    assert tick(night.store, fleet.nudges, limits(8, 60)).dispatched == 3
    night.store.forget_worker("w")
    assert read_live_workers(night.store) == {}


def test_a_higher_priority_goes_first(night: Night, fleet: Fleet) -> None:
    night.submit(single("low", 10, prefix="low"))
    night.submit(single("high", 10, prefix="high"), priority=5)
    fleet.tick(slots=12)
    sent = Counter(stage[6:-4] for stage, _ in fleet.received())
    assert sent == {"high": 10, "low": 2}


def test_a_small_sweep_beside_a_large_one_is_done_early(night: Night, fleet: Fleet) -> None:
    night.submit(single("large", 100, prefix="large"))
    night.submit(single("small", 10, prefix="small"))
    done = finish_all(fleet)
    last = max(number for number, stage in enumerate(done) if "small" in stage)
    assert last < 3 * 10, f"the small sweep ended as number {last} of {len(done)}"


def test_a_sweep_uses_no_more_slots_than_its_own_limit(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 10), slots=3)
    assert fleet.tick(slots=8).dispatched == 3
    leases = fleet.claim_all()
    assert fleet.tick(slots=8).dispatched == 0
    night.succeed(leases[0])
    assert fleet.tick(slots=8).dispatched == 1


@pytest.mark.parametrize("priority", [0, 5])
def test_a_sweep_that_may_spend_no_more_leaves_its_room_to_the_others(
    night: Night, fleet: Fleet, priority: int
) -> None:
    night.submit(single("poor", 50, prefix="poor"), limit=999, priority=priority)
    night.submit(single("rich", 10, prefix="rich"))
    assert fleet.tick(slots=8).dispatched == 8
    assert all("rich" in stage for stage, _ in fleet.received())
    assert night.store.client.hget(keys.sweep("poor"), "gate") == "budget"


def test_a_stage_that_one_sweep_cannot_pay_is_paid_by_another_that_wants_it(night: Night, fleet: Fleet) -> None:
    night.submit(single("poor", 1), limit=999, priority=5)
    night.submit(single("rich", 1))
    assert fleet.tick().dispatched == 1
    assert (night.money("poor"), night.money("rich")) == ((0, 0, 0), (0, 1_000, 0))


def test_stages_that_wait_for_their_backoff_hold_nobody_up(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 40))
    fleet.tick(slots=30)
    for lease in fleet.claim_all():
        night.store.give_back(lease, Meter(0, 0), delay=50, failure="", cost="exact", cause="429")
        night.close(lease)
    assert fleet.tick(slots=8).dispatched == 8
    assert [stage for stage, _ in fleet.received()] == [f"train-{n:04d}" for n in range(30, 38)]
    night.clock.pass_seconds(49.999)
    assert fleet.tick(slots=12).dispatched == 10, "the unclaimed eight came back, and two had never been sent"
    night.clock.pass_seconds(0.001)
    fleet.received()
    assert fleet.tick(slots=15).dispatched == 5
    assert [stage for stage, _ in fleet.received()] == [f"train-{n:04d}" for n in range(5)]


def test_a_broker_that_cannot_be_reached_loses_nothing(night: Night, redis: RedisServer) -> None:
    night.submit(single("s", 4))
    dead = Fleet(night, redis.url + ".nowhere")
    dead.tick()
    assert [night.state(f"train-{n:04d}") for n in range(4)] == ["dispatched"] * 4
    night.clock.pass_seconds(PATIENCE)
    alive = Fleet(night, redis.url)
    assert alive.tick().dispatched == 4
    assert len(alive.claim_all()) == 4
    assert night.money("s") == (0, 4_000, 0)
    dead.nudges.close()
    alive.nudges.close()


def test_every_nudge_may_be_lost(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 4))
    for _ in range(3):
        assert fleet.tick().dispatched == 4
        fleet.received()
        night.clock.pass_seconds(PATIENCE)
    assert len(finish_all(fleet)) == 4
    assert night.money("s") == (4_000, 0, 0)


def test_two_schedulers_at_once_do_no_harm(night: Night, redis: RedisServer) -> None:
    chance = random.Random(11)
    question = scaling("s", list(range(1, 41)))
    night.submit(question, slots=10)
    stop = threading.Event()

    def schedule() -> None:
        store, fleet = Store(redis.client(), night.clock), Fleet(night, redis.url)
        while not stop.is_set():
            tick(store, fleet.nudges, limits(20))
        store.client.close()
        fleet.nudges.close()

    fleet = Fleet(night, redis.url)
    night.store.report_worker("w1", threads=100, busy=0, ttl=600)
    done: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        schedulers = [pool.submit(schedule) for _ in range(2)]
        try:
            while len(done) < len(question.stages):
                leases = fleet.claim_all()
                chance.shuffle(leases)
                done += [lease.stage for lease in leases if night.succeed(lease, {"nll": 1.0})]
                most = int(night.store.client.hget(keys.sweep("s"), "inflight") or 0)
                assert 0 <= most <= 10
                assert all(not scheduler.done() for scheduler in schedulers)
        finally:
            stop.set()
    night.spread()
    assert sorted(done) == sorted(stage.id for stage in question.stages)
    assert (night.sweep_state("s"), night.money("s")) == ("finished", (1_000 * len(done), 0, 0))
    fleet.nudges.close()


def test_a_slow_second_scheduler_does_not_bring_back_a_walk_that_has_ended(night: Night) -> None:
    submit(night.store, submission(single("s", PAGE + 1)))
    ((walk, _),) = night.store.client.zrange(keys.WALKS, 0, -1, withscores=True)
    walk_sweeps(night.store)
    walk_sweeps(night.store)
    _walk(night.store, "s", "reopen", walk, 0)  # what the slow one does: it read the position long ago
    assert night.store.client.zcard(keys.WALKS) == 0
    assert night.store.client.hmget(keys.sweep("s"), ["walks", "walked"]) == ["1", "1"]


def cost(night: Night, fleet: Fleet, *, waiting: int, delayed: int) -> dict[str, int]:
    """Calls of each command in a tick that starts two stages, those that the verbs do inside the server among them."""
    client: Any = night.store.client
    client.flushall()
    night.submit(single("other", 4 + delayed, prefix="other"))
    for number in range(delayed):
        lease = night.start(f"train-other{number:04d}", "other")
        night.store.give_back(lease, Meter(0, 0), delay=3600, failure="", cost="exact", cause="429")
        night.close(lease)
    night.spread()
    night.submit(single("s", 100 + waiting), priority=1)
    fleet.tick(slots=2)
    client.config_resetstat()
    assert fleet.tick(slots=4).dispatched == 2
    return {name: int(statistics["calls"]) for name, statistics in client.info("commandstats").items()}


@pytest.mark.parametrize(("waiting", "delayed"), [(400, 0), (0, 100)])
def test_the_cost_of_a_tick_does_not_grow_with_what_waits(
    night: Night, fleet: Fleet, waiting: int, delayed: int
) -> None:
    assert cost(night, fleet, waiting=waiting, delayed=delayed) == cost(night, fleet, waiting=0, delayed=0)


def test_changes_are_spread_in_the_order_in_which_they_came(night: Night) -> None:
    night.submit(single("old", 1, prefix="old"))
    for _ in range(5):
        lease = night.start("train-old0000", "old")
        night.store.give_back(lease, Meter(0, 0), delay=0, failure="", cost="exact", cause="yield")
        night.spread()
    night.submit(single("new", PAGE + 50, prefix="new"))
    night.succeed(night.start("train-old0000", "old"))
    for number in range(PAGE):
        night.start(f"train-new{number:04d}", "new")
    assert spread_changes(night.store) == PAGE
    assert night.sweep_state("old") == "finished"


def test_a_stage_that_changes_again_while_it_is_spread_stays_marked(night: Night) -> None:
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    ((stage, order),) = night.store.client.zrange(keys.CHANGED, 0, -1, withscores=True)
    night.clock.pass_seconds(LEASE)
    take_back(night.store, stall=STALL)
    assert night.store.scripts.run("forget_change", stage, int(order)) == 0
    assert night.store.client.zcard(keys.CHANGED) == 1
    night.spread()
    assert night.store.client.zcard(keys.CHANGED) == 0


def test_one_scheduler_leads_until_it_is_silent_or_gives_up(store: Store) -> None:
    def lead(name: str, milliseconds: int = 10_000) -> int:
        return int(store.scripts.run("take_duty", name, milliseconds))

    assert [lead("a"), lead("b"), lead("a")] == [1, 0, 1]
    store.client.delete(keys.LEADER)  # as when its time has run out
    assert [lead("b"), lead("a")] == [1, 0]
    assert [lead("a", 0), lead("a")] == [0, 0], "nobody gives up what another one has"
    assert [lead("b", 0), lead("a")] == [0, 1]


def test_a_lane_that_is_full_is_tried_once_in_a_tick_however_much_room_there_is(
    night: Night, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.submit(single("s", 60))
    night.store.scripts.run("set_limits", LANE, 2)
    tried: list[str] = []
    dispatch = night.store.dispatch

    def trying(stage: str, *, sweep: str, patience: float) -> Dispatched:
        tried.append(stage)
        return dispatch(stage, sweep=sweep, patience=patience)

    monkeypatch.setattr(night.store, "dispatch", trying)
    assert fleet.tick(slots=50).dispatched == 2
    assert len(tried) == 3
    assert fleet.tick(slots=50).dispatched == 0
    assert len(tried) == 4
