"""Where a spec's URLs may lead: the address that was checked is the address that is connected, hop by hop."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scheduler.errors import SettingInvalid
from scheduler.settings import read_settings
from scheduler.web_data import SETTING, FarSide, check_source, fetch_web, is_public
from sweeps.errors import DataError
from tests.certificates import make_certificates

PUBLIC, OTHER, METADATA = "93.184.216.34", "1.1.1.1", "169.254.169.254"
ROWS = b'{"text": "one"}\n'
MOST = 10**6
NO_BODY = "Content-Length: 0\r\n\r\n"


@dataclass
class Web:
    """Servers of the internet, all on one socket of this machine; names lead where `names` says, one answer a look."""

    names: Mapping[str, Sequence[Sequence[str]]]
    answers: Mapping[str, bytes]  # by path
    context: ssl.SSLContext | None = None
    looks: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)
    server: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def far(self) -> FarSide:
        return FarSide(self._resolve, self._connect)

    def _resolve(self, host: str, _port: int) -> list[str]:
        answers = self.names.get(host, [[host]])
        answer = answers[min(self.looks.count(host), len(answers) - 1)]
        self.looks.append(host)
        return list(answer)

    def _connect(self, address: str, _port: int, seconds: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(self.server.getsockname(), timeout=seconds)

    def serve(self) -> None:
        while True:
            try:
                link, _ = self.server.accept()
                with closing(self.context.wrap_socket(link, server_side=True) if self.context else link) as caller:
                    self._answer(caller)
            except OSError:
                if self.server.fileno() < 0:
                    return

    def _answer(self, caller: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += caller.recv(65536)
        self.requests.append(request.decode())
        answer = self.answers[request.split()[1].decode()]
        caller.sendall(answer)
        while b"DRIP" in answer:  # a byte now and then, until the caller is gone
            caller.sendall(b"x")
            self.pause.wait(0.02)

    def fetch(self, url: str, *hosts: str, seconds: float = 30.0) -> bytes:
        return fetch_web(url, MOST, hosts, far=self.far, seconds=seconds)


@contextmanager
def web(
    names: Mapping[str, Sequence[Sequence[str]]], answers: Mapping[str, bytes], context: ssl.SSLContext | None = None
) -> Iterator[Web]:
    made = Web(names, answers, context)
    thread = threading.Thread(target=made.serve, daemon=True)
    thread.start()
    yield made
    made.server.shutdown(socket.SHUT_RDWR)
    made.server.close()
    thread.join(10)


def whole(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


def redirect(target: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {target}\r\n{NO_BODY}".encode()


DATA = {"/d.jsonl": whole(ROWS)}


def test_a_file_of_the_web_is_read() -> None:
    with web({"far.example": [[PUBLIC]]}, DATA) as far:
        assert far.fetch("http://far.example/d.jsonl") == ROWS
        assert far.connected == [PUBLIC]
        assert "Host: far.example\r\n" in far.requests[0]


PRIVATE = [
    *("127.0.0.1", "10.0.0.8", "172.16.3.1", "192.168.1.1", METADATA, "100.100.100.200", "0.0.0.0", "192.0.0.192"),
    *("168.63.129.16", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_a_private_network_is_not_connected(address: str) -> None:
    assert not is_public(address)
    with web({"far.example": [[PUBLIC, address]]}, DATA) as far:
        with pytest.raises(DataError, match=SETTING):
            far.fetch("http://far.example/d.jsonl")
        assert far.connected == [], "one private address among public ones is enough"


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "2606:4700:4700::1111", "64:ff9b::5db8:d822"])
def test_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "localhost", "0"])
def test_every_spelling_of_this_machine_is_resolved_before_it_is_checked(host: str) -> None:
    with pytest.raises(DataError, match=SETTING):
        fetch_web(f"http://{host}:9/x", MOST, ())


def test_a_name_that_resolves_differently_a_moment_later_gains_nothing() -> None:
    with web({"rebound.example": [[PUBLIC], ["127.0.0.1"]]}, DATA) as far:
        assert far.fetch("http://rebound.example/d.jsonl") == ROWS
        assert (far.looks, far.connected) == (["rebound.example"], [PUBLIC])


@pytest.mark.parametrize(
    "target", [f"http://{METADATA}/latest", "http://inside.example/x", "file:///etc/passwd", "gopher://far.example/"]
)
def test_a_redirect_leads_to_no_place_that_is_refused(target: str) -> None:
    names = {"far.example": [[PUBLIC]], "inside.example": [["10.0.0.8"]]}
    with web(names, {"/d.jsonl": redirect(target)}) as far:
        with pytest.raises(DataError):
            far.fetch("http://far.example/d.jsonl")
        assert far.connected == [PUBLIC]


def test_a_redirect_is_resolved_and_checked_anew_also_to_the_same_host() -> None:
    with web({"far.example": [[PUBLIC], ["127.0.0.1"]]}, {"/d.jsonl": redirect("/e"), "/e": whole(ROWS)}) as far:
        with pytest.raises(DataError, match=SETTING):
            far.fetch("http://far.example/d.jsonl")
        assert far.connected == [PUBLIC]


def test_a_password_does_not_follow_a_redirect_to_another_host() -> None:
    names = {"far.example": [[PUBLIC]], "other.example": [[OTHER]]}
    with web(names, {"/d.jsonl": redirect("http://other.example/e"), "/e": whole(ROWS)}) as far:
        assert far.fetch("http://ada:secret@far.example/d.jsonl") == ROWS
        assert far.connected == [PUBLIC, OTHER]
        assert ["Authorization: Basic" in request for request in far.requests] == [True, False]


def test_redirects_end() -> None:
    with web({"far.example": [[PUBLIC]]}, {"/d.jsonl": redirect("/d.jsonl")}) as far:
        with pytest.raises(DataError):
            far.fetch("http://far.example/d.jsonl")
        assert len(far.requests) == 6


def test_a_list_of_hosts_holds_for_redirects_too() -> None:
    names = {"data.far.example": [[PUBLIC]], "other.example": [[OTHER]]}
    answers = {**DATA, "/away": redirect("http://other.example/d.jsonl")}
    with web(names, answers) as far:
        assert far.fetch("http://data.far.example/d.jsonl", "*.far.example") == ROWS
        with pytest.raises(DataError, match=r"other\.example"):
            far.fetch("http://data.far.example/away", "*.far.example")
        with pytest.raises(DataError, match=r"other\.example"):
            far.fetch("http://other.example/d.jsonl", "*.far.example")
        assert far.connected == [PUBLIC, PUBLIC]


def test_only_a_host_that_is_named_whole_may_be_private_and_never_the_metadata_service() -> None:
    names = {"files.intern": [["10.0.0.8"]], "meta.intern": [[METADATA]]}
    with web(names, DATA) as far:
        assert far.fetch("http://files.intern/d.jsonl", "files.intern") == ROWS
        for host in ("*", "*.intern"):
            with pytest.raises(DataError):
                far.fetch("http://files.intern/d.jsonl", host)
        for host in ("meta.intern", METADATA):
            with pytest.raises(DataError):
                far.fetch(f"http://{host}/latest", host)
        assert far.connected == ["10.0.0.8"]


@pytest.mark.parametrize("head", [b"", b"Content-Length: 99999999\r\n"])
def test_a_file_is_read_to_the_limit_and_no_further(head: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n%s\r\n%s" % (head, b" " * (MOST + 2**21))
    with web({"far.example": [[PUBLIC]]}, {"/d.jsonl": answer}) as far, pytest.raises(DataError, match="DATA_LIMIT"):
        far.fetch("http://far.example/d.jsonl")


@pytest.mark.parametrize(
    "begin", [b"HTTP/1.1 200 OK\r\nDRIP: ", b"HTTP/1.1 200 OK\r\n\r\nDRIP", b"HTTP/1.1 302 Found\r\n\r\nDRIP", b"DRIP"]
)
def test_a_server_that_sends_a_byte_now_and_then_does_not_hold_a_plan(begin: bytes) -> None:
    with web({"far.example": [[PUBLIC]]}, {"/d.jsonl": begin}) as far, pytest.raises(DataError):
        far.fetch("http://far.example/d.jsonl", seconds=0.3)


def test_a_file_that_ends_early_is_not_taken_for_a_whole_one() -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + ROWS
    with web({"far.example": [[PUBLIC]]}, {"/d.jsonl": cut}) as far, pytest.raises(DataError):
        far.fetch("http://far.example/d.jsonl")


def test_a_certificate_is_held_against_the_name_and_https_stays_https(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = make_certificates(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    names = {"localhost": [[PUBLIC]], "other.example": [[PUBLIC]]}
    with web(names, {**DATA, "/down": redirect("http://localhost/d.jsonl")}, context) as far:
        assert far.fetch("https://localhost/d.jsonl") == ROWS
        for url in ("https://other.example/d.jsonl", "https://localhost/down"):
            with pytest.raises(DataError):
                far.fetch(url)


@pytest.mark.parametrize(
    ("url", "hosts", "right"),
    [
        ("s3://bucket/x", (), True),
        ("hf://datasets/a/b", (), True),
        ("file:///data/x", (), True),
        ("https://far.example/x", (), True),
        ("sftp://far.example/x", (), False),
        ("memory://x", (), False),
        ("github://a:b@/x", (), False),
        ("HTTP://far.example/x", (), False),
        (" http://far.example/x", (), False),
        ("simplecache::http://127.0.0.1/x", (), False),
        ("zip://x::http://127.0.0.1/x", (), False),
        ("filecache://x::s3://bucket/x", ("filecache://x",), False),
        ("s3://bucket/x", ("s3://bucket",), True),
        ("s3://bucket2/x", ("s3://bucket",), False),
        ("s3://bucket/x", ("far.example",), False),
        ("s3://bucket/x", ("s3://*",), True),
        ("sftp://far.example/x", ("sftp://far.example",), True),
        ("http://evil.example/x", ("far.example",), False),
        ("http://far.example@evil.example/x", ("far.example",), False),
        ("http:///x", (), False),
    ],
)
def test_which_urls_may_be_read(url: str, hosts: tuple[str, ...], right: bool) -> None:
    if right:
        check_source(url, hosts)
    else:
        with pytest.raises(DataError):
            check_source(url, hosts)


def test_the_setting_takes_hosts_and_buckets_and_nothing_else() -> None:
    def read(text: str) -> tuple[str, ...]:
        return read_settings({SETTING: text}).data.hosts

    assert read("Far.example, *.b.c s3://Bucket") == ("far.example", "*.b.c", "s3://Bucket")
    for wrong in ("http://user:pw@host/path", "a/b", "s3://bucket/folder", "[abc]"):
        with pytest.raises(SettingInvalid, match=SETTING):
            read(wrong)
