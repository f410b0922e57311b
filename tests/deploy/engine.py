"""A stand-in for `docker` where no engine runs: it starts the services of compose files as plain processes.

    python -m tests.deploy.engine compose [-f FILE]… up --detach --wait [--scale SERVICE=N]…
    python -m tests.deploy.engine compose [-f FILE]… run --rm [--no-TTY] SERVICE WORD…
    python -m tests.deploy.engine compose [-f FILE]… down

Commands, environment and secrets are those of the files; a service gets the secrets that it is granted and no others.
Paths of the container become folders below ENGINE, and ports those that PORTS names: {"6379": 41234}.
"""

import itertools
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.deploy.compose import read_secrets, read_services
from tests.repository import ROOT

CACHE = ROOT / ".sweep" / "test-cache"  # tests/tinker_offline/process.py would load the SDK for it
WAIT = 180.0  # seconds until a service is healthy
GAP = 2.0  # seconds between two checks, each of which starts a process
IMAGE = {"celery": ["-m", "celery"], "sweep": ["-m", "scheduler.cli"], "python": []}  # programs -> words for our Python
QUIET = {"TINKER_TELEMETRY": "0", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Engine:
    """What one project directory and its compose files start."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.folder = Path(os.environ["ENGINE"]) / re.sub(r"\W+", "-", str(files[0].absolute()))
        self.ports: dict[str, int] = json.loads(os.environ["PORTS"])
        self.services = read_services(*files, environment=os.environ)
        secrets = read_secrets(*files, environment=os.environ)
        self.secrets = {name: files[0].absolute().parent / file for name, file in secrets.items()}
        for name in ("state/reports", "redis", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def up(self, scale: dict[str, int]) -> None:
        profiles = os.environ.get("COMPOSE_PROFILES", "").split(",")
        for name, service in self.services.items():
            if set(service.get("profiles", [])) <= {*profiles}:
                for _ in range(scale.get(name, 1)):
                    self._start(name, service)
        for name, service in self.services.items():
            if (self.folder / f"{name}.pids").exists():
                self._await_health(name, service)

    def run(self, name: str, words: Sequence[str]) -> int:
        service = self.services[name]
        command = self._place([*service.get("entrypoint", ["sweep"]), *words], name)
        folder = self._put(service.get("working_dir", "/state"), name)
        return subprocess.run(command, env=self._environment(name, service), cwd=folder, check=False).returncode

    def down(self) -> None:
        """Ask every process to end, as the engine does, and wait for it."""
        numbers = [int(line) for file in self.folder.glob("*.pids") for line in file.read_text().split()]
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)
        give_up = time.monotonic() + WAIT
        while any(map(_is_alive, numbers)):
            assert time.monotonic() < give_up, f"still there: {numbers}"
            time.sleep(GAP)

    def _start(self, name: str, service: dict[str, Any]) -> None:
        words = service.get("entrypoint") or [*service["command"].replace('""', "").split(), *self._redis_folder()]
        with (self.folder / f"{name}.log").open("ab") as log, (self.folder / f"{name}.pids").open("a") as pids:
            process = subprocess.Popen(
                self._place(words, name),
                env=self._environment(name, service),
                cwd=self.folder / "state",
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            pids.write(f"{process.pid}\n")

    def _redis_folder(self) -> list[str]:
        return ["--dir", str(self.folder / "redis")]

    def _environment(self, name: str, service: dict[str, Any]) -> dict[str, str]:
        """The container's own; nothing else of ours but where Python finds the code."""
        self._grant(name, service)
        path = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "tmp"), "PYTHONPATH": os.environ["PYTHONPATH"]}
        ours = {key: self._put(value, name) for key, value in service.get("environment", {}).items()}
        return {**path, **QUIET, **ours}

    def _grant(self, name: str, service: dict[str, Any]) -> None:
        """Give a service the secrets that the file grants it."""
        folder = self.folder / f"{name}-secrets"
        folder.mkdir(exist_ok=True)
        for secret in service.get("secrets", []):
            (folder / secret).write_text(self._put(self.secrets[secret].read_text(), name))

    def _place(self, words: Sequence[str], name: str) -> list[str]:
        placed = [self._put(word, name) for word in words]
        if placed[0] == "redis-server":
            return [os.environ["REDIS_SERVER"], *placed[1:]]
        return [sys.executable, *IMAGE[placed[0]], *placed[1:]]

    def _put(self, text: str, name: str) -> str:
        """Spell paths, ports and hosts of the container as they are here."""
        for place, here in {
            "/run/secrets": self.folder / f"{name}-secrets",
            "/state": self.folder / "state",
            "/cache": CACHE,
            "/questions": os.environ["SWEEP_QUESTIONS"],
        }.items():
            text = re.sub(rf"(?<![\w/.-]){place}(?![\w-])", str(here), text)
        for port, chosen in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(chosen), text)
        return text.replace("//tinker-offline:", "//127.0.0.1:").replace("0.0.0.0", "127.0.0.1")

    def _await_health(self, name: str, service: dict[str, Any]) -> None:
        give_up = time.monotonic() + WAIT
        while not self._is_healthy(name, service):
            log = (self.folder / f"{name}.log").read_text()[-3000:]
            assert time.monotonic() < give_up, f"{name} is not healthy: {log}"
            time.sleep(GAP)

    def _is_healthy(self, name: str, service: dict[str, Any]) -> bool:
        kind, *words = service["healthcheck"]["test"]
        if kind == "CMD-SHELL":  # there is no redis-cli here: what its command hears is asked for
            return _asks_for_a_password(self.ports["6379"], self.folder / f"{name}-secrets" / "redis_ca.pem")
        command, environment = self._place(words, name), self._environment(name, service)
        return (
            subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, check=False).returncode == 0
        )


def _asks_for_a_password(port: int, authority: Path) -> bool:
    context = ssl.create_default_context(cafile=str(authority))
    with (
        suppress(OSError),
        socket.create_connection(("127.0.0.1", port), 2) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(b"PING\r\n")
        return b"NOAUTH" in connection.recv(200)
    return False


def _is_alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def main(words: list[str]) -> int:
    assert words.pop(0) == "compose"
    files, scale = [], {}
    while words[0] == "-f":
        files.append(Path(words[1]))
        words = words[2:]
    files = files or [Path(file) for file in os.environ["COMPOSE_FILE"].split(":")]
    verb, *rest = words
    engine = Engine(files)
    if verb == "run":
        name, *command = [word for word in rest if word not in ("--rm", "--no-TTY")]
        return engine.run(name, command)
    if verb == "down":
        engine.down()
        return 0
    assert verb == "up"
    for option, value in itertools.pairwise(rest):
        if option == "--scale":
            name, _, count = value.partition("=")
            scale[name] = int(count)
    engine.up(scale)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
