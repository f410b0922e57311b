"""An attempt whose end leaves open what it cost stays unreconciled until the service has said what it counted."""

import json
from typing import Any

import pytest

from scheduler.engine.tick import OVERDUE
from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Cost, Lease, Meter
from tests.scheduler.night import LEASE, PATIENCE, STALL, Night
from tests.scheduler.plans import evaluate, plan, single, train

STAGE = "train-0000"
FIRST = f"{STAGE}|1"


def unreconciled(night: Night) -> list[str]:
    attempts: list[str] = night.store.client.zrange(keys.UNRECONCILED, 0, -1)
    kept = [key for key in night.snapshot() if key.startswith(keys.unreconciled(""))]
    assert sorted(keys.unreconciled(attempt) for attempt in attempts) == sorted(kept)
    return attempts


def resolve(night: Night, attempt: str, tokens: int) -> bool:
    return bool(night.store.scripts.run("reconcile_cost", attempt, json.dumps({"training": tokens})))


def tokens(night: Night) -> tuple[str | None, str | None]:
    """As the stage and the sweep have them."""
    return night.store.client.hget(keys.stage(STAGE), "tokens"), night.store.client.hget(keys.sweep("s"), "tokens")


def begun(night: Night, used: int) -> Lease:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    if used:
        night.store.report_progress(lease, Meter(used, used), {})
    return lease


def given_back(night: Night, lease: Lease, used: int, cost: Cost) -> None:
    night.store.give_back(lease, Meter(used, used), delay=0, failure="", cost=cost, cause="")


def settled(night: Night, lease: Lease, used: int, cost: Cost) -> None:
    night.store.settle(lease, Meter(used, used), StageState.FAILED, cost=cost, cause="")


@pytest.mark.parametrize("end", [given_back, settled])
@pytest.mark.parametrize(
    ("used", "cost", "booked"),
    [
        (300, "exact", (300, 0, 0)),
        (300, "at most", (300, 0, 0)),
        (0, "at most", (0, 0, 0)),
        (300, "unknown", (300, 0, 700)),
        (0, "unknown", (0, 0, 1_000)),
    ],
)
def test_what_is_known_of_the_cost_decides_what_stays_booked(
    night: Night, end: Any, used: int, cost: Cost, booked: tuple[int, int, int]
) -> None:
    end(night, begun(night, used), used, cost)
    is_open = cost == "unknown" or (cost == "at most" and used > 0)  # what was not asked for was not done
    assert (night.money("s"), unreconciled(night)) == (booked, [FIRST] if is_open else [])


def test_a_success_leaves_nothing_to_reconcile(night: Night) -> None:
    night.succeed(begun(night, 300), cost=800)
    assert (night.money("s"), unreconciled(night)) == ((800, 0, 0), [])


def test_a_claim_that_never_came_leaves_nothing_to_reconcile(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    night.clock.pass_seconds(PATIENCE)
    night.spread()
    assert unreconciled(night) == []


@pytest.mark.parametrize("end", ["lost", "stalled"])
@pytest.mark.parametrize("counted", [0, 300, 700, 1_000])
def test_what_the_service_counted_takes_the_place_of_what_was_feared(night: Night, end: str, counted: int) -> None:
    lease = begun(night, 300)
    if end == "lost":
        night.clock.pass_seconds(LEASE)
    else:
        night.renew(lease, quiet=OVERDUE * STALL)
    night.spread()
    assert (night.money("s"), unreconciled(night)) == ((300, 0, 700), [FIRST])
    assert resolve(night, FIRST, counted)
    assert (night.money("s"), unreconciled(night)) == ((counted, 0, 0), [])
    assert tokens(night) == (str(counted), str(counted))
    assert night.store.client.hmget(keys.stage(STAGE), ["micro_usd", "unreconciled"]) == [str(counted), "0"]


def test_a_cost_is_reconciled_once(night: Night) -> None:
    settled(night, begun(night, 300), 300, "unknown")
    assert resolve(night, FIRST, 500)
    before = night.snapshot()
    assert not resolve(night, FIRST, 900)
    assert not resolve(night, "train-nobody|7", 900)
    assert night.snapshot() == before


def test_each_attempt_is_reconciled_by_itself_in_any_order(night: Night) -> None:
    night.submit(single("s", 1), limit=3_000)
    for used in (100, 200):
        night.store.report_progress(night.start(STAGE, "s"), Meter(used, used), {})
        night.clock.pass_seconds(LEASE)
        night.spread()
    assert (night.money("s"), unreconciled(night)) == ((300, 0, 1_700), [FIRST, f"{STAGE}|2"])
    again = night.start(STAGE, "s")
    assert resolve(night, f"{STAGE}|2", 250)
    assert night.money("s") == (350, 1_000, 900)
    night.succeed(again, cost=1_000)
    assert resolve(night, FIRST, 100)
    assert (night.money("s"), tokens(night)) == ((1_350, 0, 0), ("1350", "1350"))


def test_a_reconciled_cost_makes_room_in_the_budget(night: Night) -> None:
    night.submit(single("s", 1), limit=1_500)
    night.store.report_progress(night.start(STAGE, "s"), Meter(300, 300), {})
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget"
    resolve(night, FIRST, 400)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).attempt == 2


def test_the_cost_stays_with_the_sweep_that_paid_then(night: Night) -> None:
    night.submit(single("s", 1))
    night.submit(single("other", 1))
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    night.do(STAGE, "other", cost=900)
    night.tell("cancel_sweep", "s")
    resolve(night, FIRST, 600)
    assert (night.money("s"), night.money("other")) == ((600, 0, 0), (900, 0, 0))
    assert night.store.client.hget(keys.stage(STAGE), "micro_usd") == "1500"


def test_what_a_session_was_used_for_before_an_adoption_is_not_counted_twice(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a", cost=400), evaluate("b", "train-a", cost=400)]))
    night.succeed(night.start("train-a", "s"), cost=1_000)
    first = night.continue_on_client("evaluate-a", "s", opened_by="train-a|1", used=1_000)
    assert first is not None
    night.store.settle(first, Meter(400, 400), StageState.SUCCEEDED, cost="exact", result="{}")
    second = night.continue_on_client("evaluate-b", "s", opened_by="train-a|1", used=1_400)
    assert second is not None
    night.store.report_progress(second, Meter(100, 100), {})
    night.clock.pass_seconds(LEASE)
    night.spread()
    (attempt,) = unreconciled(night)
    assert night.store.client.hmget(keys.unreconciled(attempt), ["opened_by", "opened_usage"]) == [
        "train-a|1",
        '{"training":1400}',
    ]
    assert resolve(night, attempt, 1_400 + 250)
    assert night.money("s") == (1_650, 0, 0)


def test_an_attempt_in_a_session_of_its_own_was_not_preceded_by_anybody(night: Night) -> None:
    """Even where an attempt of the same stage, before it, had gone on in another's session."""
    night.submit(plan("s", [train("a"), evaluate("a", "train-a", cost=400)]))
    night.succeed(night.start("train-a", "s"), cost=1_000)
    adopted = night.continue_on_client("evaluate-a", "s", used=1_000)
    assert adopted is not None
    for attempt in ("evaluate-a|1", "evaluate-a|2"):
        night.clock.pass_seconds(LEASE)
        night.spread()
        assert unreconciled(night) == [attempt]
        assert resolve(night, attempt, 1_000 if attempt == "evaluate-a|1" else 250)
        if attempt == "evaluate-a|1":
            night.start("evaluate-a", "s")
    assert night.money("s") == (1_250, 0, 0)


def test_a_price_is_rounded_up_once_for_the_whole_attempt(night: Night) -> None:
    night.submit(single("s", 1))
    night.store.client.hset(keys.stage(STAGE), "rates", '{"training":333333}')
    night.store.report_progress(night.start(STAGE, "s"), Meter(10, 4), {})
    night.clock.pass_seconds(LEASE)
    night.spread()
    resolve(night, FIRST, 10)
    assert night.money("s") == (4, 0, 0)


def test_a_service_that_counted_more_than_was_held_is_believed(night: Night) -> None:
    night.submit(single("s", 1), limit=1_000)
    night.start(STAGE, "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    resolve(night, FIRST, 1_200)
    assert night.money("s") == (1_200, 0, 0)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget"
