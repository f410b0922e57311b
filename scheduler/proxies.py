"""Use the proxies of the environment for the service, but never for processes on this machine.

Libraries read `HTTP_PROXY`, `HTTPS_PROXY` and `ALL_PROXY` in any spelling. They use the proxy for every address that
`NO_PROXY` does not name, loopback included, and a proxy elsewhere cannot reach our own processes. So each of our
processes adds this machine to `NO_PROXY` when it starts, for itself and the processes that it starts.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

# Libraries understand different forms: names, single addresses, ranges.
LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0")  # noqa: S104 - nothing is bound
OURS = ("SWEEP_OFFLINE_URL", "TINKER_BASE_URL")  # their hosts may be this machine under another name


def spare_this_machine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add this machine to NO_PROXY if a proxy is set."""
    if not list_proxies(environment):
        return
    spared = [
        *_list_spared(environment),
        *LOOPBACK,
        *(host for name in OURS if (host := _find_local_host(environment.get(name, "")))),
    ]
    for name in ("NO_PROXY", "no_proxy"):  # libraries read one or the other; lower case wins
        environment[name] = ",".join(dict.fromkeys(spared))


def is_local(url: str) -> bool:
    """Is the address on this machine?"""
    return bool(_find_local_host(url))


def list_proxies(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """List the variables that set a proxy, each with its address without the password."""
    return {
        name: hide_password(value)
        for name, value in sorted(environment.items())
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value
    }


def find_proxy(url: str) -> str | None:
    """Return the proxy, without its password, that this process uses for an address; None for a direct connection."""
    parts, known = _split(url), getproxies()
    proxy = known.get(parts.scheme) or known.get("all")
    return (
        hide_password(proxy)
        if proxy and not is_local(url) and not proxy_bypass(parts.netloc.rpartition("@")[2])
        else None
    )


def hide_password(proxy: str) -> str:
    """Return the address of a proxy without its password."""
    scheme, separator, rest = proxy.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('/')[0]}"


def _list_spared(environment: Mapping[str, str]) -> Iterator[str]:
    """List what NO_PROXY names already; of several spellings lower case counts."""
    named = [name for name in environment if name.lower() == "no_proxy"]
    for name in ("no_proxy",) if "no_proxy" in named else named:
        yield from filter(None, (host.strip() for host in environment[name].replace(" ", ",").split(",")))


def _find_local_host(url: str) -> str:
    """Return the host if it is this machine, else an empty text."""
    host = _split(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host if host == "localhost" or host.endswith(".localhost") else ""
    return host if address.is_loopback or address.is_unspecified else ""


def _split(url: str) -> SplitResult:
    """Split an address; a wrong one has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
