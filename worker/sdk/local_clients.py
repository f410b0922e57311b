"""Let the SDK reach this machine without a proxy and certificates; use connection pools again; measure nothing.

A client of the SDK opens about five connection pools. Each reads all certificates that the machine trusts: 28 ms of a
processor through httpx, 7 ms through pyqwest. Nothing at an `http` address needs them. And each pool of pyqwest leaves
600 bytes behind that no Python object holds, so a worker that opened new ones would grow by 4 kB with each stage.
"""

import ssl
import weakref
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache, wraps
from typing import Any

import httpx
from pyqwest import HTTPTransport
from pyqwest.httpx import AsyncPyqwestTransport

from scheduler.proxies import is_local


def wrap_http_client(original: Callable[..., Any]) -> Any:
    """Connect to this machine without a proxy, which could not reach it."""

    @wraps(original)
    def client(**kwargs: Any) -> Any:
        url = str(kwargs.get("base_url"))
        if is_local(url):
            kwargs["trust_env"] = False
            if url.startswith("http:"):
                kwargs["verify"] = _trust_no_certificate()
        return original(**kwargs)

    return client


IDLE_SECONDS = 5.0  # after which a connection that nobody uses is closed, as tinker_offline does
MakePool = Callable[[], httpx.AsyncBaseTransport]


def wrap_transport(original: MakePool) -> MakePool:
    """Open a connection pool with the first request, if none is idle."""

    @wraps(original)
    def transport() -> httpx.AsyncBaseTransport:
        return PatientTransport(original)

    return transport


class PatientTransport(httpx.AsyncBaseTransport):
    """Sends through a pool that `make_secure()` made, but to a plain `http` address through one that trusts nobody.

    No other client uses the pool until this one is gone.
    """

    def __init__(self, make_secure: MakePool) -> None:
        self._make_secure = make_secure
        self._borrowed = dict[MakePool, httpx.AsyncBaseTransport]()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        make = _make_plain if request.url.scheme == "http" else self._make_secure
        if make not in self._borrowed:
            self._borrowed[make] = _borrow_pool(self, make)
        return await self._borrowed[make].handle_async_request(request)


def _make_plain() -> httpx.AsyncBaseTransport:
    return AsyncPyqwestTransport(HTTPTransport(pool_idle_timeout=IDLE_SECONDS))


def _borrow_pool(borrower: PatientTransport, make: MakePool) -> httpx.AsyncBaseTransport:
    """Return a pool that nobody else uses until the borrower is gone."""
    try:
        pool = _idle[make].pop()
    except IndexError:
        pool = make()
    weakref.finalize(borrower, _idle[make].append, pool).atexit = False
    return pool


_idle: defaultdict[MakePool, deque[httpx.AsyncBaseTransport]] = defaultdict(deque)
"""The pools that no client uses, by what makes them."""


def collect_no_metrics() -> None:
    """Keep the meters of connection pools from piling up.

    Each pool of pyqwest asks OpenTelemetry for a meter. Where nobody has said who collects them, it keeps them for
    ever, for a collector that may still come: some kilobytes of memory for each stage.
    """
    with suppress(ImportError):  # an older pyqwest does without
        from opentelemetry import metrics

        metrics.set_meter_provider(metrics.NoOpMeterProvider())


@cache
def _trust_no_certificate() -> ssl.SSLContext:
    """Make what an `http` client needs never: if it is led to TLS all the same, every server is refused."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
