"""No money without a reservation: what is spent, held and doubted stays within the limit, and the books agree."""

import pytest

from scheduler.states import StageState
from scheduler.store import Meter
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import plan, single, train

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


def test_doubtful_money_counts_as_spent(night: Night) -> None:
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


@pytest.mark.parametrize("end", [StageState.SUCCEEDED, StageState.FAILED, StageState.CANCELLED])
def test_however_an_attempt_ends_it_holds_nothing_afterwards(night: Night, end: StageState) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.store.settle(lease, Meter(10, 10), end, cost="exact", result="{}")
    assert night.money("s") == (10, 0, 0)
    assert night.store.client.hget("tinker-sweeps:sweep:s", "inflight") == "0"
