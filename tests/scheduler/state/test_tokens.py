"""A token lets in whoever knows its secret, until it is revoked or expires; nothing that is stored lets anyone in."""

import json

import pytest

from scheduler.errors import TokenUnusable
from scheduler.state import keys
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.audit_log import audit_change, read_audit
from scheduler.state.people.tokens import (
    LOGIN_SECONDS,
    create_login,
    create_token,
    find_token,
    list_tokens,
    read_token,
    revoke_token,
    take_login,
)
from scheduler.state.store import Store
from tests.scheduler.night import read_everything
from tests.support import FakeClock

ADA = Actor("ada", "cli@desk")
DAY = 86_400.0


def create(store: Store, name: str = "laptop", lifetime: float | None = None) -> str:
    return create_token(store, ADA, name, scope=Scope.SUBMIT, user="bob", lifetime=lifetime)


def test_a_secret_finds_its_token_and_no_other_text_does(store: Store) -> None:
    secret, other = create(store), create(store, "desk")
    token = find_token(store, secret)
    assert token is not None
    assert (token.name, token.scope, token.user, token.expires) == ("laptop", Scope.SUBMIT, "bob", None)
    assert read_token(store, token.id) == token
    for wrong in (
        "",
        "swp_",
        secret[:-1],
        secret + "A",
        secret.removeprefix("swp_"),
        "swp_" + token.id,
        "x" * 10**6,
        "swp_ü\n",
    ):
        assert find_token(store, wrong) is None
    assert [token.name for token in list_tokens(store)] == ["desk", "laptop"]
    assert secret != other


def test_a_revoked_token_is_refused_and_so_is_its_session(store: Store) -> None:
    secret = create(store)
    token = find_token(store, secret)
    assert token is not None
    revoke_token(store, ADA, "laptop")
    assert (find_token(store, secret), read_token(store, token.id), list_tokens(store)) == (None, None, [])
    with pytest.raises(TokenUnusable):
        revoke_token(store, ADA, "laptop")


def test_a_token_is_good_until_it_expires_and_is_listed_afterwards(store: Store, clock: FakeClock) -> None:
    secret = create(store, lifetime=DAY)
    clock.pass_seconds(DAY - 0.001)
    assert find_token(store, secret) is not None
    clock.pass_seconds(0.001)
    assert find_token(store, secret) is None
    assert [token.name for token in list_tokens(store)] == ["laptop"]


def test_a_name_is_used_once_until_it_is_revoked(store: Store) -> None:
    first = create(store)
    with pytest.raises(TokenUnusable):
        create(store)
    revoke_token(store, ADA, "laptop")
    second = create(store)
    assert (find_token(store, first), find_token(store, second) is not None) == (None, True)


def test_a_login_link_lets_in_once_and_not_for_long(store: Store) -> None:
    secret = create_login(store, ADA)
    (left,) = _milliseconds_left(store)
    assert 0 < left <= LOGIN_SECONDS * 1000
    assert take_login(store, secret + "x", "10.0.0.1") is None
    assert take_login(store, secret, "10.0.0.1") == "ada"
    assert take_login(store, secret, "10.0.0.1") is None


def _milliseconds_left(store: Store) -> list[int]:
    pipe = store.client.pipeline()
    for key in store.client.scan_iter(keys.login("*")):
        getattr(pipe, "pttl")(key)  # noqa: B009 - of no use to our own code
    return pipe.execute()


def test_nothing_that_is_stored_lets_anyone_in(store: Store) -> None:
    token, login = create(store), create_login(store, ADA)
    stored = json.dumps({key: str(value) for key, value in read_everything(store.client).items()})
    for secret in (token, token.removeprefix("swp_"), login):
        assert secret not in stored
    assert [text for text in _texts(store) if find_token(store, text) or take_login(store, text, "")] == []


def _texts(store: Store) -> list[str]:
    rows = read_everything(store.client)
    names = [key.rpartition(":")[2] for key in rows]
    values = [word for value in rows.values() for word in json.dumps(value, default=str).split('"')]
    return [*names, *values, *(f"swp_{text}" for text in (*names, *values))]


def test_each_change_has_a_line_that_says_who_what_and_from_where(store: Store, clock: FakeClock) -> None:
    create(store)
    clock.pass_seconds(1)
    revoke_token(store, ADA, "laptop")
    take_login(store, create_login(store, ADA), "10.0.0.1")
    audit_change(store, Actor("bob", "10.0.0.2"), "pause", "night", "x" * 10_000)
    lines = read_audit(store, last=10)
    assert [(line.who, line.origin, line.what, line.target) for line in lines] == [
        ("ada", "cli@desk", "create token", "laptop"),
        ("ada", "cli@desk", "revoke token", "laptop"),
        ("ada", "cli@desk", "create login", "ada"),
        ("ada", "10.0.0.1", "login", "ada"),
        ("bob", "10.0.0.2", "pause", "night"),
    ]
    assert lines[1].at - lines[0].at == 1000
    assert len(lines[-1].detail) < 1000
    assert len(read_audit(store, last=2)) == 2


@pytest.mark.parametrize("scope", Scope)
def test_who_may_change_what(scope: Scope) -> None:
    actor = Actor("ada", "", scope)
    assert (actor.may_change("ada"), actor.may_change("bob")) == {
        Scope.READ: (False, False),
        Scope.SUBMIT: (True, False),
        Scope.ADMIN: (True, True),
    }[scope]
