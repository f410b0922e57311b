"""Let the SDK reach this machine directly: without a proxy, and without reading certificates; and measure nothing.

A client of the SDK opens about five connection pools. Each reads all certificates that the machine trusts: 28 ms of a
processor through httpx, 7 ms through pyqwest. Nothing at an `http` address needs them.
"""

import ssl
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


def wrap_transport(original: Callable[[], httpx.AsyncBaseTransport]) -> Callable[[], httpx.AsyncBaseTransport]:
    """Read certificates for the first address that needs them."""

    @wraps(original)
    def transport() -> httpx.AsyncBaseTransport:
        return PatientTransport(original)

    return transport


class PatientTransport(httpx.AsyncBaseTransport):
    """Sends through `make_secure()`, but what goes to a plain `http` address through a transport that trusts nobody."""

    def __init__(self, make_secure: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._plain = AsyncPyqwestTransport(HTTPTransport())
        self._secure = cache(make_secure)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        transport = self._plain if request.url.scheme == "http" else self._secure()
        return await transport.handle_async_request(request)


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
