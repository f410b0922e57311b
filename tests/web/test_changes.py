"""Who may change a sweep does so by a form of the page, after reading what it does, and the audit log knows it."""

import httpx
import pytest

from scheduler.state import keys, views
from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.web.conftest import SPEC
from tests.web.served import Served
from web.pages.control_page import ACTIONS

OWNER = "ada"
MAY = [
    (Scope.READ, OWNER, False),
    (Scope.SUBMIT, "bob", False),
    (Scope.SUBMIT, OWNER, True),
    (Scope.ADMIN, "bob", True),
]


@pytest.fixture(scope="module")
def sweep(night: Night) -> str:
    night.submit(single("changing", 3, prefix="changing"), spec={**SPEC, "sweep": "changing"}, user=OWNER)
    return "changing"


def read_form_token(page: httpx.Response) -> str:
    """The value that the last form of a page carries."""
    return page.text.split('name="token" value="')[-1].split('"')[0]


def send(guest: httpx.Client, path: str, **fields: str) -> httpx.Response:
    """Open the page of a change, and use its button."""
    return guest.post(path, data={"token": read_form_token(guest.get(path)), **fields})


@pytest.mark.parametrize(("scope", "user", "may"), MAY)
def test_only_the_owner_and_admins_see_buttons_and_change(
    page: Served, sweep: str, scope: Scope, user: str, may: bool
) -> None:
    with page.log_in(scope, user) as guest:
        assert ("/change/pause" in guest.get(f"/sweeps/{sweep}").text) == may
        for action in ACTIONS:
            asked = guest.get(f"/sweeps/{sweep}/change/{action.name}")
            assert asked.status_code == (200 if may else 403)
        data = {"token": read_form_token(guest.get("/")), "value": "7"}
        assert guest.post(f"/sweeps/{sweep}/change/priority", data=data).status_code == (303 if may else 403)


def test_pausing_resuming_a_priority_and_a_budget_do_what_the_commands_do(page: Served, sweep: str) -> None:
    changes = (("pause", "", "paused"), ("resume", "", "active"), ("priority", "12", "active"))
    with page.log_in(Scope.ADMIN, OWNER) as guest:
        for what, value, state in (*changes, ("budget", "$2.50", "active")):
            answer = send(guest, f"/sweeps/{sweep}/change/{what}", value=value)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/sweeps/{sweep}?done={what}")
            assert views.read_sweep(page.store, sweep).state == state
            line = read_audit(page.store, last=1)[0]
            assert (line.what, line.who, line.target) == (what, OWNER, sweep)
    assert views.read_sweep(page.store, sweep).limit == 2_500_000
    assert page.store.client.hget(keys.sweep(sweep), "priority") == "12"


def test_a_look_changes_nothing_and_a_form_of_another_session_neither(page: Served, sweep: str) -> None:
    before = page.store.client.hgetall(keys.sweep(sweep))
    path = f"/sweeps/{sweep}/change/cancel"
    with page.log_in(Scope.ADMIN, OWNER) as guest, page.log_in(Scope.ADMIN, "bob") as other:
        for action in ACTIONS:
            guest.get(f"/sweeps/{sweep}/change/{action.name}")
        for token in ("", "x", read_form_token(other.get("/"))):
            assert guest.post(path, data={"token": token}).status_code == 403
        guest.headers["origin"] = "http://evil.example"
        assert send(guest, path).status_code == 403
    assert page.store.client.hgetall(keys.sweep(sweep)) == before


@pytest.mark.parametrize(
    ("what", "value"),
    [("priority", "-1"), ("priority", "1e9"), ("budget", "much"), ("budget", "nan"), ("budget", "-1"), ("fly", "1")],
)
def test_a_wrong_value_is_refused(page: Served, sweep: str, what: str, value: str) -> None:
    with page.log_in(Scope.ADMIN, OWNER) as guest:
        data = {"token": read_form_token(guest.get("/")), "value": value}
        assert guest.post(f"/sweeps/{sweep}/change/{what}", data=data).status_code == 400


def test_a_cancelled_sweep_can_be_tried_again(page: Served, night: Night) -> None:
    night.submit(single("again", 1, prefix="again"), spec={**SPEC, "sweep": "again"}, user=OWNER)
    with page.log_in(Scope.SUBMIT, OWNER) as guest:
        assert send(guest, "/sweeps/again/change/cancel").status_code == 303
        night.spread()
        assert night.state("train-again0000") == "cancelled"
        assert send(guest, "/sweeps/again/change/retry").status_code == 303
        night.spread()
    assert night.state("train-again0000") == "ready"
