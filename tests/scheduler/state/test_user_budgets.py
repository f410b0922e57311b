"""All sweeps of a user together reserve and spend within the user's day and month, whatever each of them may."""

import json
from datetime import date, timedelta

import pytest

from scheduler.state import keys, views
from scheduler.state.people.actors import Actor
from scheduler.state.people.audit_log import read_audit
from scheduler.state.people.user_budgets import Period, UserCosts, read_user_costs, set_user_budget
from scheduler.state.store import Meter
from scheduler.waiting_reasons import FleetStatus, explain_waiting
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import single
from tests.support import FakeClock

OPS = Actor("ops", "a test")
STAGE = "train-0000"
EPOCH = date(1970, 1, 1)
MIDNIGHT = 86_400 - FakeClock().now // 1_000 % 86_400  # seconds from when the clock begins


def allow(night: Night, user: str = "ada", **limits: int | None) -> None:
    periods: dict[Period, int | None] = {"day": limits["day"]} if "day" in limits else {}
    set_user_budget(night.store, OPS, user, periods | ({"month": limits["month"]} if "month" in limits else {}))


def costs(night: Night, period: Period = "day") -> UserCosts:
    (row,) = [row for row in read_user_costs(night.store, night.clock()) if (row.user, row.period) == ("ada", period)]
    return row


def refusal(night: Night, stage: str, sweep: str = "s") -> str:
    return night.store.dispatch(stage, sweep=sweep, patience=9).refused


def test_a_day_holds_what_all_sweeps_of_a_user_reserve_and_no_other_users(night: Night) -> None:
    allow(night, day=2_500)
    night.submit(single("s", 2))
    night.submit(single("other", 1, prefix="o"), limit=9_000)
    night.submit(single("bobs", 1, prefix="b"), user="bob")
    night.do(STAGE, "s", cost=900)
    lease = night.start("train-o0000", "other")
    assert refusal(night, "train-0001") == "user day budget"
    night.do("train-b0000", "bobs")
    night.succeed(lease, cost=1_000)
    assert refusal(night, "train-0001") == "user day budget"
    assert (costs(night).spent, costs(night).reserved, costs(night).limit) == (1_900, 0, 2_500)
    night.clock.pass_seconds(MIDNIGHT)
    assert (costs(night).spent, costs(night, "month").spent) == (0, 1_900)
    night.start("train-0001", "s")
    assert costs(night).reserved == 1_000


def test_a_month_holds_until_the_first_of_the_next(night: Night) -> None:
    now = night.clock() // 1000
    today = EPOCH + timedelta(days=now // 86_400)
    turn = (today.replace(day=1) + timedelta(days=32)).replace(day=1) - EPOCH
    allow(night, month=1_500)
    night.submit(single("s", 2))
    night.do(STAGE, "s", cost=900)
    night.clock.pass_seconds(turn.days * 86_400 - now - 1)
    assert refusal(night, "train-0001") == "user month budget"
    night.clock.pass_seconds(1)
    assert night.start("train-0001", "s")
    assert costs(night, "month").begins.day == 1


def test_a_limit_that_is_lifted_or_raised_counts_at_once(night: Night) -> None:
    allow(night, day=999, month=999)
    night.submit(single("s", 2))
    assert refusal(night, STAGE) == "user day budget"
    allow(night, day=None)
    assert refusal(night, STAGE) == "user month budget"
    allow(night, month=1_000)
    night.do(STAGE, "s")
    assert refusal(night, "train-0001") == "user month budget"
    assert [line.what for line in read_audit(night.store, last=9)] == ["set user budget"] * 3


def test_a_stage_without_a_price_does_not_run_at_the_cost_of_a_user_with_a_budget(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.client.hset(keys.stage(STAGE), "rates", "")
    allow(night, month=9_000_000)
    assert refusal(night, STAGE) == "no price"
    allow(night, month=None)
    night.start(STAGE, "s")


def test_a_running_attempt_gets_no_more_than_its_user_may_spend(night: Night) -> None:
    allow(night, day=1_100)
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.commit(lease, 9, 1_000)
    assert night.store.reserve_more(lease, Meter(1_000, 1_000), 200) == "user day budget"
    assert night.store.reserve_more(lease, Meter(1_000, 1_000), 100) == "held"


def test_an_unreconciled_cost_is_of_the_day_on_which_its_attempt_ended(night: Night) -> None:
    night.submit(single("s", 1))
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert (costs(night).unreconciled, costs(night, "month").unreconciled) == (1_000, 1_000)
    ended = night.clock()
    night.clock.pass_seconds(MIDNIGHT)
    night.tell("reconcile_cost", f"{STAGE}|1", json.dumps({"training": 700}))
    then = read_user_costs(night.store, ended)[0]
    assert (then.spent, then.unreconciled, costs(night).spent, costs(night, "month").spent) == (700, 0, 0, 700)


@pytest.mark.parametrize("first", [EPOCH, date(1999, 12, 1), date(2024, 2, 1), date(2100, 2, 1)])
def test_months_are_those_of_the_calendar(night: Night, first: date) -> None:
    days = [first + timedelta(days=day) for day in range(800)]
    numbers = [(day - EPOCH).days for day in days]
    body = "local months = {} for i = 1, #ARGS do months[i] = find_month(tonumber(ARGS[i])) end return months"
    assert night.run_lua(body, *numbers) == [f"{day:%Y-%m}" for day in days]


def test_status_knows_the_gate_and_the_tick_tries_again(fleet: Fleet) -> None:
    night = fleet.night
    allow(night, day=0)
    night.submit(single("s", 1))
    fleet.tick()
    view = views.read_sweep(night.store, "s")
    assert (view.gate, explain_waiting(view, FleetStatus(1, 1, {})).gate) == ("user day budget", "user day budget")
    allow(night, day=1_000)
    assert fleet.tick().dispatched == 1
