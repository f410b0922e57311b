"""A primary, a replica and three Sentinels as real processes, and what can happen to them."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scheduler.processes.free_ports import find_free_port
from tests import servers
from tests.support import TRUSTED, RedisServer, wait_until

NAME = "fleet"
DOWN_AFTER = 3000  # milliseconds after which a Sentinel takes a server for dead; ten times as long may a link be down
COUNT = 3


class Pair:
    """A primary and its replica; `cut` lets the replica miss what follows, `kill` ends the primary."""

    def __init__(self, folder: Path) -> None:
        self.ports = find_free_port(), find_free_port()
        names = ("primary", "replica")
        for name in names:
            (folder / name).mkdir(parents=True)
        link = {"masteruser": "link", "masterauth": "link", "repl-diskless-sync-delay": "0"}
        options = [{**TRUSTED, **link, "port": str(port), "bind": "127.0.0.1"} for port in self.ports]
        options[1] |= {"replicaof": f"127.0.0.1 {self.ports[0]}"}
        self.primary, self.replica = (
            RedisServer(folder / name, chosen) for name, chosen in zip(names, options, strict=True)
        )

    def start(self) -> None:
        self.primary.start()
        run(self.primary, "ACL", "SETUSER", "link", "on", ">link", "+psync", "+replconf", "+ping")
        self.replica.start()
        run(self.replica, "ACL", "SETUSER", "link", "on", ">link", "+psync", "+replconf", "+ping")
        wait_until(self._is_linked, "the replica to follow")

    def await_same(self) -> None:
        """Wait until the replica has all that the primary has."""
        wait_until(lambda: self._offset(self.primary) == self._offset(self.replica), "the replica to have it all")

    def cut(self) -> None:
        """Let the replica lose its link for good: the primary refuses its user from now on."""
        run(self.primary, "ACL", "SETUSER", "link", "off")
        run(self.primary, "CLIENT", "KILL", "TYPE", "replica")
        wait_until(lambda: not self._is_linked(), "the replica to lose its link")

    def promote(self) -> None:
        run(self.replica, "REPLICAOF", "NO", "ONE")

    def end(self) -> None:
        for server in (self.primary, self.replica):
            server.end(signal.SIGKILL)

    def _is_linked(self) -> bool:
        return bool(read_replication(self.replica)["master_link_status"] == "up")

    @staticmethod
    def _offset(server: RedisServer) -> int:
        report = read_replication(server)
        return int(report.get("slave_repl_offset", report["master_repl_offset"]))


class Sentinels:
    """They watch the primary of a pair and promote its replica."""

    def __init__(self, folder: Path, pair: Pair) -> None:
        self.ports = [find_free_port() for _ in range(COUNT)]
        self._folder = folder
        self._pair = pair
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """Its first host is nobody's."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (find_free_port(), *self.ports))
        return f"sentinel://{hosts}/{NAME}/0"

    def start(self) -> None:
        for port in self.ports:
            self._start(port)
        wait_until(lambda: all(map(self._knows_all, self.ports)), "the Sentinels to know each other and the replica")

    def await_failover(self) -> None:
        wanted = self._pair.ports[1]
        wait_until(
            lambda: all(int(self._ask(port)["port"]) == wanted for port in self.ports), "a new primary", seconds=60
        )

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _start(self, port: int) -> None:
        folder = self._folder / f"sentinel-{port}"
        folder.mkdir(parents=True)
        lines = [
            *(f"dir {folder}", f"unixsocket {folder / 'redis.sock'}", *self._list_settings(port)),
            f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER}",
            f"sentinel failover-timeout {NAME} 5000",
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        words = [str(self._find_program(port)), str(folder / "sentinel.conf"), "--sentinel"]
        with (folder / "log").open("wb") as log:
            self._processes.append(subprocess.Popen(words, stdout=log, stderr=log))

    def _list_settings(self, port: int) -> list[str]:
        return [f"port {port}", "bind 127.0.0.1", f"sentinel monitor {NAME} 127.0.0.1 {self._pair.ports[0]} 2"]

    def _find_program(self, port: int) -> Path:  # noqa: ARG002 - a guarded one has one for each host
        return servers.binary()

    def _ask(self, port: int) -> dict[str, Any]:
        client = RedisServer(self._folder / f"sentinel-{port}").client()
        try:
            answer: dict[str, Any] = client.sentinel_master(NAME)  # type: ignore[attr-defined]
            return answer
        finally:
            client.close()

    def _knows_all(self, port: int) -> bool:
        with contextlib.suppress(Exception):
            row = self._ask(port)
            return int(row["num-other-sentinels"]) == COUNT - 1 and int(row["num-slaves"]) == 1
        return False


def run(server: RedisServer, *words: str) -> Any:
    client: Any = server.client()
    try:
        return client.execute_command(*words)
    finally:
        client.close()


def read_replication(server: RedisServer) -> dict[str, Any]:
    client: Any = server.client()
    try:
        report: dict[str, Any] = client.info("replication")
        return report
    finally:
        client.close()


@contextlib.contextmanager
def pair_of_servers(folder: Path) -> Iterator[Pair]:
    pair = Pair(folder)
    try:
        pair.start()
        yield pair
    finally:
        pair.end()


@contextlib.contextmanager
def watched_pair(folder: Path) -> Iterator[tuple[Pair, Sentinels]]:
    with pair_of_servers(folder) as pair:
        sentinels = Sentinels(folder, pair)
        try:
            sentinels.start()
            yield pair, sentinels
        finally:
            sentinels.end()


class WatchedServer(RedisServer):
    """A pair that Sentinels watch, in the place of one server."""

    def __init__(self, folder: Path, pair: Pair | None = None, sentinels: "Sentinels | None" = None) -> None:
        super().__init__(folder)
        self.pair = pair or Pair(folder)
        self.sentinels = sentinels or Sentinels(folder, self.pair)
        self.url = self.sentinels.url

    def start(self) -> None:
        self.pair.start()
        self.sentinels.start()

    def end(self, number: int = signal.SIGKILL) -> None:  # noqa: ARG002 - the signature of one server
        self.sentinels.end()
        self.pair.end()
