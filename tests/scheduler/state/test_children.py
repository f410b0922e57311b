"""A child starts when its parents have succeeded, is skipped with the reason when one cannot, and is opened with it."""

import pytest

from scheduler.state import keys
from scheduler.state.store import Meter, Opening
from sweeps.cost import Usage
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import evaluate, plan, train

CHAIN = [train("a"), train("b", "train-a"), evaluate("b", "train-b")]
OPENING = Opening("train-a|1", Usage(training=1_000))
JOIN = [train("a"), train("b"), evaluate("ab", "train-a", "train-b")]


def test_a_chain_is_released_link_by_link(night: Night) -> None:
    night.submit(plan("s", CHAIN))
    seen = []
    for stage in CHAIN:
        seen.append([night.state(stage.id) for stage in CHAIN])
        night.do(stage.id, "s")
    assert seen == [
        ["ready", "waiting", "waiting"],
        ["succeeded", "ready", "waiting"],
        ["succeeded", "succeeded", "ready"],
    ]
    assert night.sweep_state("s") == "finished"


def test_a_child_of_two_waits_for_both(night: Night) -> None:
    night.submit(plan("s", JOIN))
    night.do("train-b", "s")
    assert night.state("evaluate-ab") == "waiting"
    night.do("train-a", "s")
    assert night.state("evaluate-ab") == "ready"


def test_when_a_parent_fails_all_that_follow_from_it_are_skipped_and_say_why(night: Night) -> None:
    night.submit(plan("s", CHAIN))
    night.fail(night.start("train-a", "s"))
    night.spread()
    assert [night.state(stage.id) for stage in CHAIN] == ["failed", "skipped", "skipped"]
    causes = [night.store.client.hget(keys.stage(stage.id), "cause") for stage in CHAIN]
    assert causes == ["bad data", "skipped: train-a failed", "skipped: train-b skipped"]
    assert night.sweep_state("s") == "finished"


def test_retrying_a_failed_parent_opens_what_was_skipped_with_it(night: Night) -> None:
    night.submit(plan("s", CHAIN))
    night.fail(night.start("train-a", "s"))
    night.spread()
    night.store.scripts.run("retry_sweep", "s")
    night.spread()
    assert [night.state(stage.id) for stage in CHAIN] == ["ready", "waiting", "waiting"]
    assert night.store.client.hget(keys.stage("train-b"), "cause") is None
    for stage in CHAIN:
        night.do(stage.id, "s")
    assert night.sweep_state("s") == "finished"


def test_another_sweep_that_opens_the_parent_opens_the_children_of_a_sweep_that_still_wants_them(night: Night) -> None:
    night.submit(plan("s", [*CHAIN, train("c")]))
    night.fail(night.start("train-a", "s"))
    night.spread()
    assert (night.sweep_state("s"), night.state("evaluate-b")) == ("active", "skipped")
    night.submit(plan("other", [train("a")]))
    assert [night.state(stage.id) for stage in CHAIN] == ["ready", "waiting", "waiting"]


def test_a_worker_may_go_straight_on_with_the_child_of_what_it_finished(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a", cost=40)]))
    night.succeed(night.start("train-a", "s"))
    lease = night.store.continue_on_client("evaluate-a", sweep="s", worker="w1", lease=LEASE, opening=OPENING)
    assert lease is not None
    assert (night.state("evaluate-a"), night.money("s")) == ("running", (1_000, 40, 0))
    assert night.store.continue_on_client("evaluate-a", sweep="s", worker="w2", lease=LEASE, opening=OPENING) is None
    assert night.succeed(lease, {"nll": 1.0}, cost=40)
    night.spread()
    assert (night.sweep_state("s"), night.money("s")) == ("finished", (1_040, 0, 0))


@pytest.mark.parametrize("gate", ["parent", "budget", "slots", "cancelled", "stranger", "backoff"])
def test_no_gate_is_open_to_an_adoption_that_is_closed_to_a_dispatch(night: Night, gate: str) -> None:
    limit = {"budget": 1_039}.get(gate)
    slots = {"slots": 1}.get(gate)
    night.submit(plan("s", [train("a"), evaluate("a", "train-a", cost=40), train("b")]), limit=limit, slots=slots)
    night.submit(plan("stranger", [train("z")]))
    if gate != "parent":
        night.do("train-a", "s")
    if gate == "slots":
        night.start("train-b", "s")
    if gate == "cancelled":
        night.store.scripts.run("cancel_sweep", "s")
    if gate == "backoff":
        night.store.give_back(
            night.start("evaluate-a", "s"), Meter(0, 0), delay=5, failure="outage", cost="exact", cause="429"
        )
    payer = "stranger" if gate == "stranger" else "s"
    before = night.snapshot()
    assert night.store.continue_on_client("evaluate-a", sweep=payer, worker="w", lease=LEASE, opening=OPENING) is None
    assert night.snapshot() == before


def test_an_adoption_shows_that_the_gate_is_open_again(night: Night) -> None:
    night.submit(plan("s", [train("a"), evaluate("a", "train-a")]))
    parent = night.start("train-a", "s")
    night.store.client.hset(keys.sweep("s"), "gate", "day budget")
    night.succeed(parent)
    assert night.continue_on_client("evaluate-a", "s") is not None
    assert night.store.client.hget(keys.sweep("s"), "gate") is None, "nothing else would be dispatched to show it"
