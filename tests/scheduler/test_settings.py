"""The environment is read once, and what cannot be is refused by the name of its variable."""

import os
import re
from pathlib import Path

import pytest

from scheduler.errors import SettingInvalid
from scheduler.processes.folder_settings import find_setting
from scheduler.settings import DEFAULTS, read_settings
from tests.wording import naming


def test_with_nothing_set_everything_lives_where_one_stands() -> None:
    settings = read_settings({})
    assert settings.home == Path.cwd() / ".sweep"
    assert settings.store == str(settings.home / "store")
    assert (settings.redis_url, settings.offline_url) == (None, None)
    assert (settings.threads, settings.slots, settings.lease) == (16, 500, 60.0)


def test_what_is_set_is_what_counts(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "SWEEP_HOME": str(tmp_path),
            "REDIS_URL": "redis://host/1",
            "SWEEP_STORE": "s3://bucket/path",
            "SWEEP_THREADS": "3",
            "SWEEP_LEASE": "2.5",
        }
    )
    assert (settings.home, settings.redis_url, settings.store) == (tmp_path, "redis://host/1", "s3://bucket/path")
    assert (settings.threads, settings.lease) == (3, 2.5)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    names = ["REDIS_URL", "SWEEP_STORE", "SWEEP_OFFLINE_URL", *DEFAULTS]
    assert read_settings(dict.fromkeys(names, "")) == read_settings({})


@pytest.mark.parametrize("name", sorted({*DEFAULTS} - {"SWEEP_HOME", "SWEEP_SANDBOX", "SWEEP_LOG"}))
@pytest.mark.parametrize("text", ["many", "-1", "1e9", "nan", "inf", "1,5"])
def test_an_impossible_number_is_refused_with_its_name_and_what_would_be_right(name: str, text: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        read_settings({name: text})
    assert name in str(refused.value)
    assert text in str(refused.value)
    assert re.search(r"\d to \d", str(refused.value))


@pytest.mark.parametrize("text", ["much", "-1", "1e9", "nan"])
def test_an_impossible_day_budget_is_refused_and_none_is_none(text: str) -> None:
    assert (read_settings({}).day_budget, read_settings({"SWEEP_DAY_BUDGET": "2.5"}).day_budget) == (None, 2.5)
    with pytest.raises(SettingInvalid, match=naming("SWEEP_DAY_BUDGET", "0 to 1,000,000")):
        read_settings({"SWEEP_DAY_BUDGET": text})


@pytest.mark.parametrize("name", ["SWEEP_THREADS", "SWEEP_WORKERS", "SWEEP_SLOTS", "SWEEP_FLOWER_PORT"])
def test_a_part_of_a_thread_is_refused(name: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        read_settings({name: "2.5"})


def test_a_place_that_is_not_there_is_refused_before_anything_is_looked_for_in_it(tmp_path: Path) -> None:
    with pytest.raises(SettingInvalid, match=f"SWEEP_ENVIRONMENTS={tmp_path}/gone"):
        read_settings({"SWEEP_ENVIRONMENTS": f"{tmp_path}/gone"})
    assert read_settings({"SWEEP_ENVIRONMENTS": str(tmp_path)}).environments == tmp_path


def test_who_is_told_is_named_by_variables_and_an_address_is_never_quoted() -> None:
    assert read_settings({"SWEEP_NOTIFY": "env:OPS, env:SLACK_WEBHOOK env:OPS"}).notify == ("OPS", "SLACK_WEBHOOK")
    with pytest.raises(SettingInvalid, match="SWEEP_NOTIFY: word 2") as refused:
        read_settings({"SWEEP_NOTIFY": "env:OPS https://hooks.example/T0KEN"})
    assert "T0KEN" not in str(refused.value)


def test_a_home_is_absolute_wherever_the_process_goes_later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings({"SWEEP_HOME": "state"}).home == tmp_path / "state"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_settings({"SWEEP_HOME": "~/state"}).home == tmp_path / "state"
    assert os.environ["HOME"] == str(tmp_path)


@pytest.mark.parametrize("name", ["SWEEP_HOME", "SWEEP_CACHE", "SWEEP_PRICES", "SWEEP_REHEARSAL", "SWEEP_ENVIRONMENTS"])
def test_a_home_of_nobody_is_refused_by_the_name_of_its_variable(name: str) -> None:
    with pytest.raises(SettingInvalid, match=f"{name}=~nobody-at-all/x"):
        read_settings({name: "~nobody-at-all/x"})


PLACES = ["SWEEP_HOME", "SWEEP_STORE"]
PATHS = [*PLACES, "SWEEP_CACHE", "SWEEP_PRICES", "SWEEP_REHEARSAL", "SWEEP_ENVIRONMENTS"]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "text", ["n" * 300, "a/" * 3000, "/dev/null/x", "~nobody-at-all"], ids=["name", "whole", "file", "home"]
)
def test_a_path_that_the_system_cannot_have_is_refused_by_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingInvalid) as refused:
        read_settings({name: text})
    assert str(refused.value).startswith(f"{name}={text}")


@pytest.mark.parametrize("name", PLACES)
def test_a_folder_that_is_a_file_is_refused_by_the_name_of_its_variable(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingInvalid, match=f"{name}={tmp_path}/file"):
        read_settings({name: f"{tmp_path}/file"})


def test_a_path_that_fails_later_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    environment = {"SWEEP_HOME": str(tmp_path / "home"), "SWEEP_STORE": str(tmp_path / "home" / "store")}
    assert find_setting(str(tmp_path / "home" / "logs" / "x"), environment) == "SWEEP_HOME"
    assert find_setting(str(tmp_path / "home" / "store" / "x"), environment) == "SWEEP_STORE"
    assert find_setting(str(tmp_path / "homely"), environment) is None


def test_a_store_is_absolute_and_its_home_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    kept = {text: read_settings({"SWEEP_STORE": text}).store for text in ("kept", "~/kept", "./~kept", "a:b")}
    assert kept == {
        "kept": f"{tmp_path}/kept",
        "~/kept": f"{tmp_path}/kept",
        "./~kept": f"{tmp_path}/~kept",
        "a:b": f"{tmp_path}/a:b",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("://", "nope://x", "s3://", "s3:/bucket", "s3:bucket", "S3://bucket", " s3://bucket", "memory://x"),
        *("http://h/x", "file://", "://x", "nope::s3://b/x"),
    ],
)
def test_a_store_that_is_no_place_for_all_workers_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^SWEEP_STORE="):
        read_settings({"SWEEP_STORE": text})


@pytest.mark.parametrize("text", ["s3://bucket", "gs://bucket/a", "file:///kept", "simplecache::s3://bucket/a"])
def test_a_store_that_is_a_url_is_kept_as_it_is(text: str) -> None:
    assert read_settings({"SWEEP_STORE": text}).store == text


NO_URLS = ["abc", "://", "http://", "http://[::1", "localhost:8000", "http://h:99999", "http://h:0", "http://h:x"]
NO_URLS += ["http://a b", "ftp://h", "http:/h", "http://h/?k=secret", "http://h/#x", "http://h\n", " http://h", "  "]


@pytest.mark.parametrize("name", ["SWEEP_OFFLINE_URL", "TINKER_BASE_URL"])
@pytest.mark.parametrize("text", NO_URLS)
def test_what_is_no_address_of_a_service_is_refused_by_the_name_of_its_variable(name: str, text: str) -> None:
    with pytest.raises(SettingInvalid, match=f"^{name}=") as refused:
        read_settings({name: text})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000", "https://h/services/x", "http://[::1]:80/", "HTTP://h"])
def test_an_address_of_a_service_is_taken(text: str) -> None:
    settings = read_settings({"SWEEP_OFFLINE_URL": text, "TINKER_BASE_URL": text})
    assert (settings.offline_url, settings.tinker_url) == (text, text)


@pytest.mark.parametrize(
    "text",
    [*NO_URLS, "http://h", "redis://", "redis:///0", "unix://", "redis://:secret@h:x/0", "redis://h:0", "redis//h"],
)
def test_what_is_no_address_of_a_redis_is_refused_before_it_is_asked(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^REDIS_URL=") as refused:
        read_settings({"REDIS_URL": text})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["redis://h", "rediss://u:p@h:6380/2?ssl_cert_reqs=none", "unix:///run/redis.sock?db=1"]
)
def test_an_address_of_a_redis_is_taken(text: str) -> None:
    assert read_settings({"REDIS_URL": text}).redis_url == text


def test_a_variable_that_holds_no_address_of_who_is_told_is_named_and_not_quoted() -> None:
    settings = {"SWEEP_NOTIFY": "env:OPS env:GONE", "OPS": "https://hooks.example/x?key=T0KEN"}
    assert read_settings(settings).notify == ("OPS", "GONE")
    for text in ("T0KEN", "hooks.example/T0KEN", "https://", "ftp://h/T0KEN", "://T0KEN"):
        with pytest.raises(SettingInvalid, match="env:OPS") as refused:
            read_settings(settings | {"OPS": text})
        assert "T0KEN" not in str(refused.value)


def test_a_user_is_who_the_variable_says_or_the_operating_system() -> None:
    assert read_settings({"SWEEP_USER": "ada"}).user == "ada"
    assert read_settings({"SWEEP_USER": ""}).user == read_settings({}).user != ""
    for text in ("ada bob", "ada=2", "a,b", "x" * 65):
        with pytest.raises(SettingInvalid, match="SWEEP_USER"):
            read_settings({"SWEEP_USER": text})
