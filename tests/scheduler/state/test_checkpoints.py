"""Where an attempt goes on: at the newest checkpoint, the one before it, the parent's; and which ones nobody needs."""

import json
import re
from dataclasses import replace

import pytest

from scheduler.state import keys, views
from scheduler.state.states import StageState
from scheduler.state.store import RETRAININGS, Lease, Meter
from sweeps.planning.plan import Plan, Run
from tests.scheduler.night import LEASE, Night, checkpoint
from tests.scheduler.plans import evaluate, plan, single, train
from tests.support import read_log

STAGE = "train-0000"
FAMILY = [train("a"), evaluate("one", "train-a", cost=50), evaluate("two", "train-a", cost=50)]


def path(step: int, run: str = "run") -> str:
    return str(checkpoint(step, run=run)["path"])


def keeping(keep: str | int) -> Plan:
    """One stage whose spec says how many of its checkpoints are kept."""
    stage = replace(train("0000"), execution={"checkpoint": {"keep": keep}})
    return plan("s", [stage])


# Which are kept.


@pytest.mark.parametrize(
    ("keep", "unfinished", "finished"),
    [("last", [4, 5], [5]), (1, [4, 5], [5]), (2, [4, 5], [4, 5]), (3, [3, 4, 5], [3, 4, 5]), ("all", None, None)],
)
def test_of_an_unfinished_stage_the_one_before_stays_and_what_the_spec_keeps_stays_to_the_end(
    night: Night, keep: str | int, unfinished: list[int] | None, finished: list[int] | None
) -> None:
    every = [1, 2, 3, 4, 5]
    night.submit(keeping(keep))
    lease = night.start(STAGE, "s")
    for step in every:
        night.commit(lease, step, step * 100)
    assert night.steps(STAGE) == (unfinished or every)
    night.succeed(lease)
    assert night.steps(STAGE) == (finished or every)
    assert night.discarded() == {path(step) for step in every if step not in (finished or every)}


@pytest.mark.parametrize("end", [StageState.FAILED, StageState.CANCELLED])
def test_a_stage_that_ends_without_a_result_keeps_what_a_retry_can_go_on_from(night: Night, end: StageState) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.commit(lease, 1)
    night.commit(lease, 2)
    if end is StageState.CANCELLED:
        night.tell("cancel_sweep", "s")
    night.store.settle(lease, Meter(0, 0), end, cost="exact", cause="")
    night.spread()
    assert (night.state(STAGE), night.steps(STAGE), night.discarded()) == (end, [1, 2], set())
    night.tell("retry_sweep", "s")
    night.start(STAGE, "s")
    assert night.store.read_assignment(STAGE).checkpoint == checkpoint(2)


def test_a_commit_whose_answer_was_lost_is_one_checkpoint_and_discards_nothing_more(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    for step in (1, 2, 2, 2):
        assert night.commit(lease, step, step * 100)
    assert (night.steps(STAGE), night.discarded()) == ([1, 2], set())


# The newest one is gone.


def test_when_the_newest_is_gone_the_one_before_takes_its_place_and_the_log_says_so(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.commit(lease, 3, 300)
    night.commit(lease, 6, 600)
    assert night.store.forget_checkpoint(lease, path(6))
    assert night.store.read_assignment(STAGE).checkpoint == checkpoint(3, 300)
    assert night.store.forget_checkpoint(lease, path(6)), "said twice, it is gone once"
    assert night.steps(STAGE) == [3]
    assert night.store.forget_checkpoint(lease, path(3))
    assert night.store.read_assignment(STAGE).checkpoint is None
    details = [event["detail"] for event in read_log(night.store.client) if not event["to"]]
    assert [re.findall(r"step (\d+)", detail) for detail in details] == [["6", "3"], ["3"]], "gone, and the one before"
    assert night.discarded() == set(), "what is gone need not be deleted"


def test_going_on_from_further_back_is_reserved_anew(night: Night) -> None:
    night.submit(single("s", 1), limit=1_300)
    lease = night.start(STAGE, "s")
    night.commit(lease, 3, 300)
    night.commit(lease, 6, 600)
    night.store.forget_checkpoint(lease, path(6))
    night.store.give_back(lease, Meter(600, 600), delay=0, failure="outage", cost="exact", cause="gone")
    night.spread()
    again = night.start(STAGE, "s")
    assert night.money("s") == (600, 700, 0)
    night.store.forget_checkpoint(again, path(3))
    night.store.give_back(again, Meter(0, 0), delay=0, failure="outage", cost="exact", cause="gone")
    night.spread()
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "budget", "from the start it is 1,000 more"


# The parent's is gone.


@pytest.fixture
def family(night: Night) -> Night:
    """A training that is done, and two evaluations that are ready."""
    runs = [
        Run({"data": "x"}, seed, "train-a", {"nll": f"evaluate-{name}"}) for seed, name in enumerate(("one", "two"))
    ]
    night.submit(plan("s", FAMILY, runs))
    trained(night, "first")
    return night


def trained(night: Night, run: str, *, payer: str = "s") -> None:
    lease = night.start("train-a", payer)
    night.store.commit_checkpoint(lease, Meter(1_000, 1_000), checkpoint(10, 1_000, run))
    night.succeed(lease)
    night.spread()


def states(night: Night) -> list[str]:
    return [night.state(stage.id) for stage in FAMILY]


def gone(night: Night, lease: Lease, run: str, used: int = 0) -> bool:
    return night.store.retrain_parent(lease, Meter(used, used), "train-a", path(10, run))


def test_a_parent_whose_checkpoint_is_gone_is_trained_again_once_for_all_its_children(family: Night) -> None:
    first, second = (family.start(f"evaluate-{name}", "s") for name in ("one", "two"))
    assert gone(family, first, "first")
    assert states(family) == ["ready", "waiting", "running"]
    assert gone(family, second, "first"), "the second one finds that its parent was sent back already"
    family.spread()
    assert (states(family), family.money("s")) == (["ready", "waiting", "waiting"], (1_000, 0, 0))
    trained(family, "again")
    assert (states(family), family.steps("train-a")) == (["succeeded", "ready", "ready"], [10])
    for name in ("one", "two"):
        family.do(f"evaluate-{name}", "s", {"nll": 2.0}, cost=50)
    assert (family.sweep_state("s"), family.money("s")) == ("finished", (2_100, 0, 0))
    assert family.store.client.hget(keys.stage("train-a"), "retrained") == "1"


def test_a_child_that_had_not_begun_waits_as_well(family: Night) -> None:
    assert gone(family, family.start("evaluate-one", "s"), "first")
    assert not family.store.dispatch("evaluate-two", sweep="s", patience=9).attempt, "at once, before it was spread"
    family.spread()
    assert states(family) == ["ready", "waiting", "waiting"]


def test_a_child_that_comes_late_finds_the_new_checkpoint_and_sends_nobody_back(family: Night) -> None:
    late = family.start("evaluate-two", "s")
    gone(family, family.start("evaluate-one", "s"), "first")
    trained(family, "again")
    assert gone(family, late, "first")
    family.spread()
    assert states(family) == ["succeeded", "ready", "ready"]
    assert family.store.read_checkpoint("train-a") == checkpoint(10, 1_000, "again")


def test_a_child_never_starts_from_the_midst_of_its_parent(family: Night) -> None:
    late = family.start("evaluate-two", "s")
    gone(family, family.start("evaluate-one", "s"), "first")
    family.spread()
    lease = family.start("train-a", "s")
    family.store.commit_checkpoint(lease, Meter(500, 500), checkpoint(5, 500, "again"))
    assert family.store.read_checkpoint("train-a") is None
    assert family.store.retrain_parent(late, Meter(0, 0), "train-a", "")
    assert (family.state("evaluate-two"), family.state("train-a")) == ("waiting", "running")


def test_a_parent_that_kept_earlier_ones_goes_on_from_there_and_no_child_does(night: Night) -> None:
    stage = replace(train("a"), execution={"checkpoint": {"keep": "all"}})
    night.submit(plan("s", [stage, *FAMILY[1:]]))
    lease = night.start("train-a", "s")
    for step in (4, 10):
        night.store.commit_checkpoint(lease, Meter(step * 100, step * 100), checkpoint(step, step * 100, "first"))
    night.succeed(lease)
    night.spread()
    assert gone(night, night.start("evaluate-one", "s"), "first")
    night.spread()
    assert (states(night), night.store.read_checkpoint("train-a")) == (["ready", "waiting", "waiting"], None)
    night.start("train-a", "s")
    assert (night.store.read_assignment("train-a").checkpoint or {})["step"] == 4
    assert night.money("s") == (1_000, 600, 0), "only what is left from there"


def test_a_parent_that_does_not_last_fails_the_child_that_saw_it_often_enough_and_no_other(family: Night) -> None:
    for number in range(RETRAININGS):
        assert gone(family, family.start("evaluate-one", "s"), "first" if not number else f"again {number - 1}")
        family.spread()
        trained(family, f"again {number}")
    lease = family.start("evaluate-one", "s")
    assert gone(family, lease, f"again {RETRAININGS - 1}", used=7)
    family.spread()
    assert states(family) == ["succeeded", "failed", "ready"]
    cause = family.store.client.hget(keys.stage("evaluate-one"), "cause") or ""
    assert "train-a" in cause
    event = next(event for event in read_log(family.store.client) if event["to"] == "failed")
    assert (event["stage"], event["detail"]) == ("evaluate-one", cause)


def test_a_child_whose_parent_is_trained_for_the_last_time_just_now_does_not_fail(family: Night) -> None:
    family.store.client.hset(keys.stage("train-a"), "retrained", RETRAININGS - 1)
    leases = [family.start(f"evaluate-{name}", "s") for name in ("one", "two")]
    for lease in leases:
        assert gone(family, lease, "first")
    assert states(family) == ["ready", "waiting", "waiting"]


def test_a_retry_lets_the_parent_be_trained_again_once_more(family: Night) -> None:
    family.store.client.hset(keys.stage("train-a"), "retrained", RETRAININGS)
    gone(family, family.start("evaluate-one", "s"), "first")
    family.spread()
    assert family.state("evaluate-one") == "failed"
    family.tell("retry_sweep", "s")
    gone(family, family.start("evaluate-one", "s"), "")
    family.spread()
    assert states(family)[:2] == ["ready", "waiting"]


def test_what_the_child_used_before_it_found_out_is_booked_and_left_unreconciled(family: Night) -> None:
    gone(family, family.start("evaluate-one", "s"), "first", used=20)
    assert family.money("s") == (1_020, 0, 0)
    assert family.store.client.zscore(keys.UNRECONCILED, "evaluate-one|1") is not None


def test_a_parent_of_a_finished_sweep_is_trained_again_at_the_cost_of_whoever_needs_it(night: Night) -> None:
    """What the finished sweep has found stands, whatever becomes of the training that is done again."""
    old = Run({"data": "x"}, 0, "train-a", {"nll": "evaluate-one"})
    night.submit(plan("old", FAMILY[:2], [old]))
    trained(night, "first", payer="old")
    night.do("evaluate-one", "old", {"nll": 2.0}, cost=50)
    night.submit(plan("new", [FAMILY[0], FAMILY[2]]))
    gone(night, night.start("evaluate-two", "new"), "first")
    night.spread()
    for between in ("ready", "running", "succeeded"):
        if between == "running":
            lease = night.start("train-a", "new")
        if between == "succeeded":
            night.succeed(lease)
            night.spread()
        (row,) = views.read_results(night.store, "old")
        assert (night.state("train-a"), row.state, row.metrics) == (between, "succeeded", {"nll": 2.0})
    night.do("evaluate-two", "new", cost=50)
    assert (night.sweep_state("old"), night.money("old")) == ("finished", (1_050, 0, 0))
    assert (night.sweep_state("new"), night.money("new")) == ("finished", (1_050, 0, 0))


def test_a_parent_that_fails_when_it_is_trained_again_takes_its_waiting_children_with_it(family: Night) -> None:
    family.do("evaluate-two", "s", {"nll": 2.0}, cost=50)
    gone(family, family.start("evaluate-one", "s"), "first")
    family.spread()
    family.fail(family.start("train-a", "s"))
    family.spread()
    assert states(family) == ["failed", "skipped", "succeeded"]
    assert [row.state for row in views.read_results(family.store, "s")] == ["failed", "succeeded"]


def test_a_retraining_that_nobody_wants_any_more_ends_and_is_taken_up_by_who_wants_it_next(family: Night) -> None:
    gone(family, family.start("evaluate-one", "s"), "first")
    family.tell("cancel_sweep", "s")
    assert states(family) == ["cancelled", "cancelled", "cancelled"]
    family.submit(plan("next", FAMILY))
    assert states(family) == ["ready", "waiting", "waiting"]


def test_the_event_log_tells_why_a_parent_is_trained_again(family: Night) -> None:
    gone(family, family.start("evaluate-one", "s"), "first")
    log = read_log(family.store.client)
    parent, child = ([row for row in log if row["stage"] == stage] for stage in ("train-a", "evaluate-one"))
    events = [parent[-1], *child[-2:]]
    moves = [(event["stage"], event["to"]) for event in events]
    assert moves == [("train-a", "ready"), ("evaluate-one", "ready"), ("evaluate-one", "waiting")]
    other = {"train-a": "evaluate-one", "evaluate-one": "train-a"}
    assert all(other[event["stage"]] in event["detail"] for event in events), "each names the other stage"


def test_a_lost_attempt_leaves_its_checkpoints_where_they_are(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    night.commit(lease, 1, 100)
    night.commit(lease, 2, 200)
    night.clock.pass_seconds(LEASE)
    night.spread()
    texts = night.store.client.lrange(keys.checkpoints(STAGE), 0, -1)
    assert [json.loads(text)["step"] for text in texts] == [1, 2]


def test_a_name_that_is_written_over_is_one_checkpoint_the_newest_and_not_to_be_deleted(night: Night) -> None:
    night.submit(single("s", 1))
    lease = night.start(STAGE, "s")
    for step in (1, 2, 1):
        night.commit(lease, step, step * 100)
    assert (night.steps(STAGE), night.discarded()) == ([2, 1], set())
    night.commit(lease, 3)
    assert (night.steps(STAGE), night.discarded()) == ([1, 3], {path(2)})
    night.commit(lease, 2)
    assert (night.steps(STAGE), night.discarded()) == ([3, 2], {path(1)})
