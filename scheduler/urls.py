"""Check the settings that are URLs and addresses. Messages never quote what may be a password."""

import re
from collections.abc import Callable, Collection
from ipaddress import ip_network
from urllib.parse import SplitResult, urlsplit

from scheduler.errors import SettingInvalid

WEB = ("http", "https")
REDIS = ("redis", "rediss", "unix")
SENTINELS = ("sentinel", "sentinels")
OF_ONE_PROCESS = ("memory",)  # no other process sees what one writes there


def check_web(name: str, text: str, right: str) -> str:
    """Return the address of a service. Raises SettingInvalid."""
    parts = _split(name, text, WEB, right)
    if not parts.hostname or parts.query or parts.fragment:
        got = "no host" if not parts.hostname else "a query or fragment"
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected a URL such as {right}, got {got}")
    return text


def check_redis(name: str, text: str) -> str:
    """Return the address of a Redis; whether it answers shows later. Raises SettingInvalid."""
    right = "redis://host:6379/0, rediss://, unix:///path or sentinel://host:26379,host2:26379/PRIMARY/0"
    if text.partition("://")[0] in SENTINELS:
        return _check_sentinels(name, text, right)
    parts = _split(name, text, REDIS, right)
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        what = "path" if parts.scheme == "unix" else "host"
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected {right}, got no {what}")
    return text


def _check_sentinels(name: str, text: str, right: str) -> str:
    """Check each host by itself: a list of hosts has no one port."""
    scheme, _, rest = text.partition("://")
    where, _, primary = rest.partition("?")[0].rpartition("@")[2].partition("/")
    hosts = [_split(name, f"{scheme}://{host}", SENTINELS, right).hostname for host in where.split(",")]
    if not all(hosts) or not primary.strip("/"):
        got = "an empty host" if not all(hosts) else "no name of a primary"
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected {right}, got {got}")
    return text


def is_webhook(text: str) -> bool:
    """Can a notice be sent to this address? It may have a query, and is a secret."""
    try:
        return bool(_split("", text.strip(), WEB, "").hostname)
    except SettingInvalid:
        return False


def check_store(name: str, text: str, list_protocols: Callable[[], Collection[str]]) -> str | None:
    """Return an fsspec URL, or None for a path; only a URL asks for the protocols. Raises SettingInvalid."""
    scheme, separator, rest = text.partition(":")
    if not separator or "/" in scheme:
        return None
    known = list_protocols()
    right = "a folder, or a URL that all workers reach, such as s3://bucket/folder"
    chained = rest.startswith(":")
    is_url = chained or rest.startswith("//")
    if is_url != (scheme in known):
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected {right}; fsspec does not know this URL")
    if not is_url:
        return None
    if scheme in OF_ONE_PROCESS or scheme in WEB:
        why = "only one process sees it" if scheme in OF_ONE_PROCESS else "it is read-only"
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected {right}; {why}")
    if not chained and not rest.strip("/"):
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected {right}, got no path")
    return text


def parse_hosts(text: str) -> tuple[str, ...]:
    """Read hosts, patterns of hosts and `SCHEME://BUCKET` words, between spaces or commas. Raises ValueError."""
    words = text.replace(",", " ").split()
    for word in words:
        if not re.fullmatch(r"\w+://[\w.*-]+|[\w.*-]+|[0-9a-fA-F:]+", word):
            raise ValueError(f"expected hosts and buckets such as data.example.org s3://bucket, got {word!r}")
    return tuple(word if "://" in word else word.lower() for word in words)


def parse_address(text: str) -> tuple[str, int] | None:
    """Read `PORT` (of the loopback address) or `HOST:PORT`; None if the text is empty. Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not text:
        return None
    if not port.isascii() or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise ValueError(f"expected a port or HOST:PORT, such as 9464 or 0.0.0.0:9464, got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def parse_page(name: str, text: str) -> tuple[str, int] | None:
    """Read `PORT`, `HOST:PORT` or `off` (None). Port 0 is a free one. Raises SettingInvalid."""
    if text == "off":
        return None
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise SettingInvalid(
            f"{name}: expected off, a port (0 to 65535) or HOST:PORT, such as 8780 or 0.0.0.0:8780, got {text!r}"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def parse_port(name: str, text: str) -> int | None:
    """Read a port of the loopback address or `off` (None). Port 0 is a free one. Raises SettingInvalid."""
    if text == "off":
        return None
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise SettingInvalid(f"{name}: expected off or a port (0 to 65535), got {text!r}")
    return int(text)


def parse_networks(name: str, text: str) -> tuple[str, ...]:
    """Read addresses and networks, separated by spaces: `10.0.0.7 172.16.0.0/12`. Raises SettingInvalid."""
    words = tuple(text.split())
    for word in words:
        try:
            ip_network(word)
        except ValueError:
            raise SettingInvalid(
                f"{name}: expected addresses or networks, such as 10.0.0.7 or 172.16.0.0/12, got {word!r}"
            ) from None
    return words


def hide_secrets(url: str) -> str:
    """Return the URL without user, password, query and fragment, which may be secret."""
    scheme, separator, rest = url.partition("?")[0].partition("#")[0].partition("://")
    return ascii(f"{scheme}{separator}{rest.rpartition('@')[2]}")[1:-1] if separator or "@" not in url else "…"


def _split(name: str, text: str, schemes: Collection[str], right: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    odd = any(not character.isprintable() or character.isspace() for character in text)
    if not usable or odd or parts.scheme not in schemes:
        raise SettingInvalid(f"{name}={hide_secrets(text)}: expected a URL such as {right}")
    return parts
