"""A Redis that several hosts may reach: TLS, passwords, a replica, and Sentinels with TLS that watch both."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from scheduler.processes.free_ports import find_free_port
from scheduler.state.server.server_versions import TESTED
from tests import servers
from tests.certificates import make_certificates
from tests.hosts import Network
from tests.repository import ROOT
from tests.sentinels import COUNT, NAME, Pair, Sentinels, WatchedServer, read_replication
from tests.support import TRUSTED, RedisServer, wait_until

PASSWORD = "s3cret/of:the@fleet"


@dataclass(frozen=True)
class Guard:
    """What servers and clients need: certificates, and who may do what."""

    certificates: Path
    users: Path
    program: Path

    @staticmethod
    def make(folder: Path, rights: str, program: Path, addresses: list[str]) -> "Guard":
        users = folder / "users.acl"
        link = "user link on >link resetchannels -@all +psync +replconf +ping"
        users.write_text(f"user default on >{PASSWORD} ~* &* +@all\n{link}\nuser sweep on >{PASSWORD} {rights}\n")
        return Guard(make_certificates(folder / "certificates", addresses), users, program)

    def list_options(self) -> dict[str, str]:
        return {
            "tls-ca-cert-file": str(self.certificates / "ca.pem"),
            "tls-cert-file": str(self.certificates / "server.pem"),
            "tls-key-file": str(self.certificates / "server.key"),
            "tls-auth-clients": "no",
            "tls-replication": "yes",
        }


class GuardedPair(Pair):
    """A primary and its replica, each on a host, reached over TLS with a password only."""

    def __init__(self, folder: Path, guard: Guard, hosts: Network, names: tuple[str, str]) -> None:
        self.ports = find_free_port(), find_free_port()
        self.places = tuple(map(hosts.address, names))
        self.servers = []
        for number, name in enumerate(names):
            here = folder / f"server-{number}"
            here.mkdir(parents=True)
            options = {
                **TRUSTED,
                **guard.list_options(),
                "masteruser": "link",
                "masterauth": "link",
                "repl-diskless-sync-delay": "0",
                "tls-port": str(self.ports[number]),
                "bind": self.places[number],
                "aclfile": str(guard.users),
                "replica-announce-ip": self.places[number],
                "hash-max-listpack-value": "1024",
            }
            if number:
                options["replicaof"] = f"{self.places[0]} {self.ports[0]}"
            server = RedisServer(here, options, hosts.place_program(name, guard.program))
            server.url = f"unix://:{quote(PASSWORD, safe='')}@{here / 'redis.sock'}"
            self.servers.append(server)
        self.primary, self.replica = self.servers

    def start(self) -> None:
        self.primary.start()
        self.replica.start()
        wait_until(self._is_linked, "the replica to follow", seconds=60)

    def _is_linked(self) -> bool:
        """A primary that came back is one for some seconds more, until a Sentinel has told it."""
        return bool(read_replication(self.replica).get("master_link_status") == "up")

    def swap(self) -> None:
        """Name the servers by what they have become after a failover, and bring the old primary back as a replica."""
        self.primary, self.replica = self.replica, self.primary
        self.replica.start()
        wait_until(self._is_linked, "the old primary to follow", seconds=90)


class GuardedSentinels(Sentinels):
    """One Sentinel on each of three hosts."""

    def __init__(
        self, folder: Path, pair: GuardedPair, guard: Guard, hosts: Network, names: tuple[str, str, str]
    ) -> None:
        super().__init__(folder, pair)
        self._guarded, self._guard, self._hosts, self._names = pair, guard, hosts, names

    @property
    def url(self) -> str:
        hosts = ",".join(
            f"{self._hosts.address(name)}:{port}" for name, port in zip(self._names, self.ports, strict=True)
        )
        authority = self._guard.certificates / "ca.pem"
        return f"sentinels://sweep:{quote(PASSWORD, safe='')}@{hosts}/{NAME}/0?ssl_ca_certs={authority}"

    def await_primary(self, server: RedisServer) -> None:
        wanted = self._guarded.ports[self._guarded.servers.index(server)]
        wait_until(
            lambda: all(int(self._ask(port)["port"]) == wanted for port in self.ports), "a new primary", seconds=90
        )

    def _list_settings(self, port: int) -> list[str]:
        name = self._names[self.ports.index(port)]
        primary = f"{self._guarded.places[0]} {self._guarded.ports[0]}"
        return [
            *(f"{option} {value}" for option, value in self._guard.list_options().items()),
            *("port 0", f"tls-port {port}", f"bind {self._hosts.address(name)}"),
            f"sentinel announce-ip {self._hosts.address(name)}",
            f"sentinel monitor {NAME} {primary} {COUNT // 2 + 1}",
            f"sentinel auth-pass {NAME} {PASSWORD}",
        ]

    def _find_program(self, port: int) -> Path:
        return self._hosts.place_program(self._names[self.ports.index(port)], self._guard.program)


class GuardedServer(WatchedServer):
    """All of it in the place of one server; `url` is what a fleet gets."""

    pair: GuardedPair
    sentinels: GuardedSentinels

    def __init__(self, folder: Path, guard: Guard, hosts: Network, names: tuple[str, str, str]) -> None:
        folder.mkdir()
        pair = GuardedPair(folder, guard, hosts, names[:2])
        super().__init__(folder, pair, GuardedSentinels(folder, pair, guard, hosts, names))


def make_guard(folder: Path, addresses: list[str]) -> Guard:
    """Certificates for these addresses, and users: one to replicate, and ours with the rights of the page."""
    return Guard.make(folder, " ".join(read_published_rights()), find_server_with_tls(), addresses)


def read_published_rights() -> list[str]:
    """The rule of docs/how-to/redis.md, which is what a reader copies."""
    (rule,) = re.findall(r"ACL SETUSER sweep on >PASSWORD (.*)", (ROOT / "docs/how-to/redis.md").read_text())
    return str(rule).split()


def find_server_with_tls() -> Path:
    """The program of a series whose build has TLS, or skip."""
    for series in TESTED:
        if series.name == "Redis" and (7, 0) <= series.series < (8, 0) and (path := servers.installed(series.key)):
            return path
    pytest.skip("no server with TLS is here: make get-servers")
