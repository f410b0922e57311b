"""Hosts on this machine: a network namespace each, on one switch, with a name and an address of its own.

Where namespaces are not permitted, all of them are this machine: then no host can be cut off.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
RENAMED = 'hostname "$0" && exec "$@"'  # in a shell whose $0 is the name


def can_isolate() -> bool:
    """May this process make network namespaces and name its host?"""
    if sys.platform != "linux" or not all(map(shutil.which, ("ip", "unshare"))):
        return False
    name = f"try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        command = ["ip", "netns", "exec", name, "unshare", "--uts", "hostname", "try"]
        made = subprocess.run(command, capture_output=True, check=False).returncode == 0
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


@dataclass
class Network:
    """The hosts by name. This process is on the network, too, at `gateway`."""

    folder: Path
    names: Sequence[str]
    isolated: bool = field(default_factory=can_isolate)
    mark: str = field(default_factory=lambda: f"s{os.getpid() % 100_000}")

    @property
    def gateway(self) -> str:
        return f"10.83.{os.getpid() % 250}.1" if self.isolated else LOOPBACK

    def address(self, name: str) -> str:
        return self.gateway.removesuffix("1") + str(10 + self.names.index(name)) if self.isolated else LOOPBACK

    def enter(self, name: str) -> list[str]:
        """The words before a command that let it run on the host; its process becomes the command."""
        if not self.isolated:
            return []
        return ["ip", "netns", "exec", self._space(name), "unshare", "--uts", "sh", "-c", RENAMED, name]

    def place_program(self, name: str, program: Path) -> Path:
        """A program that runs `program` on the host."""
        if not self.isolated:
            return program
        script = self.folder / f"{name}-{program.parent.name}.sh"
        script.write_text(f'#!/bin/sh\nexec ip netns exec {self._space(name)} {program} "$@"\n')
        script.chmod(0o755)
        return script

    def cut(self, name: str) -> None:
        """Nothing reaches the host, and it reaches nothing; nobody is told."""
        _run("ip", "-n", self._space("switch"), "link", "set", self._port(name), "down")

    def mend(self, name: str) -> None:
        _run("ip", "-n", self._space("switch"), "link", "set", self._port(name), "up")

    def build(self) -> None:
        switch = self._space("switch")
        _run("ip", "netns", "add", switch)
        _run("ip", "-n", switch, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        _run("ip", "-n", switch, "link", "set", "bridge", "up")
        self._plug_in("gateway", None, self.gateway)
        for name in self.names:
            _run("ip", "netns", "add", self._space(name))
            _run("ip", "-n", self._space(name), "link", "set", "lo", "up")
            self._plug_in(name, self._space(name), self.address(name))

    def remove(self) -> None:
        for name in ("switch", *self.names):
            subprocess.run(["ip", "netns", "del", self._space(name)], capture_output=True, check=False)

    def _plug_in(self, name: str, space: str | None, address: str) -> None:
        """A cable between the switch and a namespace; None is that of this process."""
        inside, port, switch = f"{self.mark}i{self._number(name)}", self._port(name), self._space("switch")
        _run("ip", "link", "add", inside, "type", "veth", "peer", "name", port, "netns", switch)
        _run("ip", "-n", switch, "link", "set", port, "master", "bridge", "up")
        if space is not None:
            _run("ip", "link", "set", inside, "netns", space)
        here = ["ip"] if space is None else ["ip", "-n", space]
        _run(*here, "address", "add", f"{address}/24", "dev", inside)
        _run(*here, "link", "set", inside, "up")

    def _space(self, name: str) -> str:
        return f"{self.mark}-{name}"

    def _port(self, name: str) -> str:
        return f"{self.mark}p{self._number(name)}"

    def _number(self, name: str) -> int:
        return self.names.index(name) if name in self.names else 99


@contextmanager
def network(folder: Path, names: Sequence[str]) -> Iterator[Network]:
    hosts = Network(folder, names)
    try:
        if hosts.isolated:
            hosts.build()
        yield hosts
    finally:
        if hosts.isolated:
            hosts.remove()


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
