"""BrowserSessions of browsers. A cookie has 256 random bits; Redis has their hash, and whom they let in.

A session that a token opened ends when the token is revoked or expires: each request reads the token again. Only the
parts of a page that is open are still sent for RECENT seconds.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.state import keys
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import Token, find_token, read_token, take_login
from scheduler.state.store import Store

LASTS = 12 * 3600  # seconds
COOKIE_BYTES = 32
LONGEST = 100  # characters of a cookie that is looked for
RECENT = 3.0  # seconds for which a visitor is remembered
REMEMBERED = 1000  # visitors


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page, and what proves that a form is ours."""

    actor: Actor
    cookie: str

    @property
    def form_token(self) -> str:
        """The value that a form of this session carries: nobody can compute it without the cookie."""
        return hmac.new(self.cookie.encode(), b"form", hashlib.sha256).hexdigest()

    def owns(self, token: str) -> bool:
        """Is this the value that a form of this session carries?"""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.form_token.encode())


class BrowserSessions:
    """The sessions of one installation."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open_with_token(self, secret: str, origin: str) -> str | None:
        """Open a session with the secret of a token. Return the cookie, or None if the token is not good."""
        token = find_token(self._store, secret)
        return None if token is None else self._open({"token": token.id, "origin": origin})

    def open_with_link(self, secret: str, origin: str) -> str | None:
        """Open a session with a login link, and use it up. Return the cookie, or None if the link is not good."""
        user = take_login(self._store, secret, origin)
        return None if user is None else self._open({"user": user, "origin": f"{origin} link"})

    def find(self, cookie: str) -> Visitor | None:
        """Find whom a cookie lets in."""
        text = self._store.client.get(self._locate(cookie)) if 0 < len(cookie) <= LONGEST else None
        if text is None:
            return None
        kept: dict[str, str] = json.loads(text)
        if "token" not in kept:
            return Visitor(Actor(kept["user"], kept["origin"]), cookie)
        token = read_token(self._store, kept["token"])
        return None if token is None else Visitor(make_actor(token, kept["origin"]), cookie)

    def close(self, cookie: str) -> None:
        """End a session."""
        self._store.client.delete(self._locate(cookie))

    def _open(self, kept: dict[str, str]) -> str:
        cookie = secrets.token_urlsafe(COOKIE_BYTES)
        self._store.client.set(self._locate(cookie), json.dumps(kept), ex=LASTS)
        return cookie

    def _locate(self, cookie: str) -> str:
        return keys.session(hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest())


class RecentVisits:
    """Remembers for some seconds whose cookies were good, so that Redis is not asked for each part of a live page."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[str, float] = OrderedDict()

    def has(self, cookies: str) -> bool:
        """Were these cookies good a moment ago?"""
        return self._clock() < self._until.get(cookies, 0.0)

    def add(self, cookies: str) -> None:
        """Remember good cookies."""
        self._until[cookies] = self._clock() + RECENT
        self._until.move_to_end(cookies)
        while len(self._until) > REMEMBERED:
            self._until.popitem(last=False)


def make_actor(token: Token, origin: str) -> Actor:
    """Make the actor that a token stands for."""
    return Actor(token.user, f"{origin} {token.name}", Scope(token.scope))
