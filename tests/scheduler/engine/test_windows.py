"""Outside its hours a sweep wants its stages and pays for none; when its deadline has passed it stops."""

from datetime import UTC, datetime

import pytest

from scheduler.engine.windows import keep_windows
from scheduler.state import keys
from scheduler.state.store import Meter
from scheduler.state.views import read_sweep
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.support import FakeClock

NIGHT = '{"daily": "22:00-07:30", "tz": "Europe/Berlin"}'
EVENING = round(datetime(2026, 11, 25, 20, 59, tzinfo=UTC).timestamp() * 1000)  # a minute before, in Berlin
MINUTE, HOUR = 60, 3600
STAGE = "train-0000"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(EVENING)


def settle_hours(night: Night) -> int:
    looked = keep_windows(night.store)
    night.spread()
    return looked


def test_nothing_starts_before_its_hours_and_it_does_when_they_begin(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "the sweep is not active", "not looked at yet"
    assert settle_hours(night) == 1
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused == "the sweep is not active"
    assert (night.state(STAGE), night.sweep_state("s")) == ("ready", "active")
    assert read_sweep(night.store, "s").hours == "22:00-07:30 Europe/Berlin", "status can say what it waits for"
    assert settle_hours(night) == 0, "it is looked at when that is due, and not before"
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    assert night.start(STAGE, "s")


def test_when_its_hours_end_what_runs_is_given_back_and_goes_on_the_next_evening(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT)
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    lease = night.start(STAGE, "s")
    assert night.renew(lease) == ["held"]
    for _ in range(2 * (9 * 60 + 30) - 1):  # to half a minute before 07:30
        night.clock.pass_seconds(MINUTE / 2)
        assert night.renew(lease) == ["held"]
    assert settle_hours(night) == 0
    night.clock.pass_seconds(MINUTE / 2)
    settle_hours(night)
    assert night.renew(lease) == ["yield"]
    assert night.store.give_back(lease, Meter(5, 5), delay=0, failure="", cost="exact", cause="its hours are over")
    night.spread()
    assert (night.state(STAGE), night.sweep_state("s")) == ("ready", "active")
    night.clock.pass_seconds(14.5 * HOUR)
    settle_hours(night)
    assert night.start(STAGE, "s")


def test_what_is_done_in_the_night_finishes_the_sweep_and_it_is_looked_at_no_more(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT)
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    night.do(STAGE, "s")
    assert night.sweep_state("s") == "finished"
    night.clock.pass_seconds(24 * HOUR)
    settle_hours(night)
    assert night.sweep_state("s") == "finished"
    assert night.store.client.zcard(keys.WINDOWS) == 0
    assert not night.store.client.smembers(keys.LIVE) | night.store.client.smembers(keys.HELD)


def test_at_the_end_of_its_hours_a_sweep_that_has_begun_is_told_of(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT, notify=("HOOK",))
    settle_hours(night)
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    night.store.give_back(night.start(STAGE, "s"), Meter(0, 0), delay=0, failure="", cost="exact", cause="")
    night.clock.pass_seconds(10 * HOUR)
    settle_hours(night)
    kinds = [notice.rpartition("-")[2] for notice in night.store.client.zrange(keys.NOTICES, 0, -1)]
    assert kinds == ["started", "hours"]


def test_a_pause_by_hand_outlasts_the_hours_and_a_resume_outside_them_waits_for_them(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT)
    settle_hours(night)
    night.tell("pause_sweep", "s")
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused, "paused"
    night.tell("resume_sweep", "s")
    night.clock.pass_seconds(11 * HOUR)
    settle_hours(night)
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused, "outside its hours"
    night.tell("pause_sweep", "s")
    night.tell("resume_sweep", "s")
    assert night.store.dispatch(STAGE, sweep="s", patience=9).refused, "still outside"


def test_another_sweep_pays_on_outside_the_hours_of_the_first(night: Night) -> None:
    night.submit(single("nightly", 1), window=NIGHT)
    night.submit(single("always", 1))
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    lease = night.start(STAGE, "nightly")
    night.clock.pass_seconds(50)
    night.store.client.hset(keys.sweep("nightly"), "outside", 1)
    night.store.scripts.run("set_window", "nightly", 1, "", "")
    night.store.scripts.run("set_window", "nightly", 0, "", "")
    assert night.renew(lease) == ["yield"]
    night.store.give_back(lease, Meter(5, 5), delay=0, failure="", cost="exact", cause="its hours are over")
    night.close(lease)
    night.spread()
    assert night.start(STAGE, "always")


def test_after_its_deadline_a_sweep_stops_and_says_why(night: Night) -> None:
    night.submit(single("s", 2), deadline=EVENING + 1000 * HOUR)
    settle_hours(night)
    lease = night.start(STAGE, "s")
    night.clock.pass_seconds(50)
    night.renew(lease)
    night.clock.pass_seconds(HOUR - 51)
    assert settle_hours(night) == 0
    night.clock.pass_seconds(1)
    settle_hours(night)
    assert night.sweep_state("s") == "cancelled"
    assert "deadline" in (night.store.client.hget(keys.sweep("s"), "why") or "")
    assert night.state("train-0001") == "cancelled"


def test_a_retry_after_the_deadline_is_a_persons_word_that_it_counts_no_more(night: Night) -> None:
    night.submit(single("s", 1), deadline=EVENING + 1000 * HOUR)
    night.clock.pass_seconds(HOUR)
    settle_hours(night)
    night.tell("retry_sweep", "s")
    settle_hours(night)
    assert night.start(STAGE, "s")


def test_a_deadline_amid_the_hours_comes_first(night: Night) -> None:
    night.submit(single("s", 1), window=NIGHT, deadline=EVENING + 1000 * 2 * HOUR)
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    night.clock.pass_seconds(2 * HOUR - MINUTE)
    settle_hours(night)
    assert night.sweep_state("s") == "cancelled"


def test_a_deadline_that_passes_after_the_end_keeps_nobody_busy(night: Night) -> None:
    night.submit(single("s", 1), deadline=EVENING + 1000 * HOUR)
    settle_hours(night)
    night.do(STAGE, "s")
    assert night.sweep_state("s") == "finished"
    night.clock.pass_seconds(2 * HOUR)
    settle_hours(night)
    assert settle_hours(night) == 0, "or the scheduler never rests again"
    assert night.sweep_state("s") == "finished"


def test_a_retry_within_the_hours_takes_nothing_from_what_runs(night: Night) -> None:
    night.submit(single("s", 2), window=NIGHT)
    night.clock.pass_seconds(MINUTE)
    settle_hours(night)
    lease = night.start(STAGE, "s")
    assert night.fail(night.start("train-0001", "s"))
    night.store.scripts.run("retry_sweep", "s", "reopen_failed")
    assert night.renew(lease) == ["held"], "though no tick has looked at its hours again"
    settle_hours(night)
    assert night.start("train-0001", "s")


def test_a_scheduler_that_is_slow_to_see_a_deadline_undoes_no_retry(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.submit(single("s", 1), deadline=EVENING + 1000 * HOUR)
    night.clock.pass_seconds(HOUR)
    read = night.store.client.hmget

    def slowly(name: str, fields: list[str]) -> list[str | None]:
        row = read(name, fields)
        monkeypatch.undo()
        settle_hours(night)  # another scheduler sees it first
        night.store.scripts.run("retry_sweep", "s", "reopen")
        return row

    monkeypatch.setattr(night.store.client, "hmget", slowly)
    settle_hours(night)
    assert night.sweep_state("s") == "active"
