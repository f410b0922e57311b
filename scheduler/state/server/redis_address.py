"""Read REDIS_URL once, and spell it for redis-py, for Celery's broker and for people.

Besides the URLs of redis-py it takes `sentinel://[USER:PASSWORD@]HOST:26379,HOST2:26379/PRIMARY/0`, and `sentinels://`
for the same over TLS, as `rediss` is to `redis`. User and password are those of the servers; Sentinels that want their
own take `?sentinel_username=…&sentinel_password=…`. `ssl_cert_reqs` may have the spelling of redis-py or of Celery.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SENTINEL_PORT = 26379
SENTINEL_SECONDS = 2.0  # for an answer of one Sentinel, before the next one is asked
SENTINEL_SCHEMES: Mapping[str, str] = {"sentinel": "redis", "sentinels": "rediss"}  # -> how its servers are reached
OWN_OPTIONS = ("sentinel_username", "sentinel_password")
CERTIFICATES = "ssl_cert_reqs"
VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is. With Sentinels, they say which server is the primary."""

    url: str  # of the server, as redis-py takes it; with Sentinels, of any of them
    sentinels: tuple[tuple[str, int], ...] = ()
    primary: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)


def read_address(url: str) -> RedisAddress:
    """Read REDIS_URL. Raise ValueError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if CERTIFICATES in options:
        options[CERTIFICATES] = _read_verification(options[CERTIFICATES])
    if parts.scheme not in SENTINEL_SCHEMES:
        return RedisAddress(f"{url.partition('?')[0]}?{urlencode(options)}" if options else url)
    login, _, hosts = parts.netloc.rpartition("@")
    sentinels = tuple(_read_host(host) for host in hosts.split(","))
    primary, _, database = parts.path.strip("/").partition("/")
    if not primary or not all(host for host, _ in sentinels):
        raise ValueError("expected hosts and the name of the primary")
    own = {name.removeprefix("sentinel_"): options.pop(name) for name in OWN_OPTIONS if name in options}
    host, port = sentinels[0]
    where = f"{login}@{_spell_host(host)}:{port}" if login else f"{_spell_host(host)}:{port}"
    server = urlunsplit((SENTINEL_SCHEMES[parts.scheme], where, f"/{database or 0}", urlencode(options), ""))
    times = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    return RedisAddress(server, sentinels, unquote(primary), {**times, **own})


def select_tls(options: Mapping[str, Any]) -> dict[str, Any]:
    """Select the TLS options from those of redis-py, with constants where Celery takes no words."""
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return tls | {CERTIFICATES: VERIFY[tls.get(CERTIFICATES, "required")]}


def make_broker_url(address: RedisAddress, options: Mapping[str, Any]) -> str:
    """Write the URL of the same server as Celery expects it, without options. `options` are those of redis-py."""
    user, password = (quote(str(options.get(name) or ""), safe="") for name in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    database = int(options.get("db") or 0)
    if path := options.get("path"):
        return f"redis+socket://{login}{quote(path)}" + (f"?virtual_host={database}" if database else "")
    if address.sentinels:
        return ";".join(f"sentinel://{login}{_spell_host(host)}:{port}/{database}" for host, port in address.sentinels)
    where = f"{_spell_host(str(options.get('host', 'localhost')))}:{options.get('port', 6379)}"
    return f"{urlsplit(address.url).scheme}://{login}{where}/{database}"


def redact_redis_url(url: str) -> str:
    """Remove the password, the user and the options from a URL, so that a message can show it."""
    scheme, separator, rest = url.partition("?")[0].partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if separator else "…"


def _read_verification(text: str) -> str:
    word = text.lower().removeprefix("cert_")
    if word not in VERIFY:
        raise ValueError(f"expected {CERTIFICATES}=required, optional or none")
    return word


def _read_host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    return parts.hostname or "", parts.port or SENTINEL_PORT


def _spell_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
