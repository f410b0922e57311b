"""No money without a reservation: what is spent, held and unreconciled stays within the limit, and the books agree."""

import json
from dataclasses import replace

import pytest

from scheduler.state import keys, views
from scheduler.state.costs import read_costs, read_today
from scheduler.state.states import StageState
from scheduler.state.store import Meter
from scheduler.state.submission import Submission, submit
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import plan, single, submission, train
from tests.support import FakeClock, RedisServer

STAGE = "train-0000"


def test_a_dispatch_holds_the_estimate_and_the_end_pays_what_it_was(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    assert night.money("s") == (0, 1_000, 0)
    night.store.report_progress(lease, Meter(250, 250), {})
    assert night.money("s") == (250, 750, 0)
    night.succeed(lease, cost=800)
    assert night.money("s") == (800, 0, 0)


def test_a_total_that_arrives_late_or_twice_is_booked_once(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    for total in (400, 100, 400):
        night.store.report_progress(lease, Meter(total, total), {})
    assert night.money("s") == (400, 600, 0)


@pytest.mark.parametrize(("limit", "started"), [(999, 0), (1_000, 1), (2_999, 2), (3_000, 3)])
def test_no_more_is_started_than_the_limit_allows(night: Night, limit: int, started: int) -> None:
    night.submit(single("s", 3), limit=limit)
    answers = [night.store.dispatch(f"train-{n:04d}", sweep="s", patience=9) for n in range(3)]
    assert [answer.refused for answer in answers] == [""] * started + ["budget"] * (3 - started)


def test_what_a_stage_did_not_need_is_free_for_the_next(night: Night) -> None:
    night.submit(single("s", 2), limit=1_500)
    night.do(STAGE, "s", cost=500)
    night.do("train-0001", "s", cost=1_000)
    assert night.money("s") == (1_500, 0, 0)


def test_unreconciled_money_counts_as_spent(night: Night) -> None:
    night.submit(single("s", 1), limit=1_999)
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.money("s") == (0, 0, 1_000)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget"


def test_an_attempt_that_costs_more_than_its_estimate_is_booked_as_it_was_and_stops_the_rest(night: Night) -> None:
    night.submit(single("s", 2), limit=2_000)
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(1_500, 1_500), {})
    assert night.money("s") == (1_500, 0, 0), "the ledger is never below what the service did"
    night.succeed(lease, cost=1_500)
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "budget"


def test_an_attempt_that_is_given_back_costs_what_it_used_and_the_next_one_the_rest(night: Night) -> None:
    night.submit(single("s", 1), limit=1_000)
    lease = night.start(STAGE, "s")
    night.commit(lease, 6, 600)
    night.store.give_back(lease, Meter(600, 600), delay=0, failure="", cost="exact", cause="the worker is stopping")
    night.spread()
    again = night.start(STAGE, "s")
    assert night.money("s") == (600, 400, 0)
    night.succeed(again, cost=400)
    assert night.money("s") == (1_000, 0, 0)


def test_the_sweep_that_admits_a_shared_stage_pays_and_the_other_one_does_not(night: Night) -> None:
    night.submit(plan("payer", [train("shared")]))
    night.submit(plan("guest", [train("shared")]), limit=1)
    night.do("train-shared", "payer", cost=900)
    assert (night.money("payer"), night.money("guest")) == ((900, 0, 0), (0, 0, 0))
    assert night.sweep_state("guest") == "finished"


def test_what_is_reserved_is_the_high_estimate(night: Night) -> None:
    """Of a stage whose cost is not known beforehand, as that of one that samples until it is done."""
    night.submit(plan("s", [train("0000", cost=1_000, low=200)]), limit=999)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget"
    night.tell("set_budget", "s", 1_000)
    lease = night.start(STAGE, "s")
    assert night.money("s") == (0, 1_000, 0)
    night.succeed(lease, cost=200)
    assert night.money("s") == (200, 0, 0)
    (costs,) = [kind for kind in read_costs(night.store, "s").kinds if kind.stages]
    assert (costs.low, costs.high, costs.metered) == (200, 1_000, 200)


# More than was estimated.


def test_more_is_held_before_it_is_used_and_never_twice(night: Night) -> None:
    night.submit(single("s", 1), limit=1_500)
    lease = night.start(STAGE, "s")
    for _ in range(2):  # the answer was lost
        assert night.store.reserve_more(lease, Meter(900, 900), 300) == "held"
        assert night.money("s") == (900, 300, 0)
    night.succeed(lease, cost=1_200)
    assert night.money("s") == (1_200, 0, 0)


def test_what_is_held_already_needs_no_more(night: Night) -> None:
    night.submit(single("s", 1), limit=1_000)
    assert night.store.reserve_more(night.start(STAGE, "s"), Meter(400, 400), 600) == "held"
    assert night.money("s") == (400, 600, 0)


def test_more_is_refused_where_the_budget_is_spent_and_the_next_attempt_waits_until_it_is_not(night: Night) -> None:
    """The stage is not begun again in vain: its estimate is spent, and what it was short of cannot be held."""
    night.submit(single("s", 1), limit=1_100)
    lease = night.start(STAGE, "s")
    night.commit(lease, 9, 1_000)
    assert night.store.reserve_more(lease, Meter(1_000, 1_000), 200) == "budget"
    assert night.store.client.hget(keys.sweep("s"), "gate") == "budget"
    night.store.give_back(lease, Meter(1_000, 1_000), delay=0, failure="", cost="exact", cause="budget")
    night.spread()
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget"
    night.tell("set_budget", "s", 1_200)
    assert night.store.client.hget(keys.sweep("s"), "gate") is None
    assert night.store.dispatch(STAGE, sweep="s", patience=9).attempt == 2
    night.clock.pass_seconds(9)  # that nudge is lost
    night.spread()
    night.start(STAGE, "s")
    assert night.money("s") == (1_000, 200, 0)


def test_a_lost_attempt_is_held_nothing_more(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    before = night.snapshot()
    assert night.store.reserve_more(lease, Meter(1_000, 1_000), 200) == "lost"
    assert night.snapshot() == before


# A budget that changes.


@pytest.mark.parametrize(("limit", "done"), [(1_299, False), (1_300, True), (9_000, True), (0, False)])
def test_a_budget_never_falls_below_what_is_spent_held_and_unreconciled(night: Night, limit: int, done: bool) -> None:
    night.submit(single("s", 3), limit=5_000)
    night.do(STAGE, "s", cost=200)
    night.store.report_progress(night.start("train-0001", "s"), Meter(100, 100), {})
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.tell("reconcile_cost", "train-0001|1", json.dumps({"training": 100}))
    night.start("train-0002", "s")
    assert night.money("s") == (300, 1_000, 0)
    before = night.snapshot()
    assert night.store.scripts.run("set_budget", "s", limit) == ["active", int(done), 300, 1_000, 0]
    assert night.store.client.hget(keys.sweep("s"), "limit") == str(limit if done else 5_000)
    assert done or night.snapshot() == before


def test_people_are_told_once_when_a_budget_is_nearly_spent_and_once_when_it_is_reached(night: Night) -> None:
    def told() -> tuple[bool, ...]:
        return tuple(bool(night.store.client.hget(keys.sweep("s"), f"budget:{mark}")) for mark in ("80", "reached"))

    night.submit(single("s", 3), limit=2_000)
    night.do(STAGE, "s")
    assert told() == (False, False)
    lease = night.start("train-0001", "s")
    night.store.report_progress(lease, Meter(599, 599), {})
    assert told() == (False, False)
    night.store.report_progress(lease, Meter(600, 600), {})
    assert told() == (True, False)
    marked = night.store.client.hget(keys.sweep("s"), "budget:80")
    night.clock.pass_seconds(1)
    night.succeed(lease)
    assert night.store.dispatch("train-0002", sweep="s", patience=9).refused == "budget"
    assert told() == (True, True)
    assert night.store.client.hget(keys.sweep("s"), "budget:80") == marked
    night.tell("set_budget", "s", 5_000)
    assert told() == (False, False)


# The day.

MIDNIGHT = 86_400 - FakeClock().now // 1_000 % 86_400  # seconds from when the clock begins


def day_limit(night: Night, amount: int | str, service: str = "offline") -> None:
    night.store.scripts.run("set_limits", f"day:{service}", amount)


def test_a_day_holds_what_all_sweeps_reserve_and_when_it_turns_they_go_on(night: Night) -> None:
    day_limit(night, 2_500)
    night.submit(single("s", 2))
    night.submit(single("other", 2, prefix="o"), limit=9_000)
    night.do(STAGE, "s", cost=900)
    lease = night.start("train-o0000", "other")
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "day budget"
    night.succeed(lease, cost=1_000)
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "day budget"
    night.clock.pass_seconds(MIDNIGHT - 1)
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "day budget"
    night.clock.pass_seconds(1)
    assert night.store.dispatch("train-0001", sweep="s", patience=9).attempt == 1


def test_what_is_held_over_midnight_is_held_of_the_new_day_too(night: Night) -> None:
    day_limit(night, 1_500)
    night.submit(single("s", 2))
    night.clock.pass_seconds(MIDNIGHT - 5)
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(100, 100), {})
    night.clock.pass_seconds(10)
    assert night.store.dispatch("train-0001", sweep="s", patience=9).refused == "day budget"
    night.succeed(lease, cost=500)
    assert [read_today(night.store, night.clock() - back)[0].spent for back in (0, 10_000)] == [400, 100]
    assert night.store.dispatch("train-0001", sweep="s", patience=9).attempt == 1


def test_an_unreconciled_cost_is_of_the_day_on_which_its_attempt_ended(night: Night) -> None:
    day_limit(night, 1_000)
    night.submit(single("s", 2))
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    ended = night.clock()
    night.clock.pass_seconds(MIDNIGHT)
    night.tell("reconcile_cost", f"{STAGE}|1", json.dumps({"training": 700}))
    (then,), (now,) = read_today(night.store, ended), read_today(night.store, night.clock())
    assert ((then.spent, then.unreconciled), (now.spent, now.unreconciled)) == ((700, 0), (0, 0))
    night.start(STAGE, "s")


def test_what_turns_out_to_be_less_makes_no_room_on_a_day_on_which_it_was_not_booked(night: Night) -> None:
    """An attempt over midnight, cut off: most of what it was thought to have used was booked before."""
    day_limit(night, 1_000)
    night.submit(single("s", 2))
    night.clock.pass_seconds(MIDNIGHT - 5)
    lease = night.start(STAGE, "s")
    night.store.report_progress(lease, Meter(900, 900), {})
    night.clock.pass_seconds(10)
    night.store.give_back(lease, Meter(950, 950), delay=60, failure="outage", cost="at most", cause="503")
    night.tell("reconcile_cost", f"{STAGE}|1", json.dumps({"training": 300}))
    assert (night.money("s"), [day.spent for day in read_today(night.store, night.clock())]) == ((300, 0, 0), [50])


def test_each_service_has_a_day_of_its_own(night: Night) -> None:
    day_limit(night, 0, "tinker")
    night.submit(single("s", 1))
    night.start(STAGE, "s")
    assert [(day.service, day.reserved, day.limit) for day in read_today(night.store, night.clock())] == [
        ("offline", 1_000, None),
        ("tinker", 0, 0),
    ]


def test_a_limit_that_is_lifted_holds_nobody(night: Night) -> None:
    day_limit(night, 0)
    night.submit(single("s", 1))
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "day budget"
    day_limit(night, "")
    night.start(STAGE, "s")


def test_status_knows_the_gate_and_the_tick_tries_again(night: Night, redis: RedisServer) -> None:
    fleet = Fleet(night, redis.url)
    day_limit(night, 0)
    night.submit(single("s", 1))
    fleet.tick()
    assert views.read_sweep(night.store, "s").gate == "day budget"
    day_limit(night, 1_000)
    assert fleet.tick().dispatched == 1
    assert views.read_sweep(night.store, "s").gate is None
    fleet.nudges.close()


# No price.


def unpriced(sweep: str, limit: int | None = None) -> Submission:
    stage = replace(train("0000"), micro_usd=None, low_micro_usd=None)
    return submission(plan(sweep, [stage]), limit=limit)


def test_what_has_no_price_runs_for_nothing_but_under_no_budget(night: Night) -> None:
    submit(night.store, unpriced("s"))
    night.spread()
    day_limit(night, 1_000_000)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "no price"
    day_limit(night, "")
    night.tell("set_budget", "s", 1_000_000)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "no price"


def test_a_price_that_is_found_later_is_that_of_the_stage(night: Night) -> None:
    submit(night.store, unpriced("s"))
    night.submit(single("paying", 1), limit=1_000)
    night.start(STAGE, "paying")
    assert night.money("paying") == (0, 1_000, 0)


@pytest.mark.parametrize("end", [StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED])
def test_however_an_attempt_ends_it_holds_nothing_afterwards(night: Night, end: StageState) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.settle(lease, Meter(10, 10), end, cost="exact", result="{}")
    assert night.money("s") == (10, 0, 0)
    assert night.store.client.hget("tinker-sweeps:sweep:s", "inflight") == "0"


def told(night: Night) -> list[str]:
    return [notice.rpartition("-")[2] for notice in night.store.client.zrange(keys.NOTICES, 0, -1)]


def test_people_are_told_once_of_four_fifths_and_once_of_the_end_of_a_budget(night: Night) -> None:
    night.submit(single("s", 6), limit=5_000, notify=("HOOK",))
    for number in range(3):
        night.do(f"train-{number:04d}", "s")
    assert told(night) == ["started"], "three fifths"
    night.do("train-0003", "s")
    night.do("train-0004", "s")
    assert told(night) == ["started", "budget80"]
    for _ in range(2):
        assert night.store.dispatch("train-0005", sweep="s", patience=9).refused == "budget"
    assert told(night) == ["started", "budget80", "budget"]
    night.store.scripts.run("set_budget", "s", 9_000)
    night.do("train-0005", "s")
    assert told(night)[:3] == ["started", "budget80", "budget"]
