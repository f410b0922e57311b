"""Decide which addresses data may come from, and fetch a file of the web from the address that was checked.

A spec may come from somebody else, and a plan is made where a network may be open that its author cannot reach: the
metadata service of a cloud, a router, a database. So a URL is held against SWEEP_DATA_HOSTS, each name is resolved once
for each request, every address is checked, and the connection goes to a checked address: a name that resolves
differently a moment later gains nothing. Each redirect is checked the same.
"""

import base64
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from sweeps.data.bounded_reading import DataReach, read_bounded
from sweeps.data.source_files import redact
from sweeps.errors import DataError

Address = IPv4Address | IPv6Address

SETTING = "SWEEP_DATA_HOSTS"
PORTS = {"http": 80, "https": 443}
FILES = ("file", "local")  # a path of this machine; what it leads to is checked when it is opened
BUCKETS = ("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "hf")
REDIRECTS, MOST_REDIRECTS = {301, 302, 303, 307, 308}, 5
SECONDS = 3600.0  # for one file, from the first request to the last byte
PATIENCE = 30.0  # seconds for a connection, and between two pieces of an answer
NAT64 = ip_network("64:ff9b::/96")
# Some versions of Python call these global. The last is a service of a cloud for its own machines.
NEVER_PUBLIC = tuple(map(ip_network, ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "168.63.129.16/32")))


class FarSide(NamedTuple):
    """How names are resolved and addresses are connected."""

    resolve: Callable[[str, int], list[str]]
    connect: Callable[[str, int, float], socket.socket]


def make_reach(most_bytes: int, hosts: Sequence[str]) -> DataReach:
    """Say how far a spec's data may reach: how many bytes, and which of `hosts` (the words of SWEEP_DATA_HOSTS)."""
    return DataReach(
        most_bytes,
        check=lambda url: check_source(url, hosts),
        fetch=lambda url, most: fetch_web(url, most, hosts),
    )


def make_confined_reach(most_bytes: int, hosts: Sequence[str], folder: Path) -> DataReach:
    """Say how far the data of a spec may reach that was sent from elsewhere: files below `folder`, and listed hosts."""

    def check(url: str) -> None:
        if not hosts or url.partition("://")[0] in FILES:
            how = f"send the file with the spec, or ask the operator to list its host in {SETTING}"
            raise DataError(f"{redact(url)}: this server reads only files that are sent, and from listed hosts; {how}")
        check_source(url, hosts)

    return make_reach(most_bytes, hosts)._replace(check=check, inside=folder)


def check_source(url: str, hosts: Sequence[str]) -> None:
    """Raise DataError unless data may be read from a URL of any kind; of the web, only the name is checked here."""
    scheme, _, rest = url.partition("://")
    shown = redact(url)
    if "::" in scheme or ("::" in rest and scheme not in PORTS):
        raise DataError(f"{shown}: expected one URL, got a chain of URLs; unpack or copy the file first")
    if scheme in FILES:
        return
    if scheme in PORTS:
        _check_name(_split(url), hosts, shown)
        return
    place = f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
    listed = place in hosts or f"{scheme}://*" in hosts
    if not listed and (hosts or scheme not in BUCKETS):
        raise DataError(f"{shown}: {place} is not among the places of data; add it to {SETTING}, or copy the file")


def fetch_web(
    url: str, most: int, hosts: Sequence[str], *, far: FarSide | None = None, seconds: float = SECONDS
) -> bytes:
    """Fetch a file of at most `most` bytes over http or https, within `seconds`. Raises DataError and OSError."""
    download = _Download(redact(url), hosts, far or FarSide(_resolve, _connect), time.monotonic() + seconds)
    first = parts = _split(url)
    for _ in range(MOST_REDIRECTS + 1):
        _check_name(parts, hosts, download.shown)
        login = parts.username is not None and (parts.hostname, parts.scheme) == (first.hostname, first.scheme)
        with download.answer(parts, login=login) as answer:
            if answer.status not in REDIRECTS:
                return _read(answer, most, download.shown)
            target = urljoin(parts.geturl(), answer.getheader("Location") or "")
        before, parts = parts, _split(target)
        if before.scheme == "https" and parts.scheme != "https":
            raise DataError(f"{download.shown}: it redirects from https to http; use its last address")
    raise DataError(f"{download.shown}: it redirects more than {MOST_REDIRECTS} times; use its last address")


def is_public(text: str) -> bool:
    """Is this the address of a machine of the internet, and of no network of ours and no service of a cloud?"""
    address: Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    inside = any(address in network for network in NEVER_PUBLIC)
    return address.is_global and not address.is_multicast and not inside


def _check_name(parts: SplitResult, hosts: Sequence[str], shown: str) -> None:
    host = parts.hostname or ""
    if parts.scheme not in PORTS or not host:
        raise DataError(f"{shown}: expected http://HOST/… or https://HOST/…, got another address")
    if hosts and not any(fnmatchcase(host, word) for word in hosts):
        raise DataError(f"{shown}: {host} is not among the places of data; add it to {SETTING}, or copy the file")


@dataclass(frozen=True)
class _Download:
    """One file on its way: how messages name it, which hosts are allowed, and when its time is over."""

    shown: str
    hosts: Sequence[str]
    far: FarSide
    give_up: float

    @contextmanager
    def answer(self, parts: SplitResult, *, login: bool) -> Iterator[HTTPResponse]:
        """Send one request to a checked address."""
        host, port = str(parts.hostname), parts.port or PORTS[parts.scheme]
        connection = HTTPConnection(host, port)
        connection.auto_open = 0  # it would resolve the name again
        link = connection.sock = self._dial(host, port)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            link = connection.sock = context.wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
        with closing(link), closing(connection), self._cut_late(link):
            if isinstance(link, ssl.SSLSocket):
                link.do_handshake()
            path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path, headers=_make_headers(parts, login=login))
            yield connection.getresponse()

    def _dial(self, host: str, port: int) -> socket.socket:
        """Resolve once, check every address, connect to one of them. Raises DataError and OSError."""
        addresses = self.far.resolve(host, port)
        private = [address for address in addresses if not is_public(address)]
        if private and (host not in self.hosts or any(map(_is_link_local, private))):
            raise DataError(
                f"{self.shown}: {host} is at {private[0]}, an address of a private network; name the host in {SETTING},"
                " or copy the file"
            )
        problem: OSError = OSError(f"{host} has no address")
        for address in addresses:
            try:
                return self.far.connect(address, port, max(0.1, min(PATIENCE, self.give_up - time.monotonic())))
            except OSError as error:
                problem = error
        raise problem

    @contextmanager
    def _cut_late(self, link: socket.socket) -> Iterator[None]:
        """Cut a connection when the time is over: a server that sends a byte now and then is never silent."""
        over = threading.Event()

        def end_transfer() -> None:
            over.set()
            with suppress(OSError):
                socket.socket.shutdown(link, socket.SHUT_RDWR)  # below TLS, which another thread uses

        timer = threading.Timer(max(0.0, self.give_up - time.monotonic()), end_transfer)
        timer.daemon = True
        timer.start()
        problem = ""
        try:
            yield
        except (HTTPException, OSError, ValueError) as error:
            problem = f"cannot read it: {str(error) or type(error).__name__}"
        finally:
            timer.cancel()
        if over.is_set():  # what was read may look whole
            problem = "it took too long; copy the file, and name the copy"
        if problem:
            raise DataError(f"{self.shown}: {problem}")


def _read(answer: HTTPResponse, most: int, shown: str) -> bytes:
    if answer.status == 404:
        raise DataError(f"{shown}: no such file; check the address")
    if answer.status != 200:
        raise DataError(f"{shown}: cannot read it: status {answer.status}; check the address, and who may read it")
    content = read_bounded(answer, shown, most)
    if answer.length:
        raise DataError(f"{shown}: it ended {answer.length:,} bytes early; try again")
    return content


def _make_headers(parts: SplitResult, *, login: bool) -> dict[str, str]:
    headers = {"Host": parts.netloc.rpartition("@")[2], "Accept-Encoding": "identity", "User-Agent": "tinker-sweeps"}
    if login:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        usable = False
    if not usable or any(not character.isprintable() or character.isspace() for character in url):
        raise DataError(f"{redact(url)}: expected http://HOST/… or https://HOST/…, got another address")
    return parts


def _is_link_local(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_link_local


def _resolve(host: str, port: int) -> list[str]:
    places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in places))


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)
