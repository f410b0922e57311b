"""`sweep pause`, `resume`, `events` and `status`, on a sweep that only the test works on."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest
from rich.console import Console

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.watch import follow
from scheduler.engine.spread import spread_changes, walk_sweeps
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.states import StageState
from scheduler.state.store import Meter, Store
from scheduler.state.views import read_stages_in_state, read_sweep
from scheduler.waiting_reasons import FleetStatus, explain_waiting
from tests.acceptance.command import Desk
from tests.acceptance.small_nights import small_beside
from tests.wording import naming


@pytest.fixture
def store(quiet_desk: Desk) -> Iterator[Store]:
    """A sweep named small is submitted, and a scheduler has seen it."""
    with open_store(read_settings({"SWEEP_HOME": str(quiet_desk.home)})) as store:
        file = str(quiet_desk.write("small.yaml", small_beside(quiet_desk, sizes=(32,), seeds=2)))
        assert quiet_desk.call("submit", file).status == 0
        settle(store)
        yield store


def settle(store: Store) -> None:
    while walk_sweeps(store) + spread_changes(store):
        pass


def dispatched(store: Store) -> str:
    (ready, *_) = read_stages_in_state(store, StageState.READY, 1)
    return store.dispatch(ready.id, sweep="small", patience=20).refused


def test_a_paused_sweep_starts_nothing_until_it_is_resumed(quiet_desk: Desk, store: Store) -> None:
    output = quiet_desk.call("pause", "small")
    assert (output.status, "small: paused" in output.out) == (0, True)
    settle(store)
    assert dispatched(store) == "the sweep is not active"
    assert quiet_desk.call("-f", "json", "status", "small").json["sweeps"][0]["gate"] == "paused"
    assert "small is paused" in quiet_desk.call("pause", "small").out
    assert quiet_desk.call("-f", "json", "resume", "small").json == {
        "sweeps": [{"sweep": "small", "state": "active"}],
        "services": [],
    }
    settle(store)
    assert dispatched(store) == ""
    assert "small is active" in quiet_desk.call("resume", "small").out


def test_a_service_that_was_stopped_is_named_and_resume_has_it_tried_again(quiet_desk: Desk, store: Store) -> None:
    store.report_worker("w", threads=4, busy=0, ttl=60)
    store.stop_service("offline", "402: the bill is not paid")
    stopped = quiet_desk.call("-f", "json", "status", "small").json["sweeps"][0]
    assert stopped["gate"] == "service stopped"
    assert re.search(naming("offline", "402: the bill is not paid", "`sweep resume`"), stopped["waiting_reason"])
    assert quiet_desk.call("-f", "json", "resume").json == {"sweeps": [], "services": ["offline"]}
    assert quiet_desk.call("-f", "json", "status", "small").json["sweeps"][0]["gate"] == "breaker"
    assert quiet_desk.call("-f", "json", "resume").json == {"sweeps": [], "services": []}


def test_a_watch_for_programs_ends_with_how_it_ended(quiet_desk: Desk, store: Store) -> None:
    quiet_desk.call("cancel", "small")
    settle(store)
    assert quiet_desk.call("-f", "json", "watch", "small").json["sweeps"][0]["state"] == "cancelled"


def test_a_priority_is_changed_and_said(quiet_desk: Desk, store: Store) -> None:
    assert re.findall(r"\d+", quiet_desk.call("priority", "small", "7").out) == ["7", "0"]
    assert store.client.hget(keys.sweep("small"), "priority") == "7"
    assert quiet_desk.call("priority", "small", "high").status == 2


def test_a_retry_of_what_failed_leaves_what_was_cancelled(quiet_desk: Desk, store: Store) -> None:
    (first, *_) = read_stages_in_state(store, StageState.READY, 1)
    sent = store.dispatch(first.id, sweep="small", patience=20)
    lease = store.claim(first.id, attempt=sent.attempt, worker="w", lease=60)
    assert lease is not None
    assert store.settle(lease, Meter(0, 0), StageState.FAILED, cost="exact", cause="bad data")
    settle(store)
    quiet_desk.call("cancel", "small")
    settle(store)
    before = read_sweep(store, "small").counts
    assert (before["failed"], before["cancelled"] > 0) == (1, True)
    assert "small: " in quiet_desk.call("retry", "small", "--failed").out
    settle(store)
    after = read_sweep(store, "small").counts
    assert (after.get("failed", 0), after["cancelled"]) == (0, before["cancelled"])
    quiet_desk.call("cancel", "small")
    settle(store)
    assert quiet_desk.call("-f", "json", "retry", "small", "--failed").json["sweeps"][0]["reopened_stages"] == 0
    settle(store)
    assert read_sweep(store, "small").state == "cancelled", "not active, and at once finished"
    quiet_desk.call("retry", "small")
    settle(store)
    assert "cancelled" not in read_sweep(store, "small").counts


def test_a_sweep_that_was_cancelled_a_moment_ago_continues_by_a_retry(quiet_desk: Desk, store: Store) -> None:
    quiet_desk.call("cancel", "small")
    assert read_sweep(store, "small").state == "cancelled"
    assert "continues" in quiet_desk.call("retry", "small").out
    assert read_sweep(store, "small").state == "active"


def up(store: Store) -> None:
    store.report_worker("w", threads=4, busy=0, ttl=60)


def told(store: Store, signs: Sequence[str]) -> None:
    """As many attempts, each of which the service tells one of these."""
    up(store)
    for stage, sign in zip(read_stages_in_state(store, StageState.READY, 9), signs, strict=False):
        sent = store.dispatch(stage.id, sweep="small", patience=20)
        lease = store.claim(stage.id, attempt=sent.attempt, worker="w", lease=60)
        assert lease is not None
        store.report_signal(lease, sign, ago=0)


def outside(store: Store) -> None:
    store.scripts.run("set_window", "small", 0, 99 * 10**12, "22:00-07:30 UTC")


def full(store: Store) -> None:
    told(store, ("active", "queued"))
    store.scripts.run("write_capacity", "offline/training", 0, 2, "limit", 2)


def suspected(store: Store) -> None:
    up(store)
    store.scripts.run("suspect_service", "offline", "nothing has got any further for 61 s")


def own_limit(store: Store) -> None:
    store.client.hset(keys.sweep("small"), "slots", 1)
    told(store, ("active",))


def failed(store: Store) -> None:
    """All that could start has been tried, and is to be tried again in an hour."""
    up(store)
    for stage in read_stages_in_state(store, StageState.READY, 9):
        sent = store.dispatch(stage.id, sweep="small", patience=20)
        lease = store.claim(stage.id, attempt=sent.attempt, worker="w", lease=60)
        assert lease is not None
        store.give_back(lease, Meter(0, 0), delay=3600, failure="outage", cost="exact", cause="503")


REASONS: dict[str, Callable[[Store], None]] = {
    "worker": settle,
    "window": outside,
    "tick": up,
    "retry": failed,
    "slots": full,
    "sweep slots": own_limit,
    "capacity": partial(told, signs=("starved",)),
    "clients": partial(told, signs=("limited",)),
    "breaker": suspected,
}
NUMBERS = {"slots": ["1 of 2 allowed clients", "1 queued"], "sweep slots": ["1 slots"], "window": ["22:00-07:30 UTC"]}


@pytest.mark.parametrize("gate", REASONS)
def test_status_says_at_a_glance_why_anything_waits(quiet_desk: Desk, store: Store, gate: str) -> None:
    REASONS[gate](store)
    settle(store)
    row = quiet_desk.call("-f", "json", "status", "small").json["sweeps"][0]
    assert row["gate"] == gate
    assert all(number in row["waiting_reason"] for number in NUMBERS.get(gate, []))
    assert re.sub(r"\d\d:\d\d:\d\d", "", row["waiting_reason"]) in re.sub(
        r"\d\d:\d\d:\d\d", "", quiet_desk.call("status", "small").out
    )


def test_only_what_is_ready_waits_to_be_tried_again(quiet_desk: Desk, store: Store) -> None:
    failed(store)
    settle(store)
    before = read_sweep(store, "small")
    assert before.delayed == before.counts["ready"] > 0
    assert before.again is not None
    quiet_desk.call("cancel", "small")
    settle(store)
    after = read_sweep(store, "small")
    assert (after.delayed, after.again) == (0, None)


def test_workers_that_a_supervisor_is_starting_are_said_to_come(store: Store) -> None:
    view = read_sweep(store, "small")
    reasons = [explain_waiting(view, FleetStatus(0, 0, {}, up_seconds=seconds)) for seconds in (None, 20, 80)]
    assert {reason.gate for reason in reasons} == {"worker"}
    assert len({reason.text for reason in reasons}) == 3
    assert ["`sweep up`" in reason.text for reason in reasons] == [True, False, False]


def test_a_name_that_is_none_is_refused(quiet_desk: Desk, store: Store) -> None:  # noqa: ARG001
    for command in ("pause", "resume", "events", "retry"):
        output = quiet_desk.call(command, "smal")
        assert output.status == 1
        assert "'smal'" in output.err


def test_the_events_of_a_sweep_tell_what_happened_in_order(quiet_desk: Desk, store: Store) -> None:
    assert dispatched(store) == ""
    rows = quiet_desk.call("-f", "json", "events", "small").json["events"]
    assert [rows[-1][key] for key in ("from", "to", "detail")] == ["ready", "dispatched", "charged to small"]
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    events = quiet_desk.call("-f", "json", "events", "small", "--stage", rows[-1]["stage"]).json["events"]
    assert [(row["from"], row["to"]) for row in events] == [("waiting", "ready"), ("ready", "dispatched")]
    assert len(quiet_desk.call("-f", "json", "events", "small", "--last", "1").json["events"]) == 1
    shown = quiet_desk.call("events", "small", "--last", "1").out
    assert "ready → dispatched" in shown
    assert rows[-1]["label"] in shown
    labelled = quiet_desk.call("-f", "json", "events", "small", "--stage", rows[-1]["label"]).json["events"]
    assert labelled == events
    missing = quiet_desk.call("events", "small", "--stage", "train-nobody")
    assert (missing.status, "'train-nobody'" in missing.err) == (1, True)


def test_status_says_why_a_stage_failed_how_far_it_was_what_was_skipped_and_how_to_try_again(
    quiet_desk: Desk, store: Store
) -> None:
    stage = next(
        candidate for candidate in read_stages_in_state(store, StageState.READY, 9) if candidate.id.startswith("train-")
    )
    sent = store.dispatch(stage.id, sweep="small", patience=20)
    lease = store.claim(stage.id, attempt=sent.attempt, worker="w", lease=60)
    assert lease is not None
    store.report_progress(lease, Meter(5, 5), {"step": 3, "steps": 8, "nll": 61.25})
    store.settle(lease, Meter(5, 5), StageState.FAILED, cost="exact", cause="diverged: the loss became 61.25 at step 3")
    settle(store)
    document = quiet_desk.call("-f", "json", "status", "small").json
    (failed,) = document["failed"]
    assert (failed["stage"], failed["step"], failed["nll"]) == (stage.id, 3, 61.25)
    assert document["skipped"] == [{"stages": 1, "cause": f"skipped: {stage.id} failed"}]
    shown = quiet_desk.call("status", "small").out
    for part in (stage.label, "diverged: the loss became 61.25", f"skipped: {stage.id} failed", "`sweep retry small`"):
        assert part in shown


def test_a_watch_of_a_paused_sweep_waits_for_what_becomes_of_it(store: Store) -> None:
    looks: list[str] = []

    def look() -> None:
        """The third look finds it called off; a paused one would be watched for ever."""
        looks.append(store.scripts.run("pause_sweep" if len(looks) < 2 else "cancel_sweep", "small"))

    (seen,) = follow(store, ["small"], Output("json", Console()), look)
    assert (seen.state, looks) == ("cancelled", ["active", "paused", "paused"])
