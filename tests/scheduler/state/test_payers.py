"""Who pays may change in the midst of a stage: one withdraws, another goes on. Nobody who wants the stage loses it."""

import itertools
from typing import Any

import pytest

from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Lease, Meter
from tests.scheduler.night import LEASE, PATIENCE, Fleet, Night
from tests.scheduler.plans import evaluate, plan, single, train
from tests.support import RedisServer

STAGE = "train-0000"
WITHDRAWALS = ["cancel_sweep", "pause_sweep"]


@pytest.fixture
def shared(night: Night) -> tuple[Night, Lease]:
    """A stage that `s` pays for and `other` wants as well, in its midst."""
    night.submit(single("s", 1))
    night.submit(single("other", 1))
    lease = night.start(STAGE, "s")
    assert night.commit(lease, 4, 400)
    return night, lease


def yielded(night: Night, lease: Lease, used: int) -> None:
    """The worker does what a yield asks: a fresh checkpoint, and the stage given back."""
    assert night.renew(lease) == ["yield"]
    assert night.commit(lease, used // 100, used)
    meter = Meter(used, used)
    assert night.store.give_back(lease, meter, delay=0, failure="", cost="exact", cause="the sweep pays no more")
    night.spread()


def inflight(night: Night, sweep: str) -> str | None:
    return night.store.client.hget(keys.sweep(sweep), "inflight")


@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_when_the_payer_withdraws_another_sweep_pays_on_from_the_next_checkpoint_and_has_its_result(
    shared: tuple[Night, Lease], withdrawal: str
) -> None:
    night, lease = shared
    assert night.tell(withdrawal, "s") == "active"
    yielded(night, lease, 600)
    assert (night.money("s"), inflight(night, "s")) == ((600, 0, 0), "0"), "not a millionth after the withdrawal"
    again = night.start(STAGE, "other")
    assert night.store.read_assignment(STAGE).checkpoint == {
        **(night.store.read_assignment(STAGE).checkpoint or {}),
        "step": 6,
    }
    assert night.money("other") == (0, 400, 0)
    night.succeed(again, {"nll": 1.0}, cost=400)
    night.spread()
    assert (night.sweep_state("other"), night.money("other"), night.money("s")) == (
        "finished",
        (400, 0, 0),
        (600, 0, 0),
    )


def test_an_attempt_that_nobody_else_wants_stops_or_yields_as_the_withdrawal_says(night: Night) -> None:
    for number, (withdrawal, answer) in enumerate([("cancel_sweep", "stop"), ("pause_sweep", "yield")]):
        night.submit(single(f"s{number}", 1, prefix=str(number)))
        lease = night.start(f"train-{number}0000", f"s{number}")
        night.tell(withdrawal, f"s{number}")
        assert night.renew(lease) == [answer]


@pytest.mark.parametrize(("first", "second"), list(itertools.product(WITHDRAWALS, WITHDRAWALS)))
@pytest.mark.parametrize("order", [("s", "other"), ("other", "s")])
def test_when_both_withdraw_it_stops_for_good_only_if_both_have_cancelled(
    shared: tuple[Night, Lease], first: str, second: str, order: tuple[str, str]
) -> None:
    night, lease = shared
    night.tell(first, order[0])
    night.tell(second, order[1])
    both = first == second == "cancel_sweep"
    assert night.renew(lease) == ["stop" if both else "yield"]
    assert night.store.settle(lease, Meter(500, 500), StageState.CANCELLED, cost="exact", cause="")
    night.spread()
    assert night.state(STAGE) == ("cancelled" if both else "ready"), "what somebody wants later is not over"
    for sweep in order:
        assert night.store.dispatch(STAGE, sweep=sweep, patience=9).refused


def test_what_was_sent_and_what_waits_goes_to_the_other_sweep_at_once(night: Night) -> None:
    night.submit(single("s", 2))
    night.submit(single("other", 2))
    sent = night.store.dispatch(STAGE, sweep="s", patience=PATIENCE)
    night.tell("pause_sweep", "s")
    assert night.money("s") == (0, 0, 0)
    assert night.store.claim(STAGE, attempt=sent.attempt, worker="w", lease=LEASE) is None
    for number in range(2):
        assert night.store.dispatch(f"train-000{number}", sweep="s", patience=9).refused == "the sweep is not active"
        assert night.start(f"train-000{number}", "other")


def test_a_sweep_that_does_not_pay_may_withdraw_and_nobody_notices(shared: tuple[Night, Lease]) -> None:
    night, lease = shared
    for withdrawal in reversed(WITHDRAWALS):
        night.tell(withdrawal, "other")
        assert night.renew(lease) == ["held"]
    assert night.succeed(lease, {"nll": 1.0})


def test_a_resumed_sweep_goes_on_with_what_still_runs_as_if_nothing_had_been(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.tell("pause_sweep", "s")
    assert night.renew(lease) == ["yield"]
    assert night.tell("resume_sweep", "s") == "paused"
    assert night.renew(lease) == ["held"]
    night.succeed(lease)
    night.spread()
    assert night.sweep_state("s") == "finished"


def test_a_paused_sweep_starts_nothing_keeps_all_and_goes_on_where_it_was(night: Night, redis: RedisServer) -> None:
    fleet = Fleet(night, redis.url)
    night.submit(plan("s", [train("a"), train("b"), evaluate("a", "train-a")]))
    lease = night.start("train-a", "s")
    night.tell("pause_sweep", "s")
    yielded(night, lease, 300)
    assert fleet.tick().dispatched == 0
    night.clock.pass_seconds(86_400)
    assert fleet.tick().dispatched == 0
    assert [night.state(stage) for stage in ("train-a", "train-b", "evaluate-a")] == ["ready", "ready", "waiting"]
    night.tell("resume_sweep", "s")
    assert fleet.tick().dispatched == 2
    assert night.money("s") == (300, 700 + 1_000, 0), "of the one that had begun, only the rest is reserved"
    fleet.nudges.close()


def test_what_ends_at_another_ones_cost_while_a_sweep_is_paused_counts_for_it_when_it_is_resumed(night: Night) -> None:
    night.submit(single("s", 1))
    night.submit(single("other", 1))
    night.tell("pause_sweep", "s")
    night.do(STAGE, "other")
    assert (night.sweep_state("s"), night.sweep_state("other")) == ("paused", "finished")
    night.tell("resume_sweep", "s")
    assert (night.sweep_state("s"), night.money("s")) == ("finished", (0, 0, 0))


def test_a_new_sweep_pays_for_what_a_paused_one_has_left(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.tell("pause_sweep", "s")
    night.submit(single("late", 1))
    yielded(night, lease, 500)
    night.do(STAGE, "late", cost=500)
    assert (night.money("s"), night.money("late")) == ((500, 0, 0), (500, 0, 0))


def test_a_payer_that_is_lost_while_it_should_yield_leaves_the_stage_to_the_other(shared: tuple[Night, Lease]) -> None:
    night, lease = shared
    night.tell("cancel_sweep", "s")
    night.clock.pass_seconds(LEASE)
    night.spread()
    assert night.renew(lease) == ["lost"]
    new = night.start(STAGE, "other")
    assert night.renew(new) == ["held"], "the request to yield was the old attempt's"
    assert night.money("s") == (400, 0, 600)


@pytest.mark.parametrize("withdrawal", WITHDRAWALS)
def test_the_evaluations_of_a_training_are_not_adopted_at_the_cost_of_whoever_withdrew(
    night: Night, withdrawal: str
) -> None:
    stages = [train("a"), evaluate("a", "train-a")]
    night.submit(plan("s", stages))
    night.submit(plan("other", stages))
    lease = night.start("train-a", "s")
    night.tell(withdrawal, "s")
    night.succeed(lease)
    assert night.continue_on_client("evaluate-a", "s") is None
    night.spread()
    night.do("evaluate-a", "other")
    assert night.sweep_state("other") == "finished"


MOODS = {  # verb -> state before -> state after
    "pause_sweep": {"active": "paused", "paused": "paused", "cancelled": "cancelled", "finished": "finished"},
    "resume_sweep": {"active": "active", "paused": "active", "cancelled": "cancelled", "finished": "finished"},
    "cancel_sweep": {"active": "cancelled", "paused": "cancelled", "cancelled": "cancelled", "finished": "finished"},
    "retry_sweep": {"active": "active", "paused": "paused", "cancelled": "active", "finished": "finished"},
}


@pytest.mark.parametrize(("verb", "before"), [(verb, before) for verb, states in MOODS.items() for before in states])
def test_each_change_of_mind_answers_what_was_and_says_what_is(night: Night, verb: str, before: str) -> None:
    night.submit(single("s", 1))
    match before:
        case "finished":
            night.do(STAGE, "s")
        case "active":
            pass
        case _:
            night.tell({"paused": "pause_sweep", "cancelled": "cancel_sweep"}[before], "s")
    assert night.tell(verb, "s") == before
    assert night.sweep_state("s") == MOODS[verb][before]
    client: Any = night.store.client
    kept = {state for state in ("live", "held") if client.sismember(keys.PREFIX + state, "s")}
    assert kept == {"active": {"live"}, "paused": {"held"}}.get(night.sweep_state("s"), set())


def test_a_retry_while_paused_opens_what_failed_and_pays_for_it_when_it_is_resumed(night: Night) -> None:
    night.submit(single("s", 2))
    night.fail(night.start(STAGE, "s"))
    night.tell("pause_sweep", "s")
    night.tell("retry_sweep", "s")
    assert (night.state(STAGE), night.sweep_state("s")) == ("ready", "paused")
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "the sweep is not active"
    night.tell("resume_sweep", "s")
    assert night.start(STAGE, "s")
