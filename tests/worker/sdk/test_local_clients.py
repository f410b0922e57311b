"""What the SDK opens to this machine reads no certificates, and what it opens elsewhere still trusts only those."""

import asyncio
import gc
import ssl

import httpx
import pytest
from tinker import _base_client
from tinker._client import AsyncTinker
from tinker.types import ClientConfigResponse

from tests.tinker_offline.process import KEY, Server
from worker.sdk import hooks
from worker.sdk.local_clients import PatientTransport


@pytest.mark.parametrize(
    ("url", "trusts"), [("http://127.0.0.1:1", False), ("https://127.0.0.1:1", True), ("https://tinker.example", True)]
)
def test_certificates_are_read_for_tls_alone_and_none_is_trusted_unread(url: str, trusts: bool) -> None:
    hooks.install()
    plain = ClientConfigResponse(use_pyqwest_transport=False)
    transport = AsyncTinker(base_url=url, api_key=KEY, _client_config=plain)._client._transport
    assert isinstance(transport, httpx.AsyncHTTPTransport)
    context = transport._pool._ssl_context
    assert isinstance(context, ssl.SSLContext)
    assert bool(context.get_ca_certs()) is trusts
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_transport_with_certificates_is_made_for_the_first_address_that_needs_them(tinker: Server) -> None:
    made = []

    def make() -> httpx.AsyncBaseTransport:
        made.append(httpx.MockTransport(lambda _: httpx.Response(418)))
        return made[-1]

    async def get(*urls: str) -> list[int]:
        async with httpx.AsyncClient(transport=PatientTransport(make)) as client:
            return [(await client.get(url)).status_code for url in urls]

    health = f"{tinker.url}/api/v1/healthz"
    assert asyncio.run(get(health)) == [200]
    assert made == []
    assert asyncio.run(get("https://tinker.example", health, "https://tinker.example")) == [418, 200, 418]
    assert len(made) == 1


def test_a_pool_is_used_again_when_its_client_is_gone_and_never_by_two_at_once() -> None:
    """A pool leaves bytes behind, and costs a look at all certificates."""
    made = list[httpx.AsyncBaseTransport]()

    def make() -> httpx.AsyncBaseTransport:
        number = len(made)
        made.append(httpx.MockTransport(lambda _: httpx.Response(200, text=str(number))))
        return made[-1]

    async def ask(transport: PatientTransport) -> str:
        request = httpx.Request("GET", "https://tinker.example")
        return (await (await transport.handle_async_request(request)).aread()).decode()

    for _ in range(3):
        first, second = PatientTransport(make), PatientTransport(make)
        assert {asyncio.run(ask(first)), asyncio.run(ask(second))} == {"0", "1"}
        assert asyncio.run(ask(first)) != asyncio.run(ask(second))
        del first, second
        gc.collect()
    assert len(made) == 2


def test_every_pool_of_the_sdk_sends_through_it() -> None:
    hooks.install()
    assert isinstance(AsyncTinker(base_url="http://127.0.0.1:1", api_key=KEY)._client._transport, PatientTransport)


def test_nothing_is_kept_of_a_client_that_was_closed() -> None:
    """A worker opens some for each stage, and runs for weeks."""
    hooks.install()

    def count_meters() -> int:
        return sum("Meter" in type(value).__name__ for value in gc.get_objects())

    before = count_meters()
    for _ in range(3):
        client = AsyncTinker(base_url="http://127.0.0.1:1", api_key=KEY)
        asyncio.run(_base_client._default_pyqwest_transport().aclose())
        asyncio.run(client.close())
    assert count_meters() == before
