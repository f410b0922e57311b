"""Tokens that let people and programs in, and login links. Redis has only keyed hashes of their secrets.

A secret has 256 bits and is shown once. The first half of its keyed hash is the token's id, which finds it; the second
half is compared in constant time.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from scheduler.errors import TokenUnusable
from scheduler.state import keys
from scheduler.state.milliseconds import count_milliseconds
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.store import Store

PREFIX = "swp_"  # so that people and scanners of secrets recognise one
SECRET_BYTES = 32
LOGIN_SECONDS = 600.0
LONGEST = 200  # characters of a text that is taken for a secret


@dataclass(frozen=True)
class Token:
    """What is known of a token. Nobody knows its secret but its owner."""

    id: str
    name: str
    scope: Scope
    user: str  # who acts with it, and whose budget it spends
    expires: int | None  # milliseconds since 1970; None: never
    made: int  # milliseconds since 1970


def create_token(
    store: Store, actor: Actor, name: str, *, scope: Scope, user: str, lifetime: float | None = None
) -> str:
    """Make a token that is good for `lifetime` seconds (None: until it is revoked). Return its secret.

    Raise TokenUnusable if the name is taken.
    """
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    token_id, digest = _hash_secret(store, secret)
    expires = "" if lifetime is None else store.scripts.read_time() + count_milliseconds(lifetime)
    fields = ("digest", digest, "scope", scope.value, "user", user, "expires", expires)
    detail = f"{scope.value} for {user}"
    if not store.scripts.run("create_token", actor.user, actor.origin, name, token_id, detail, *fields):
        raise TokenUnusable(f"a token is named {name!r} already; choose another name, or `sweep token revoke {name}`")
    return secret


def find_token(store: Store, secret: str) -> Token | None:
    """Find the token of a secret. None if there is none, or it was revoked, or it has expired."""
    if not secret.startswith(PREFIX) or len(secret) > LONGEST:
        return None
    token_id, digest = _hash_secret(store, secret)
    row = store.scripts.run("read_token", token_id)
    return _make_token(token_id, row) if row and hmac.compare_digest(row[0], digest) else None


def read_token(store: Store, token_id: str) -> Token | None:
    """Read a token by its id, for a session that it opened. None if it was revoked or has expired."""
    row = store.scripts.run("read_token", token_id)
    return _make_token(token_id, row) if row else None


def list_tokens(store: Store) -> list[Token]:
    """List all tokens by name, the expired ones too."""
    ids = sorted(store.client.hgetall(keys.TOKENS).items())
    pipe = store.client.pipeline(transaction=False)
    for _, token_id in ids:
        pipe.hmget(keys.token(token_id), ["digest", "name", "scope", "user", "expires", "made"])
    return [
        _make_token(token_id, row) for (_, token_id), row in zip(ids, pipe.execute(), strict=True) if row[0] is not None
    ]


def revoke_token(store: Store, actor: Actor, name: str) -> None:
    """Revoke a token: it is refused from now on, and so are sessions that it opened. Raise TokenUnusable."""
    if not store.scripts.run("revoke_token", actor.user, actor.origin, name):
        there = ", ".join(sorted(store.client.hgetall(keys.TOKENS))) or "there is none"
        raise TokenUnusable(f"no token is named {name!r}; tokens: {there}")


def create_login(store: Store, actor: Actor) -> str:
    """Make the secret of a login link, which lets the actor in once within LOGIN_SECONDS, with every right."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    lasts = count_milliseconds(LOGIN_SECONDS)
    store.scripts.run("create_login", actor.user, actor.origin, "".join(_hash_secret(store, secret)), lasts)
    return secret


def take_login(store: Store, secret: str, origin: str) -> str | None:
    """Use up a login link. Return the user whom it lets in, or None if it was used, has expired or never was."""
    if len(secret) > LONGEST:
        return None
    return store.scripts.run("take_login", origin, "".join(_hash_secret(store, secret))) or None


def _make_token(token_id: str, row: list[str]) -> Token:
    _, name, scope, user, expires, made = row
    return Token(token_id, name, Scope(scope), user, int(expires) if expires else None, int(made))


def _hash_secret(store: Store, secret: str) -> tuple[str, str]:
    """Return both halves of the keyed hash of a secret. The key is made once for each installation."""
    key = store.client.get(keys.TOKEN_KEY)
    if key is None:
        store.client.set(keys.TOKEN_KEY, secrets.token_hex(SECRET_BYTES), nx=True)
        key = store.client.get(keys.TOKEN_KEY) or ""
    digest = hmac.new(bytes.fromhex(key), secret.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    return digest[:32], digest[32:]
