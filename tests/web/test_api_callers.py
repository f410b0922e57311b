"""Every route of the API × who calls it: a reader sees, a submitter changes what is his, nobody else does anything."""

import itertools
from collections.abc import Iterator

import httpx
import pytest

from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from scheduler.state.people.tokens import create_token, revoke_token
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.web.served import ADA, Served
from web.api.callers import PREFIX

SWEEP = "table"
FILE = "0" * 64
SPEC = {"spec": "sweep: nothing\n"}
PAUSE = {"command": "pause", "values": {"name": SWEEP}, "version": "any"}
EVENTS = "/events"  # never ends, so it is only asked by those whom it refuses
READS = (
    *("/sweeps", f"/sweeps/{SWEEP}", "/fleet", EVENTS, f"/data/{FILE}", "/stages/train-x0000"),
    *(f"/sweeps/{SWEEP}/{part}" for part in ("spec", "runs", "cells", "results", "events", "costs", "items", "report")),
    "/stages/evaluate-base/items/0",
    "/storage?service=offline",
)
CHANGES = {
    f"/sweeps/{SWEEP}/priority": ("PUT", {"priority": 3}),
    f"/sweeps/{SWEEP}/budget": ("PUT", {"usd": 5}),
    f"/sweeps/{SWEEP}/pause": ("POST", None),
    f"/sweeps/{SWEEP}/resume": ("POST", None),
    f"/sweeps/{SWEEP}/retry": ("POST", {"failed": True}),
    f"/sweeps/{SWEEP}/cancel": ("POST", None),
}
SENDS = {
    "/plan": ("POST", SPEC),
    "/sweeps": ("POST", SPEC),
    f"/data/{FILE}": ("PUT", None),
    "/commands": ("POST", PAUSE),
}
ROUTES = [
    *(("GET", path, None) for path in READS),
    *((method, path, body) for path, (method, body) in (CHANGES | SENDS).items()),
]
STRANGERS = ("none", "unknown", "revoked", "expired", "basic")


@pytest.fixture(scope="module")
def api(page: Served, night: Night) -> Iterator[httpx.Client]:
    night.submit(single(SWEEP, 1, prefix="x"), user="owner")
    with httpx.Client(base_url=page.url + PREFIX, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def headers(page: Served, night: Night) -> dict[str, dict[str, str]]:
    """The header of each who calls."""
    secrets = {scope.value: page.make_token(f"api-{scope.value}", scope, "owner") for scope in Scope}
    secrets["another"] = page.make_token("api-another", Scope.SUBMIT, "another")
    secrets["revoked"] = create_token(night.store, ADA, "gone", scope=Scope.ADMIN, user="owner")
    revoke_token(night.store, ADA, "gone")
    secrets["expired"] = create_token(night.store, ADA, "old", scope=Scope.ADMIN, user="owner", lifetime=0)
    secrets["unknown"] = "swp_" + "A" * 43
    bearers = {who: {"Authorization": f"Bearer {secret}"} for who, secret in secrets.items()}
    return {**bearers, "none": {}, "basic": {"Authorization": "Basic b3duZXI6b3duZXI="}}


def test_the_table_has_every_route(api: httpx.Client) -> None:
    document = api.get("/openapi.json").json()
    routes = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    named = {(method, path.partition("?")[0]) for method, path, _ in ROUTES}
    places = {"{name}": SWEEP, "{sha256}": FILE}
    for method, path in routes:
        for place, value in places.items():
            path = path.replace(place, value)  # noqa: PLW2901
        known = [known_path for verb, known_path in named if verb == method and _fits(path, known_path)]
        assert known, f"{method} {path} is not in the table"


def _fits(path: str, concrete: str) -> bool:
    pairs = list(itertools.zip_longest(path.split("/"), concrete.split("/")))
    return all(part == value or (part or "").startswith("{") for part, value in pairs)


@pytest.mark.parametrize("who", STRANGERS)
def test_who_has_no_good_token_gets_nothing_from_any_route(
    api: httpx.Client, headers: dict[str, dict[str, str]], night: Night, who: str
) -> None:
    before = night.snapshot()
    for method, path, body in ROUTES:
        answer = api.request(method, path, json=body, headers=headers[who])
        assert (answer.status_code, answer.json()["code"]) == (401, "unidentified"), path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert night.snapshot() == before


@pytest.mark.parametrize("who", ["read", "submit", "admin", "another"])
def test_who_has_a_good_token_sees_every_route(api: httpx.Client, headers: dict[str, dict[str, str]], who: str) -> None:
    for path in READS:
        if path != EVENTS and not path.startswith("/storage"):  # which asks a service that does not run here
            assert api.get(path, headers=headers[who]).status_code in (200, 404), path


def test_a_reader_changes_nothing(api: httpx.Client, headers: dict[str, dict[str, str]], night: Night) -> None:
    before = night.snapshot()
    for path, (method, body) in (CHANGES | SENDS).items():
        answer = api.request(method, path, json=body, headers=headers["read"])
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
    assert night.snapshot() == before


def test_another_submitter_changes_nothing_that_is_not_his(
    api: httpx.Client, headers: dict[str, dict[str, str]], night: Night
) -> None:
    before = night.snapshot()
    for path, (method, body) in CHANGES.items():
        answer = api.request(method, path, json=body, headers=headers["another"])
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed"), path
    assert night.snapshot() == before


@pytest.mark.parametrize("who", ["submit", "admin"])
def test_the_owner_and_an_admin_change_a_sweep_and_each_change_has_a_line(
    api: httpx.Client, headers: dict[str, dict[str, str]], night: Night, who: str
) -> None:
    for path, (method, body) in CHANGES.items():
        answer = api.request(method, path, json=body, headers=headers[who])
        assert (answer.status_code, answer.json()["sweeps"][0]["sweep"]) == (200, SWEEP), path
    lines = read_audit(night.store, last=len(CHANGES))
    assert [line.what for line in lines] == [path.rpartition("/")[2] for path in CHANGES]
    assert {(line.who, line.origin) for line in lines} == {("owner", f"127.0.0.1 api-{who}")}
