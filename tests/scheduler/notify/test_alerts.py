"""People are told once that something is wrong which no retry repairs, and once that it is over, whoever leads."""

import json
from pathlib import Path

import pytest

from scheduler.errors import SettingInvalid
from scheduler.notify.alert_limits import DEFAULT, FORMS, OFF, parse_alert_limits
from scheduler.notify.alerts import AlertWatch, FleetFacts, find_alerts, read_alerts
from scheduler.settings import Settings, read_settings
from scheduler.state import keys
from scheduler.state.server.failover import Books, close_books, read_books
from tests.scheduler.night import LEASE, Night
from tests.scheduler.plans import single

LIMITS = parse_alert_limits("")
EVERYTHING = FleetFacts(
    ready=True, lost_in_a_row=10, memory=0.9, disks={"/": 0.9}, books=Books(closed=1, attempts=1, doubtful=1)
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_ALERTS": "disk=off memory=off"})


def told(night: Night) -> list[tuple[str, str]]:
    """The kinds of all notices, and the alert that each is about."""
    names = sorted(night.store.client.zrange(keys.NOTICES, 0, -1))
    rows = [night.store.client.hgetall(keys.notice(name)) for name in names]
    alerts = [(row["kind"], row["detail"]) for row in rows if row["kind"] in {*FORMS, "over"}]
    return [(kind, next((alert for alert in FORMS if detail.startswith(alert)), kind)) for kind, detail in alerts]


def test_each_alert_begins_at_its_limit_and_can_be_turned_off() -> None:
    assert find_alerts(FleetFacts(), LIMITS, ()) == {}
    assert find_alerts(EVERYTHING, LIMITS, ()).keys() == FORMS.keys()
    below = FleetFacts(workers=1, ready=True, lost_in_a_row=9, memory=0.89, disks={"/": 0.89}, books=Books())
    assert find_alerts(below, LIMITS, ()) == {}
    off = parse_alert_limits(" ".join(f"{alert}=off" for alert in FORMS))
    assert find_alerts(EVERYTHING, off, ()) == {}


def test_what_is_nearly_full_must_fall_by_more_than_it_wavers() -> None:
    near = FleetFacts(memory=0.88, disks={"/": 0.88})
    assert find_alerts(near, LIMITS, {"disk", "memory"}).keys() == {"disk", "memory"}
    assert find_alerts(FleetFacts(memory=0.86, disks={"/": 0.86}), LIMITS, {"disk", "memory"}) == {}


def test_the_limits_are_read_with_their_units_and_what_cannot_be_right_is_refused() -> None:
    limits = parse_alert_limits("no_worker=2h,leases_lost=3 disk=75% books_uncertain=1.5 memory=off")
    assert (limits.no_worker, limits.leases_lost, limits.disk, limits.books_uncertain) == (7200, 3, 0.75, 1.5)
    assert limits.memory == OFF
    assert limits.books_closed == parse_alert_limits(DEFAULT).books_closed == 300
    for word in ("disk=5m", "no_worker=5", "leases_lost=3%", "nothing=1", "disk", "disk=-1%"):
        with pytest.raises(SettingInvalid):
            read_settings({"SWEEP_ALERTS": word})


def test_no_worker_is_told_once_after_its_time_and_once_that_it_is_over(night: Night, settings: Settings) -> None:
    night.submit(single("s", 2), notify=("HOOK",))
    leaders = [AlertWatch(night.store, settings), AlertWatch(night.store, settings)]
    for _ in range(3):
        leaders[0].look()
        assert told(night) == []
        night.clock.pass_seconds(149)
    for leader in (*leaders, *leaders):
        leader.look()
    assert told(night) == [("no_worker", "no_worker")]
    assert read_alerts(night.store).keys() == {"no_worker"}
    night.store.report_worker("w", threads=1, busy=0, ttl=600)
    for leader in (*leaders, *leaders):
        leader.look()
    assert told(night) == [("no_worker", "no_worker"), ("over", "no_worker")]
    assert not night.store.client.exists(keys.ALERTS)
    night.store.forget_worker("w")
    for _ in range(2):
        leaders[1].look()
        night.clock.pass_seconds(301)
    leaders[1].look()
    assert len(told(night)) == 3, "another incident"


def test_a_full_disk_is_told_with_its_machine_wherever_that_is(night: Night, tmp_path: Path) -> None:
    settings = read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_ALERTS": "disk=100% memory=off no_worker=off"})
    night.submit(single("s", 1), notify=("HOOK",))
    watch = AlertWatch(night.store, settings)
    for host, used in (("far", "1.0000"), ("near", "0.5"), ("off", "1")):
        night.store.report_worker(host, threads=1, busy=0, ttl=600, host=host, disk="/scratch", disk_used=used)
    night.store.report_worker("old", threads=1, busy=0, ttl=600, host="old")  # reports no disk
    watch.look()
    assert told(night) == [("disk", "disk")]
    (detail,) = read_alerts(night.store).values()
    assert "/scratch on far" in detail
    assert "/scratch on off" in detail
    assert "near" not in detail
    for host in ("far", "off"):
        night.store.report_worker(host, threads=1, busy=0, ttl=600, host=host, disk="/scratch", disk_used="0.9")
    watch.look()
    assert told(night) == [("disk", "disk"), ("over", "disk")]


@pytest.mark.parametrize("verb", ["pause_sweep", "cancel_sweep"])
def test_without_a_stage_that_could_start_no_worker_is_needed(night: Night, settings: Settings, verb: str) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    night.tell(verb, "s")
    for _ in range(2):
        AlertWatch(night.store, settings).look()
        night.clock.pass_seconds(400)
    assert told(night) == []


def test_leases_that_run_out_one_after_the_other_are_told_until_a_stage_makes_progress(
    night: Night, tmp_path: Path
) -> None:
    settings = read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_ALERTS": "leases_lost=2 disk=off memory=off"})
    night.submit(single("s", 3), notify=("HOOK",))
    watch = AlertWatch(night.store, settings)
    night.store.report_worker("w", threads=1, busy=0, ttl=600)
    for expected in (0, 1, 1):
        night.start("train-0000", "s")
        night.clock.pass_seconds(LEASE)
        night.spread()
        watch.look()
        assert len(told(night)) == expected
    night.do("train-0001", "s")
    watch.look()
    assert told(night) == [("leases_lost", "leases_lost"), ("over", "leases_lost")]
    losses = night.store.client.hgetall(keys.LOSSES)
    assert losses == {"lost": "3"}


def test_uncertain_books_are_told_with_their_amount_until_they_are_certain(night: Night, settings: Settings) -> None:
    night.submit(single("s", 1), notify=("HOOK",))
    watch = AlertWatch(night.store, settings)
    night.store.report_worker("w", threads=1, busy=0, ttl=600)
    close_books(night.store, "an older state was restored")
    watch.look()
    assert told(night) == [], "closed books open by themselves"
    night.store.scripts.run("book_lost_attempt", "train-0000", 1, "s", night.clock())
    books = read_books(night.store)
    assert night.store.scripts.run("reopen_books", books.run, books.asked, night.clock())
    watch.look()
    watch.look()
    night.store.scripts.run("reconcile_cost", "train-0000|1", json.dumps({"training": 5}))
    watch.look()
    assert told(night) == [("books_uncertain", "books_uncertain"), ("over", "books_uncertain")]
    close_books(night.store, "again")
    watch.look()
    night.clock.pass_seconds(301)
    watch.look()
    assert told(night)[2:] == [("books_closed", "books_closed")]
