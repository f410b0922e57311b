"""What is stored at a service is shown with its time; only admins delete, and nothing that is needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.people.actors import Scope
from scheduler.state.people.user_budgets import set_user_budget
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.support import wait_until
from tests.tinker_offline.process import Server
from tests.web.served import ADA, Served, serve_page
from web import stored_checkpoints
from web.api.callers import PREFIX

DAY = 86_400


def send(guest: httpx.Client, path: str, **fields: str) -> httpx.Response:
    token = guest.get("/storage").text.split('name="token" value="')[1].split('"')[0]
    return guest.post(path, data={"token": token, **fields})


@pytest.fixture
def listed(night: Night, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A needed checkpoint, an orphan, a young orphan, and a foreign one, as a service lists them."""
    night.submit(single("stored", 1, prefix="stored"))
    if night.state("train-stored0000") != "succeeded":
        night.do("train-stored0000", "stored")
    fleet, now = night.store.read_fleet_name(), night.store.scripts.read_time() / 1000
    places = (
        ("needed", "train-n16s0", fleet, 9),
        ("orphan", "train-stored0000", fleet, 9),
        ("young", "train-stored0000", fleet, 0),
        ("foreign", "train-elsewhere", "another", 9),
    )
    rows = [
        {"path": f"tinker://{name}", "bytes": 10**9, "created": now - age * DAY, "expires": None}
        | {"metadata": {"fleet": whose, "stage": stage, "sweep": "stored"}}
        for name, stage, whose, age in places
    ]
    monkeypatch.setattr(stored_checkpoints, "ask_service", lambda *_: {"checkpoints": rows})
    return rows


def test_nothing_that_is_needed_or_young_is_deleted_and_only_by_an_admin(
    page: Served, night: Night, listed: list[dict[str, Any]]
) -> None:
    with page.log_in() as guest, page.log_in(Scope.SUBMIT, "bob") as other, page.log_in(Scope.READ) as reader:
        assert send(reader, "/storage/ask", service="tinker").status_code == 403
        assert send(other, "/storage/ask", service="tinker").status_code == 303
        wait_until(lambda: all(row["path"] in guest.get("/storage").text for row in listed), "the answer is shown")
        assert send(other, "/storage/delete", service="tinker", use="orphan").status_code == 403
        for use in ("needed", "foreign", ""):
            assert send(guest, "/storage/delete", service="tinker", use=use).status_code == 400
        done = send(guest, "/storage/delete", service="tinker", use="orphan")
    assert done.headers["location"] == "/storage?deleted=1"
    discarded = {member.partition("|")[2] for member in night.store.client.zrange(keys.DISCARDED, 0, -1)}
    assert {row["path"] for row in listed} & discarded == {"tinker://orphan"}


def test_a_service_that_cannot_be_asked_says_why(page: Served) -> None:
    with page.log_in() as guest:
        assert send(guest, "/storage/ask", service="offline").status_code == 303
        wait_until(lambda: "tinker_offline" in guest.get("/storage").text, "why it cannot be asked")
        assert send(guest, "/storage/delete", service="offline", use="kept").status_code == 400
        assert send(guest, "/storage/ask", service="elsewhere").status_code == 400


@pytest.fixture
def service_of_its_own(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "service")
    server.start()
    yield server
    server.end()


def test_a_running_service_is_asked_by_the_page_and_by_the_api(
    night: Night, service_of_its_own: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the SDK: what it saved is listed. The API asks again after a while only."""
    server = service_of_its_own
    monkeypatch.setenv("SWEEP_OFFLINE_URL", server.url)
    settings = read_settings({"SWEEP_HOME": str(tmp_path / "home"), "SWEEP_OFFLINE_URL": server.url})
    with server.session() as service, serve_page(night.store, settings) as page:
        client = service.create_lora_training_client("offline/ngram-s", rank=2, seed=1).result(60)
        saved = client.save_state("kept").result(60).path
        with page.log_in(Scope.ADMIN, "asker") as guest:
            assert send(guest, "/storage/ask", service="offline").status_code == 303
            wait_until(lambda: saved in guest.get("/storage").text, "the page lists it", seconds=60)
        headers = {"Authorization": f"Bearer {page.make_token('asks', Scope.READ)}"}
        with httpx.Client(base_url=page.url + PREFIX, headers=headers, trust_env=False, timeout=60) as api:
            listed = api.get("/storage", params={"service": "offline"}).json()["checkpoints"]
            client.save_state("later").result(60)
            again = api.get("/storage", params={"service": "offline"}).json()["checkpoints"]
    assert [(row["path"], row["use"]) for row in listed] == [(saved, "foreign")]
    assert again == listed


def test_home_shows_what_users_may_spend(page: Served) -> None:
    set_user_budget(page.store, ADA, "carol", {"day": 2_500_000, "month": None})
    with page.log_in() as guest:
        text = guest.get("/").text
    assert "carol, this day" in text
    assert "of $2.50" in text
    assert "carol, this month" not in text
