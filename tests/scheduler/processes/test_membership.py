"""A fleet has one value of each setting that its processes share; who has another is refused and told both values."""

from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.errors import SettingsDisagree
from scheduler.processes.membership import check_fleet, join_fleet, leave_fleet, read_shared_settings
from scheduler.settings import Settings, read_settings
from scheduler.state.store import Store
from scheduler.state.workers import make_instance, make_process_name
from tests.scheduler.night import Night

SHARED = {"SWEEP_LEASE": "60", "SWEEP_STALL": "1800"}
OTHER = {"SWEEP_LEASE": "30", "SWEEP_STALL": "1800"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"SWEEP_HOME": str(tmp_path)})


def test_who_has_another_value_is_refused_and_told_both_and_the_member(store: Store) -> None:
    join_fleet(store, "a", SHARED, 5)
    join_fleet(store, "b", SHARED, 5)
    with pytest.raises(SettingsDisagree) as refused:
        join_fleet(store, "c", OTHER, 5)
    words = str(refused.value).replace(",", "").replace(";", "").split()
    assert {"SWEEP_LEASE", "60", "30"} <= {*words}
    assert {"a", "b"} & {*words}
    join_fleet(store, "a", SHARED, 5)  # the refused one changed nothing


def test_a_value_may_change_once_all_others_have_left_or_are_silent(night: Night) -> None:
    join_fleet(night.store, "a", SHARED, 5)
    join_fleet(night.store, "b", SHARED, 50)
    leave_fleet(night.store, "b")
    with pytest.raises(SettingsDisagree):
        join_fleet(night.store, "c", OTHER, 5)
    night.clock.pass_seconds(6)
    join_fleet(night.store, "c", OTHER, 5)
    with pytest.raises(SettingsDisagree):
        join_fleet(night.store, "a", SHARED, 5)  # it was away for too long


def test_one_that_is_alone_may_change_its_own_value(store: Store) -> None:
    join_fleet(store, "a", SHARED, 5)
    join_fleet(store, "a", OTHER, 5)


def test_a_drained_worker_lets_another_version_start_beside_it(store: Store) -> None:
    store.report_worker("a", threads=2, busy=1, ttl=60)
    join_fleet(store, "a", {"code": "1"}, 60)
    assert store.scripts.run("drain_worker", "a", 1) == 1
    assert store.report_worker("a", threads=0, busy=0, ttl=60) is True
    join_fleet(store, "b", {"code": "2"}, 60)
    store.scripts.run("drain_worker", "a", 0)
    assert store.report_worker("a", threads=2, busy=0, ttl=60) is False


def test_a_worker_that_is_not_there_cannot_be_drained(store: Store) -> None:
    assert store.scripts.run("drain_worker", "nobody", 1) == 0


def test_who_only_looks_is_refused_too_and_is_no_member(store: Store, settings: Settings) -> None:
    check_fleet(store, settings)
    join_fleet(store, "a", read_shared_settings(settings), 5)
    check_fleet(store, settings)
    with pytest.raises(SettingsDisagree, match="SWEEP_STALL"):
        check_fleet(store, replace(settings, stall=settings.stall + 1))
    leave_fleet(store, "a")
    check_fleet(store, replace(settings, stall=settings.stall + 1))


def test_a_price_list_of_ones_own_is_a_setting_that_is_shared(settings: Settings, tmp_path: Path) -> None:
    lists = []
    for number, text in enumerate(("prices: []\n", "prices: [] # other\n")):
        (tmp_path / f"{number}.yaml").write_text(text)
        lists.append(read_shared_settings(replace(settings, prices=tmp_path / f"{number}.yaml"))["prices"])
    assert len({*lists, read_shared_settings(settings)["prices"]}) == 3


def test_two_processes_with_one_host_and_one_number_have_two_names() -> None:
    assert make_process_name(1, make_instance()) != make_process_name(1, make_instance())
