"""Limit how fast this process sends, by permits of the fleet's limits that it fetches in batches.

Reaches Redis through the permit source it is given.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Protocol

from scheduler.engine.rate_limit import Rate
from scheduler.engine.request_meter import SENT
from scheduler.services import SERVICES, find_service
from scheduler.settings import Settings
from scheduler.state.connection import Away, Client

SLICE = 0.5  # seconds between two checks whether the attempt may still wait

Check = Callable[[], None]  # raises when the attempt must stop waiting


class PermitSource(Protocol):
    """Where permits come from; a `Rate` is one."""

    batch: int

    def draw(self) -> float: ...


class Permits:
    """The permits of one limit that this process holds, for all its attempts."""

    def __init__(
        self,
        source: PermitSource,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._clock = clock
        self._sleep = sleep
        self._held = 0
        self._not_before = -inf  # no permits before this time
        self._counting = threading.Lock()
        self._drawing = threading.Lock()

    def take(self, count: int, check: Check) -> None:
        """Take `count` permits, waiting for them. Raises what `check` raises while waiting."""
        taken = 0
        try:
            while (taken := taken + self._spend(count - taken)) < count:
                if wait := self._draw():
                    self._sleep(min(wait, SLICE))
                    check()
        except BaseException:
            self._spend(-taken)  # give back what was taken, for other attempts
            raise

    def _spend(self, most: int) -> int:
        with self._counting:
            some = min(self._held, most)
            self._held -= some
            return some

    def _draw(self) -> float:
        """Fetch a batch on one thread for all; return the seconds to wait if there is none, 0 to look again."""
        if not self._drawing.acquire(timeout=SLICE):
            return SLICE  # another thread is still waiting for Redis
        try:
            wait = 0.0 if self._held else self._not_before - self._clock()
            if wait <= 0 and not self._held:
                wait = self._fetch()
            return max(0.0, wait)
        finally:
            self._drawing.release()

    def _fetch(self) -> float:
        try:
            wait = self._source.draw()
        except Away:
            wait = SLICE  # the lease bounds how long this may last
        if not wait:
            self._spend(-self._source.batch)
        self._not_before = self._clock() + wait
        return wait


class RateLimiter:
    """The limits of one service; None means no limit and no request to Redis. Counts what is sent by `note`."""

    def __init__(
        self,
        requests: Permits | None = None,
        tokens: Permits | None = None,
        note: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._requests = requests
        self._tokens = tokens
        self._note = note

    def take(self, *, requests: int, tokens: int, check: Check) -> None:
        """Wait until the fleet may send this much more. Raises what `check` raises while waiting."""
        for make_permits, count in ((self._requests, requests), (self._tokens, tokens)):
            if make_permits is not None:
                make_permits.take(count, check)
        self._note(requests)


_UNLIMITED = RateLimiter()


def make_unlimited_limiter(model: str) -> RateLimiter:  # noqa: ARG001 - the signature of what make_rate_limiters returns
    """Return a limiter without limits."""
    return _UNLIMITED


def make_rate_limiters(
    client: Client, settings: Settings, report: dict[str, str | int] | None = None
) -> Callable[[str], RateLimiter]:
    """Return a function from a model to the rate limiter of its service. `report` gets the requests sent to each."""
    counts = {} if report is None else report
    counts.update(dict.fromkeys((SENT + service for service in SERVICES), 0))  # now: whoever copies it meets no new key
    counting = threading.Lock()

    def note(service: str, requests: int) -> None:
        with counting:
            counts[SENT + service] = int(counts[SENT + service]) + requests

    def make_permits(what: str, service: str, per_second: float) -> Permits | None:
        return Permits(Rate(client, f"{what}|{service}", per_second=per_second)) if per_second else None

    paces = {
        service: RateLimiter(
            make_permits("requests", service, settings.requests_per_second),
            make_permits("tokens", service, settings.tokens_per_minute / 60),
            partial(note, service),
        )
        for service in SERVICES
    }
    return lambda model: paces[find_service(model)]
