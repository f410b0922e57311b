"""Nobody sees anything without a session; a session comes from a token or a link, and from no other site."""

import socket
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from scheduler.errors import SettingInvalid
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.people.actors import Scope
from scheduler.state.people.tokens import create_token, revoke_token
from scheduler.state.store import Store
from tests.support import FakeClock, redis_server
from tests.web.served import ADA, Served, serve_page
from web import live
from web.guard import HEADERS, LARGEST
from web.login_limits import ADDRESSES, EVERY, TRIES, LoginLimits
from web.page_app import PAGES
from web.page_server import check_address
from web.pages.login_page import keep_local
from web.visitors import RECENT, REMEMBERED, RecentVisits

OPEN = {"/login", "/healthz", "/readyz"}


def list_paths() -> set[str]:
    """The path of every page that can be looked at."""
    routes = [route for module in (*PAGES, live) for route in module.router.routes]
    return {route.path for route in routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())}


def test_every_page_but_the_login_asks_for_one(page: Served) -> None:
    paths = list_paths() - OPEN
    assert len(paths) > 5
    with page.open_guest() as guest:
        for path in paths:
            answer = guest.get(
                path.format(name="half", part="cells", number=0, what="pause", stage="train-n8s0"),
                params={"of": "home"},
            )
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login"), path
        assert guest.get("/", headers={"accept": "*/*"}).status_code == 401


def test_a_token_opens_a_session_that_ends_when_it_is_revoked(page: Served) -> None:
    secret = create_token(page.store, ADA, "guest", scope=Scope.READ, user="bob")
    with page.open_guest() as guest:
        opened = guest.post("/login", data={"secret": secret, "next": "/sweeps?after=0"})
        assert (opened.status_code, opened.headers["location"]) == (303, "/sweeps?after=0")
        flags = {part.strip().lower() for part in opened.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/"} <= flags
        assert guest.get("/").status_code == 200
        revoke_token(page.store, ADA, "guest")
        assert guest.get("/").status_code == 303


def test_redis_knows_no_cookie_and_a_session_expires(page: Served) -> None:
    with page.log_in() as guest:
        (cookie,) = guest.cookies.jar
        places = list(page.store.client.scan_iter(keys.session("*")))
        texts = [page.store.client.get(key) or "" for key in places]
    assert places
    assert str(cookie.value) not in " ".join(places + texts)
    assert all(page.store.client.ttl(key) > 0 for key in places)  # type: ignore[attr-defined]


def test_a_link_lets_in_once_and_only_who_clicks(page: Served) -> None:
    code = page.make_link()
    with page.open_guest() as first, page.open_guest() as second:
        assert first.get("/login", params={"code": code}).status_code == 200, "a look does not use it up"
        assert first.post("/login", data={"code": code}).status_code == 303
        assert first.get("/").status_code == 200
        assert second.post("/login", data={"code": code}).status_code == 401


def test_a_cookie_that_another_chose_opens_nothing_and_a_login_has_a_new_one(page: Served) -> None:
    with page.log_in() as guest:
        (cookie,) = guest.cookies.jar
    with page.open_guest() as guest:
        guest.cookies.set(cookie.name, "chosen")
        assert guest.get("/").status_code == 303
        opened = guest.post("/login", data={"secret": page.make_token("read-any", Scope.READ)})
        assert "chosen" not in opened.headers["set-cookie"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", ""])
def test_another_site_can_neither_log_in_nor_log_out(page: Served, origin: str) -> None:
    with page.log_in() as guest:
        if not origin:
            del guest.headers["origin"]
        else:
            guest.headers["origin"] = origin
        assert guest.post("/logout", data={}).status_code == 403
        assert guest.post("/login", data={"code": "x"}).status_code == 403
        assert guest.get("/").status_code == 200


def test_logging_out_needs_the_form_of_the_session_and_ends_it(page: Served) -> None:
    with page.log_in() as guest:
        assert guest.post("/logout", data={"token": "x"}).status_code == 403
        token = guest.get("/").text.split('name="token" value="')[1].split('"')[0]
        ((name, cookie),) = dict(guest.cookies).items()
        assert guest.post("/logout", data={"token": token}).status_code == 303
        guest.cookies.set(name, cookie)
        assert guest.get("/").status_code == 303, "also for who has kept the cookie"


def test_failures_are_limited_by_address_and_forgiven_with_time() -> None:
    clock = FakeClock(0)
    limits = LoginLimits(lambda: float(clock.now) / 1000)
    for _ in range(TRIES):
        assert limits.count_wait("a") == 0
        limits.note_failure("a")
    assert 0 < limits.count_wait("a") <= EVERY
    assert limits.count_wait("b") == 0
    clock.pass_seconds(EVERY)
    assert limits.count_wait("a") == 0
    for number in range(10 * ADDRESSES):
        limits.note_failure(str(number))
    assert len(limits) == ADDRESSES


def test_visitors_are_remembered_for_seconds_and_in_bounded_memory() -> None:
    clock = FakeClock()
    visits = RecentVisits(lambda: float(clock.now) / 1000)
    visits.add("a")
    assert (visits.has("a"), visits.has("b")) == (True, False)
    clock.pass_seconds(RECENT)
    assert not visits.has("a")
    for number in range(REMEMBERED + 1):
        visits.add(str(number))
    assert (visits.has("0"), visits.has("1")) == (False, True)


def test_who_fails_too_often_must_wait(night_of_its_own: Served) -> None:
    with night_of_its_own.open_guest() as guest:
        answers = [guest.post("/login", data={"secret": "swp_wrong"}) for _ in range(TRIES + 1)]
    assert [answer.status_code for answer in answers] == [401] * TRIES + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("path", "kept"),
    [("/sweeps/a?b=c", "/sweeps/a?b=c"), ("//evil.example", "/"), ("/\\evil.example", "/"), ("http://evil", "/"),
     ("", "/"), ("/\r\nX: y", "/")],
)  # fmt: skip
def test_a_login_leads_to_a_page_of_ours(path: str, kept: str) -> None:
    assert keep_local(path) == kept


def test_every_response_has_the_headers(page: Served) -> None:
    with page.log_in() as guest:
        answers = [guest.get(path) for path in ("/", "/sweeps/half", "/nowhere", "/sweeps/nowhere", "/static/live.js")]
        answers += [guest.post("/login", data={"secret": "x" * LARGEST}), guest.put("/"), guest.get("/healthz")]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404, 200, 413, 405, 200]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.url


def test_it_listens_elsewhere_only_where_somebody_can_log_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        store = Store(server.client())
        check_address(store, "127.0.0.1")
        with pytest.raises(SettingInvalid):
            check_address(store, "0.0.0.0")
        create_token(store, ADA, "t", scope=Scope.READ, user="ada")
        check_address(store, "0.0.0.0")


def test_a_slow_body_is_cut_off(page: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.guard.PATIENCE", 0.05)
    host, port = page.url.removeprefix("http://").split(":")
    head = (
        f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: {page.url}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nsecret="
    )
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        slow.sendall(head.encode())
        assert slow.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(("proxy", "is_believed"), [("", False), ("10.0.0.0/8", False), ("127.0.0.1", True)])
def test_a_proxy_is_believed_only_where_it_is_named(
    page: Served, tmp_path: Path, proxy: str, is_believed: bool
) -> None:
    """The proxy wrote the last address of the visitor; what stands before it, the visitor may have made up."""

    def log_in(secret: str, *addresses: str) -> httpx.Response:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": ", ".join(addresses)}
        return guest.post("/login", data={"secret": secret}, headers=headers)

    settings = read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_PAGE_PROXY": proxy})
    secret = page.make_token("behind a proxy", Scope.READ)
    with serve_page(page.store, settings) as behind, behind.open_guest() as guest:
        opened = log_in(secret, "203.0.113.5")
        tried = [log_in("wrong", f"198.51.100.{number}", "203.0.113.7").status_code for number in range(TRIES + 1)]
        another = log_in("wrong", "203.0.113.8").status_code
    assert opened.status_code == 303
    assert ("secure" in opened.headers["set-cookie"].lower()) == is_believed
    assert tried == [401] * TRIES + [429]
    assert another == (401 if is_believed else 429)


@pytest.mark.parametrize("text", ["*", "proxy.example.org", "10.0.0.7/8", "1.2.3.4,5.6.7.8"])
def test_only_addresses_are_proxies(text: str) -> None:
    with pytest.raises(SettingInvalid):
        read_settings({"SWEEP_PAGE_PROXY": text})
