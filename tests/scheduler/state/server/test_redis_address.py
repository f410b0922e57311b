"""One REDIS_URL, spelt for redis-py, for Celery and for people, leads all of them to the same server."""

import ssl
from typing import Any

import pytest

from scheduler.errors import SettingInvalid
from scheduler.settings import read_settings
from scheduler.state.connection import connect, make_broker_settings
from scheduler.state.server.redis_address import read_address, redact_redis_url

SENTINELS = "sentinel://ada:s%40cret@h1:26379,h2/fleet/3"


def broker(url: str) -> dict[str, Any]:
    return make_broker_settings(url, {"global_keyprefix": "x:"})


@pytest.mark.parametrize(
    ("url", "spelt"),
    [
        ("unix:///a/b.sock", "redis+socket:///a/b.sock"),
        ("unix://ada:x@/a/b.sock?db=2", "redis+socket://ada:x@/a/b.sock?virtual_host=2"),
        ("redis://host/1", "redis://host:6379/1"),
        ("redis://host?db=2&socket_timeout=4", "redis://host:6379/2"),
        ("redis://host?password=a%40b", "redis://:a%40b@host:6379/0"),
        ("redis://:p%2Fq@[::1]:7/0", "redis://:p%2Fq@[::1]:7/0"),
        ("rediss://ada:x@host:6380/2?ssl_cert_reqs=CERT_NONE", "rediss://ada:x@host:6380/2"),
        (SENTINELS, "sentinel://ada:s%40cret@h1:26379/3;sentinel://ada:s%40cret@h2:26379/3"),
    ],
)
def test_celery_gets_the_same_server_user_password_and_database(url: str, spelt: str) -> None:
    assert broker(url)["broker_url"] == spelt


@pytest.mark.parametrize(
    ("word", "mode"),
    [
        *(("none", ssl.CERT_NONE), ("optional", ssl.CERT_OPTIONAL), ("required", ssl.CERT_REQUIRED)),
        *(("CERT_NONE", ssl.CERT_NONE), ("CERT_OPTIONAL", ssl.CERT_OPTIONAL), ("CERT_REQUIRED", ssl.CERT_REQUIRED)),
    ],
)
@pytest.mark.parametrize("url", ["rediss://host/0", "sentinels://host/fleet/0"])
def test_either_spelling_of_the_verification_reaches_our_client_and_the_broker(url: str, word: str, mode: int) -> None:
    url += f"?ssl_cert_reqs={word}&ssl_ca_certs=/a/ca.pem"
    client: Any = connect(url)
    pool = client.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs)
    assert (connection.cert_reqs, connection.ca_certs) == (mode, "/a/ca.pem")
    assert broker(url)["broker_use_ssl"] == {"ssl_cert_reqs": mode, "ssl_ca_certs": "/a/ca.pem"}


def test_a_certificate_is_verified_unless_the_url_says_otherwise() -> None:
    assert broker("rediss://host/0")["broker_use_ssl"] == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    assert "broker_use_ssl" not in broker("redis://host/0")


def test_a_verification_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="required, optional or none"):
        read_address("rediss://host/0?ssl_cert_reqs=never")


def test_sentinels_may_have_a_user_of_their_own_and_tls() -> None:
    url = "sentinels://ada:x@h1,h2:7/fleet?sentinel_username=bob&sentinel_password=y&ssl_ca_certs=/a/ca.pem"
    address = read_address(url)
    assert (address.sentinels, address.primary) == ((("h1", 26379), ("h2", 7)), "fleet")
    asking = broker(url)["broker_transport_options"]["sentinel_kwargs"]
    assert (asking["username"], asking["password"], asking["ssl"]) == ("bob", "y", True)
    assert asking["ssl_ca_certs"] == "/a/ca.pem"
    client: Any = connect(url)
    assert client.connection_pool.connection_kwargs["username"] == "ada"
    sentinel = client.connection_pool.sentinel_manager.sentinels[0].connection_pool
    assert sentinel.connection_kwargs["username"] == "bob"
    assert issubclass(sentinel.connection_class, ssl_class())


def ssl_class() -> type:
    client: Any = connect("rediss://host/0")
    return client.connection_pool.connection_class  # type: ignore[no-any-return]


def test_a_url_is_shown_by_where_it_leads() -> None:
    assert redact_redis_url("rediss://ada:x@host:6379/2?ssl_cert_reqs=none") == "rediss://host:6379/2"
    assert redact_redis_url("unix:///a/b.sock") == "unix:///a/b.sock"
    assert redact_redis_url(SENTINELS) == "sentinel://h1:26379,h2/fleet/3"


@pytest.mark.parametrize(
    "url", [SENTINELS, "sentinel://h/fleet", "sentinels://h:1,[::1]:2/fleet/0?sentinel_password=x"]
)
def test_sentinels_are_taken_as_settings(url: str) -> None:
    assert read_settings({"REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize(
    "url", ["sentinel://", "sentinel:///fleet", "sentinel://h", "sentinel://:secret@h,/fleet", "sentinel://h:x/fleet"]
)
def test_sentinels_without_a_host_or_a_primary_are_refused_before_they_are_asked(url: str) -> None:
    with pytest.raises(SettingInvalid, match=r"^REDIS_URL=") as refused:
        read_settings({"REDIS_URL": url})
    assert "secret" not in str(refused.value)
