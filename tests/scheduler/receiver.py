"""The far side of a webhook, on a real socket of the loopback address: polite, slow or hostile, as a test likes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Behaviour = Callable[["Receiver", socket.socket], None]
TOKEN = "T0KEN"  # in the path of every address: it must be seen nowhere
MEGABYTE = b"x" * 1_000_000


@dataclass(frozen=True)
class Request:
    """What came."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers the first connection by the first behaviour, and so on; the last one stays."""

    behaviours: list[Behaviour]
    requests: list[Request] = field(default_factory=list)
    megabytes: int = 0  # that were taken of what `floods` had to say
    closed: threading.Event = field(default_factory=threading.Event)
    _socket: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/services/{TOKEN}"

    def listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if connection.recv(1, socket.MSG_PEEK) == b"\x16":  # TLS is not spoken here
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            request = _read(connection)
            behave = self.behaviours[min(len(self.requests), len(self.behaviours) - 1)]
            self.requests.append(request)
            behave(self, connection)


@contextmanager
def receiver(*behaviours: Behaviour) -> Iterator[Receiver]:
    """One that listens for as long as the block runs."""
    made = Receiver(list(behaviours))
    thread = threading.Thread(target=made.listen, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join(10)


def says(status: int, *lines: str) -> Behaviour:
    """An answer with this status and these header lines."""

    def behave(_: Receiver, connection: socket.socket) -> None:
        head = [f"HTTP/1.1 {status} so", "Content-Length: 2", *lines]
        connection.sendall("\r\n".join([*head, "", "ok"]).encode())

    return behave


def keeps_silent(receiver: Receiver, connection: socket.socket) -> None:
    del connection
    receiver.closed.wait(60)


def drips(receiver: Receiver, connection: socket.socket) -> None:
    """A byte now and then, for ever: no single read of it times out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not receiver.closed.wait(0.02):
        connection.sendall(b"x")


def floods(receiver: Receiver, connection: socket.socket) -> None:
    """A hundred megabytes, as fast as they are taken."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100):
        connection.sendall(MEGABYTE)
        receiver.megabytes += 1


def floods_its_headers(receiver: Receiver, connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(100):
        connection.sendall(MEGABYTE)
        receiver.megabytes += 1


def babbles(_: Receiver, connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n")


def hangs_up(_: Receiver, connection: socket.socket) -> None:
    """Without a word."""
    del connection


def _read(connection: socket.socket) -> Request:
    """A request with a body of the length that its head names."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    while len(body) < int(headers["content-length"]):
        body += _some(connection)
    return Request(headers, body)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise OSError("the sender has left")
    return data
