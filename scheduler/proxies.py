"""Proxies of the environment: right for the service, never for what listens on this machine.

Libraries take them from `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` in any spelling, for every address, loopback too, that
`NO_PROXY` does not name. A proxy elsewhere cannot reach our own processes. So each process of ours adds this machine to
`NO_PROXY` when it starts: whatever asks by HTTP in it, or in a process that it starts, asks its neighbours directly.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

# Libraries differ in what they understand: names, single addresses, ranges.
LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0")  # noqa: S104 - nothing is bound
OURS = ("SWEEP_OFFLINE_URL", "TINKER_BASE_URL")  # whose hosts may be on this machine under other numbers


def spare_this_machine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Where a proxy is set, let NO_PROXY name this machine as well."""
    if not list_proxies(environment):
        return
    spared = [
        *_list_spared(environment),
        *LOOPBACK,
        *(host for name in OURS if (host := _local_host(environment.get(name, "")))),
    ]
    for name in ("NO_PROXY", "no_proxy"):  # some read the one, some the other; the small one wins where both stand
        environment[name] = ",".join(dict.fromkeys(spared))


def is_local(url: str) -> bool:
    """Does the address lead to this machine itself?"""
    return bool(_local_host(url))


def list_proxies(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that name a proxy for web addresses, each with where it leads: without the password in it."""
    return {
        name: hide_password(value)
        for name, value in sorted(environment.items())
        if name.lower() in ("http_proxy", "https_proxy", "all_proxy") and value
    }


def proxy_for(url: str) -> str | None:
    """The proxy by which this process reaches an address, without its password; None if it does so directly."""
    parts, known = _split(url), getproxies()
    found = known.get(parts.scheme) or known.get("all")
    return (
        hide_password(found)
        if found and not is_local(url) and not proxy_bypass(parts.netloc.rpartition("@")[2])
        else None
    )


def hide_password(proxy: str) -> str:
    """The address of a proxy, without the password that it may hold."""
    scheme, separator, rest = proxy.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('/')[0]}"


def _list_spared(environment: Mapping[str, str]) -> Iterator[str]:
    """What is spared already: of several spellings the small one counts, as everywhere."""
    named = [name for name in environment if name.lower() == "no_proxy"]
    for name in ("no_proxy",) if "no_proxy" in named else named:
        yield from filter(None, (host.strip() for host in environment[name].replace(" ", ",").split(",")))


def _local_host(url: str) -> str:
    """The host of an address on this machine, or nothing."""
    host = _split(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host if host == "localhost" or host.endswith(".localhost") else ""
    return host if address.is_loopback or address.is_unspecified else ""


def _split(url: str) -> SplitResult:
    """What is no address has no parts."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
