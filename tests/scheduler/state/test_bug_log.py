"""A bug of ours is named within one tick and never taken for an outage; what it does not concern goes on."""

import re
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli.console.options import open_store
from scheduler.cli.status import make_status_document, read_fleet
from scheduler.engine.dispatch import Nudges
from scheduler.engine.loop import TROUBLE, Scheduler
from scheduler.errors import BugFound
from scheduler.settings import read_settings
from scheduler.state import bug_log, keys, views
from scheduler.state.bug_log import (
    MANY,
    NOBODY,
    fail_stage,
    forget_bugs,
    read_bugs,
    read_stopping_bugs,
    record_bug,
    run_isolated,
)
from scheduler.state.connection import StoreBug
from scheduler.state.scripts import build_script
from scheduler.state.states import StageState
from scheduler.state.store import Meter, Store
from scheduler.state.submission import submit
from scheduler.waiting_reasons import explain_waiting
from tests.scheduler.night import LEASE, Fleet, Night
from tests.scheduler.plans import scaling, single, submission
from tests.support import TRUSTED, RedisServer, redis_server


@pytest.fixture(autouse=True)
def _log_everything_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bug_log, "_logged", {})


def plant(store: Store, verb: str, body: str = "write('INCR', PREFIX .. 'fence') error('planted')") -> None:
    """The verb is a real script on a real server, and raises behind a write."""
    store.scripts._verbs[verb] = store.client.register_script(build_script(verb, body))


def told(store: Store) -> dict[str, str]:
    return {bug.verb: bug.message for bug in read_bugs(store)}


@pytest.mark.parametrize(
    "verb",
    ["expire_attempts", "wake_stages", "reconsider_stages", "update_sweep", "reopen_stages", "end_walk", "read_due"],
)
def test_a_bug_in_a_verb_of_the_tick_is_named_within_one_tick(night: Night, fleet: Fleet, verb: str) -> None:
    submit(night.store, submission(single("s", 2)))
    before = night.store.client.get(keys.FENCE)
    plant(night.store, verb)
    fleet.tick()
    assert "planted" in told(night.store)[verb]
    assert night.store.client.get(keys.FENCE) == before, "nothing of it was written"
    settings = read_settings({})
    waits = explain_waiting(views.read_sweep(night.store, "s"), read_fleet(night.store, settings)).text
    assert f"`{verb}`" in waits
    named = make_status_document(night.store, settings, views.read_sweeps(night.store), None)["bugs"]
    assert [bug["verb"] for bug in named] == [verb]


def test_a_bug_that_belongs_to_no_stage_starts_nothing_until_it_is_gone(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 3))
    verb = night.store.scripts._verbs["expire_attempts"]
    plant(night.store, "expire_attempts")
    assert [fleet.tick().dispatched for _ in range(3)] == [0, 0, 0]
    assert [bug.verb for bug in read_stopping_bugs(night.store)] == ["expire_attempts"]
    night.store.scripts._verbs["expire_attempts"] = verb
    night.clock.pass_seconds(61)
    assert fleet.tick().dispatched == 3


def test_a_stage_that_a_verb_cannot_do_with_fails_alone(night: Night, fleet: Fleet) -> None:
    night.submit(scaling("s", [8, 16]))
    night.store.client.set(keys.checkpoints("train-n8s0"), "what is no list")
    fleet.tick()
    row = night.store.client.hgetall(keys.stage("train-n8s0"))
    assert row["state"] == StageState.FAILED
    assert "WRONGTYPE" in row["cause"]
    assert "`dispatch_stage`" in row["cause"]
    assert [(bug.verb, bug.failed, bug.fleet) for bug in read_bugs(night.store)] == [("dispatch_stage", 1, False)]
    for _ in range(4):
        fleet.tick()
        for lease in fleet.claim_all():
            night.succeed(lease, {"nll": 1.0})
    night.spread()
    counts = views.read_sweep(night.store, "s").counts
    assert counts == {"succeeded": 7, "failed": 1, "skipped": 1}
    assert night.sweep_state("s") == "finished"
    assert night.money("s")[1:] == (0, 0), "nothing is held for it"


@pytest.mark.parametrize(
    "verb",
    ["reconsider_stages", "update_sweep", "reopen_stages", "end_walk", "forget_change", "wake_stages", "mark_changed"],
)
def test_a_sweep_that_met_a_bug_goes_on_when_that_is_mended(night: Night, fleet: Fleet, verb: str) -> None:
    submit(night.store, submission(single("s", 3)))
    mended = night.store.scripts._verbs[verb]
    plant(night.store, verb)
    for _ in range(3):
        fleet.tick()
    night.store.scripts._verbs[verb] = mended
    night.clock.pass_seconds(61)
    fleet.tick(), fleet.tick()
    assert night.store.client.zcard(keys.state(StageState.DISPATCHED)) == 3


def test_what_is_to_be_opened_again_is_opened_when_a_bug_is_mended(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 2))
    for number in range(2):
        night.start(f"train-000{number}", "s")
        assert fail_stage(night.store, f"train-000{number}", StoreBug("claim_stage", "x"), "w")
    night.spread()
    mended = night.store.scripts._verbs["reopen_stages"]
    plant(night.store, "reopen_stages")
    night.store.scripts.run("retry_sweep", "s")
    fleet.tick()
    night.store.scripts._verbs["reopen_stages"] = mended
    forget_bugs(night.store)
    fleet.tick(), fleet.tick()
    assert [night.state(f"train-000{number}") for number in range(2)] == ["dispatched"] * 2


@pytest.mark.parametrize("bad", [["train-0002"], ["train-0000", "train-0001"]], ids=["last page", "first page"])
def test_a_page_of_bad_stages_does_not_hold_up_the_walk_that_reopens(
    night: Night, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, bad: list[str]
) -> None:
    monkeypatch.setattr("scheduler.engine.spread.PAGE", 2)
    stages = [f"train-000{number}" for number in range(3)]
    night.submit(single("s", 3))
    for stage in stages:
        night.start(stage, "s")
        assert fail_stage(night.store, stage, StoreBug("claim_stage", "x"), "w")
    night.spread()
    night.store.client.set(keys.stage("no-stage"), "no hash")
    for stage in bad:
        night.store.client.hset(keys.stage(stage), "parents", "no-stage")
    forget_bugs(night.store)
    night.store.scripts.run("retry_sweep", "s")
    for _ in range(4):
        fleet.tick()
        for lease in fleet.claim_all():
            night.succeed(lease)
    assert night.store.client.zcard(keys.WALKS) == 0
    assert {stage: night.state(stage) for stage in stages} == {
        stage: "failed" if stage in bad else "succeeded" for stage in stages
    }
    assert night.sweep_state("s") == "finished"
    assert "WRONGTYPE" in told(night.store)["reopen_stages"]


def test_a_sweep_of_one_bad_stage_does_not_keep_its_walk(
    night: Night, fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    submit(night.store, submission(single("s", 1)))
    night.store.client.set(keys.stage("no-stage"), "no hash")
    night.store.client.hset(keys.stage("train-0000"), "parents", "no-stage")
    for _ in range(3):
        fleet.tick()
    assert night.store.client.zcard(keys.WALKS) == 0
    places = [re.findall(r"spread\.py:\d+", record.getMessage()) for record in caplog.records]
    assert len({place for (place,) in places}) == len(places) == 2, "one bug at two places"
    night.store.client.delete(keys.stage("no-stage"))
    night.store.client.hset(keys.stage("train-0000"), "parents", "")
    for _ in range(2):
        fleet.tick()
    assert night.state("train-0000") == "dispatched"


def test_a_second_bug_of_a_verb_is_logged_and_a_repeated_one_is_not(
    night: Night, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        record_bug(
            night.store, StoreBug("settle_stage", f"illegal move of st-{number}: ready to running"), "w", affected="s"
        )
    record_bug(night.store, StoreBug("settle_stage", "ERR value is not an integer"), "w", affected="s")
    for _ in range(2):
        for wrong in (lambda: int("x"), lambda: int("y"), lambda: next(iter(()))):
            run_isolated(night.store, wrong, None)
    logged = [record.getMessage() for record in caplog.records if record.name == "bugs"]
    kinds = ["illegal move of st-0", "not an integer", "ValueError", "StopIteration"]
    assert len(logged) == len(kinds)
    assert all(kind in line for kind, line in zip(kinds, logged, strict=True))


def test_bugs_of_any_number_do_not_fill_the_log(night: Night, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(10 * MANY):
        record_bug(night.store, StoreBug("settle_stage", "x" * number), "w", affected="s")
    assert len([record for record in caplog.records if record.name == "bugs"]) == MANY


def test_many_that_cannot_be_spread_keep_no_other_from_it(
    night: Night, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.engine.spread.PAGE", 2)
    night.submit(single("s", 6))
    for number in range(6):
        if number < 3:
            night.store.client.delete(keys.subscribers(f"train-000{number}"))
            night.store.client.set(keys.subscribers(f"train-000{number}"), "what is no set")
        night.store.scripts.run("mark_changed", f"train-000{number}")
    for _ in range(6):
        fleet.tick()
    left = set(night.store.client.zrange(keys.CHANGED, 0, -1))
    assert left == {f"train-000{number}" for number in range(3)}


def test_a_stage_that_cannot_be_spread_keeps_no_other_from_it(night: Night, fleet: Fleet) -> None:
    submit(night.store, submission(single("s", 3)))
    night.store.client.delete(keys.subscribers("train-0001"))
    night.store.client.set(keys.subscribers("train-0001"), "what is no set")
    for _ in range(3):
        fleet.tick()
    assert night.store.client.zcard(keys.state(StageState.DISPATCHED)) == 2
    assert any("WRONGTYPE" in message for message in told(night.store).values())


def test_a_lease_that_cannot_be_taken_back_keeps_no_other_from_it(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 3))
    for number in range(3):
        night.start(f"train-000{number}", "s")
    night.store.client.hset(keys.stage("train-0001"), "failed:lost", "many")
    night.clock.pass_seconds(LEASE)
    fleet.tick()
    assert [night.state(f"train-000{number}") for number in range(3)] == ["dispatched", "failed", "dispatched"]
    assert "`expire_attempts`" in str(night.store.client.hget(keys.stage("train-0001"), "cause"))
    assert read_stopping_bugs(night.store) == []


def test_a_sweep_whose_hours_cannot_be_read_keeps_no_other_from_its_hours(night: Night, fleet: Fleet) -> None:
    night.submit(single("bad", 1), window='{"daily": "22:00-07:30", "tz": "UTC"}')
    night.submit(single("good", 1, prefix="g"), deadline=night.clock() + 1000)
    night.store.client.hset(keys.sweep("bad"), "deadline", "tomorrow")
    night.clock.pass_seconds(2)
    fleet.tick()
    assert night.sweep_state("good") == "cancelled"
    assert len(told(night.store)) == 1


def test_many_stages_that_fail_for_one_bug_are_the_last_that_are_started(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 3 * MANY))
    plant(night.store, "dispatch_stage")
    for _ in range(4):
        fleet.tick(slots=4)
    assert MANY <= night.store.client.zcard(keys.state(StageState.FAILED)) < 3 * MANY
    night.clock.pass_seconds(3600)
    assert [bug.verb for bug in read_stopping_bugs(night.store)] == ["dispatch_stage"]
    forget_bugs(night.store)
    assert read_bugs(night.store) == []


def test_what_nobody_depends_on_stops_nothing(night: Night, fleet: Fleet) -> None:
    night.submit(single("s", 1))
    record_bug(night.store, KeyError("a bill"), "housekeeping of w", affected=NOBODY)
    assert fleet.tick().dispatched == 1
    assert "KeyError" in told(night.store)["housekeeping of w"]


@pytest.mark.parametrize("state", ["ready", "dispatched", "running"])
def test_a_failed_stage_holds_nothing_whatever_its_state_was(night: Night, state: str) -> None:
    night.submit(single("s", 1))
    if state != "ready":
        sent = night.store.dispatch("train-0000", sweep="s", patience=20)
        if state == "running":
            night.store.claim("train-0000", attempt=sent.attempt, worker="w", lease=60)
    assert not fail_stage(night.store, "train-0000", StoreBug("claim_stage", "x"), "w", "another's fence")
    assert night.state("train-0000") == state
    assert fail_stage(night.store, "train-0000", StoreBug("claim_stage", "x"), "w")
    night.spread()
    assert (night.state("train-0000"), night.money("s")[1]) == ("failed", 0)
    assert night.store.client.zcard(keys.slots("offline/training")) == 0 or state == "running"
    assert night.tell("retry_sweep", "s") == "finished"
    assert night.state("train-0000") == "ready"


@pytest.mark.parametrize("verb", ["add_stage", "open_sweep", "seal_sweep"])
def test_a_bug_while_a_sweep_is_written_is_raised_with_its_name(night: Night, verb: str) -> None:
    plant(night.store, verb)
    with pytest.raises(StoreBug, match="planted") as raised:
        submit(night.store, submission(single("s", 2)))
    assert raised.value.verb == verb


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with redis_server(tmp_path_factory.mktemp("trusted"), TRUSTED) as server:
        yield server


def test_a_command_ends_with_the_name_of_what_is_broken(trusted: RedisServer, tmp_path: Path) -> None:
    settings = read_settings({"REDIS_URL": trusted.url, "SWEEP_HOME": str(tmp_path)})

    def command() -> None:
        with open_store(settings) as store:
            plant(store, "settle_stage")
            store.scripts.run("settle_stage")

    with pytest.raises(BugFound, match="`settle_stage`"):
        command()


@pytest.mark.parametrize("verb", ["take_duty", "set_limits"])
def test_the_scheduler_itself_names_what_keeps_it_from_ticking(trusted: RedisServer, tmp_path: Path, verb: str) -> None:
    store = Store(trusted.client())
    scheduler = Scheduler(store, Nudges(trusted.url), read_settings({"SWEEP_HOME": str(tmp_path)}))
    forget_bugs(store)
    plant(store, verb)
    assert scheduler.run_tick() == TROUBLE
    assert [bug.verb for bug in read_stopping_bugs(store)] == [verb]
    scheduler.leave()
    forget_bugs(store)


def test_a_late_error_of_a_lease_that_is_over_fails_no_stage(night: Night) -> None:
    night.submit(single("s", 1))
    first = night.start("train-0000", "s")
    night.store.give_back(first, Meter(0, 0), delay=0, failure="", cost="exact", cause="")
    night.spread()
    night.start("train-0000", "s")
    assert not fail_stage(night.store, "train-0000", StoreBug("settle_stage", "x"), "w", first.fence)
    assert night.state("train-0000") == "running"
