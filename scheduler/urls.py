"""Settings that are URLs: checked where they are read. What may be a password in one is not quoted."""

from collections.abc import Callable, Collection
from urllib.parse import SplitResult, urlsplit

from scheduler.errors import SettingInvalid

WEB = ("http", "https")
REDIS = ("redis", "rediss", "unix")
OF_ONE_PROCESS = ("memory",)  # what one process puts there no other finds


def check_web(name: str, text: str, right: str) -> str:
    """The address of a service, to which paths are joined. Raises SettingInvalid."""
    parts = _split(name, text, WEB, right)
    if not parts.hostname or parts.query or parts.fragment:
        what = "names no host" if not parts.hostname else "has something behind its path"
        raise SettingInvalid(f"{name}={hide_secrets(text)} {what}; {right} is right")
    return text


def check_redis(name: str, text: str) -> str:
    """The address of a Redis: its options, and whether it answers, show when it is asked. Raises SettingInvalid."""
    right = "redis://host:6379/0, rediss:// or unix:///path"
    parts = _split(name, text, REDIS, right)
    if not (parts.path if parts.scheme == "unix" else parts.hostname):
        what = "path" if parts.scheme == "unix" else "host"
        raise SettingInvalid(f"{name}={hide_secrets(text)} names no {what}; {right} is right")
    return text


def is_webhook(text: str) -> bool:
    """Whether a notice can be sent there: an address of this kind may have a query, and is a secret."""
    try:
        return bool(_split("", text.strip(), WEB, "").hostname)
    except SettingInvalid:
        return False


def check_store(name: str, text: str, list_protocols: Callable[[], Collection[str]]) -> str | None:
    """Return an fsspec URL, or None for a path; only a URL asks for the protocols. Raise SettingInvalid."""
    scheme, separator, rest = text.partition(":")
    if not separator or "/" in scheme:
        return None
    known = list_protocols()
    right = "a folder, or the URL of one that all workers reach, such as s3://bucket/folder,"
    chained = rest.startswith(":")
    is_url = chained or rest.startswith("//")
    if is_url != (scheme in known):
        raise SettingInvalid(f"{name}={hide_secrets(text)} is no URL that fsspec knows; {right} is right")
    if not is_url:
        return None
    if scheme in OF_ONE_PROCESS or scheme in WEB:
        why = "is seen by one process alone" if scheme in OF_ONE_PROCESS else "cannot be written"
        raise SettingInvalid(f"{name}={hide_secrets(text)} {why}; {right} is right")
    if not chained and not rest.strip("/"):
        raise SettingInvalid(f"{name}={hide_secrets(text)} names no place; {right} is right")
    return text


def hide_secrets(url: str) -> str:
    """The URL without what may be secret: what stands before the host, and behind the path."""
    scheme, separator, rest = url.partition("?")[0].partition("#")[0].partition("://")
    return ascii(f"{scheme}{separator}{rest.rpartition('@')[2]}")[1:-1] if separator or "@" not in url else "…"


def _split(name: str, text: str, schemes: Collection[str], right: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    odd = any(not sign.isprintable() or sign.isspace() for sign in text)
    if not usable or odd or parts.scheme not in schemes:
        raise SettingInvalid(f"{name}={hide_secrets(text)} is no URL of this kind; {right} is right")
    return parts
