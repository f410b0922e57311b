"""Pages that ask for something: a spec is planned and submitted for who sent it, and sweeps are compared."""

import re

import httpx
import pytest

from scheduler.state import views
from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.web.conftest import PASTED, SPEC
from tests.web.served import Served
from web.pages.items_page import split_turns


def send_spec(guest: httpx.Client, spec: str, do: str) -> httpx.Response:
    token = guest.get("/new").text.split('name="token" value="')[-1].split('"')[0]
    return guest.post("/new", data={"token": token, "do": do, "spec": spec})


def test_a_pasted_spec_is_planned_and_then_submitted_for_who_pasted_it(page: Served) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        planned = send_spec(guest, PASTED, "plan")
        assert planned.status_code == 200
        assert re.search(r"pasted: \d+ stages, \$\d+\.\d\d at most", planned.text)
        assert guest.get("/sweeps/pasted").status_code == 404, "a look spends nothing"
        sent = send_spec(guest, PASTED, "submit")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sweeps/pasted")
    assert views.read_sweep(page.store, "pasted").user == "bob"
    assert (read_audit(page.store, last=1)[0].what, read_audit(page.store, last=1)[0].who) == ("submit", "bob")


def test_a_reader_plans_and_submits_nothing(page: Served) -> None:
    with page.log_in(Scope.READ) as guest:
        assert guest.get("/new").status_code == 403
        token = guest.get("/").text.split('name="token" value="')[-1].split('"')[0]
        assert guest.post("/new", data={"token": token, "do": "submit", "spec": PASTED}).status_code == 403


@pytest.mark.parametrize("spec", ["", "sweep: [", PASTED.replace("offline:reference", "/etc/passwd"), "x" * 10_000])
def test_what_cannot_be_planned_says_why_and_keeps_the_text(page: Served, spec: str) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        answer = send_spec(guest, spec, "plan")
    assert answer.status_code == 422
    assert spec[:50].strip().splitlines()[:1] == [] or spec.strip().splitlines()[0] in answer.text


def test_sweeps_are_compared_where_they_share_conditions(page: Served, night: Night) -> None:
    night.submit(scaling("beside", [8, 16]), spec={**SPEC, "sweep": "beside"})
    night.spread()
    with page.log_in() as guest:
        assert guest.get("/compare").status_code == 200
        compared = guest.get("/compare", params={"first": "half", "second": "beside"})
        assert guest.get("/compare", params={"first": "half", "second": "nowhere"}).status_code == 404
    assert "beside - half" in compared.text
    assert "2.0500 (2 seeds)" in compared.text


def test_a_conversation_is_split_at_the_marks_of_its_template() -> None:
    chat = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n"
    assert [tuple(turn) for turn in split_turns(chat)] == [("user", "Hi"), ("assistant", "Yes")]
    assert [tuple(turn) for turn in split_turns("2+2=4\n")] == [("", "2+2=4\n")]
