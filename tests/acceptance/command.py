"""The `sweep` command as a person runs it: a process of its own, in a state folder of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from scheduler.cli import main

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".sweep" / "test-cache"
NOT_OURS = ("TINKER_API_KEY", "TINKER_BASE_URL", "REDIS_URL", "SWEEP_STORE", "SWEEP_OFFLINE_URL")


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Desk:
    """A folder with files in it and a state folder; everything that a researcher has."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return Path(self.environment.get("SWEEP_HOME") or self.folder / "state")

    def move(self, folder: Path) -> "Desk":
        """The same person in another folder."""
        return replace(self, folder=folder, environment={"SWEEP_HOME": str(self.home), **self.environment})

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def sweep(self, *words: str, wait: float = 150, **changes: str) -> Said:
        """Run a command to its end."""
        done = subprocess.run(
            self._command(words),
            env=self.variables(changes),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=wait,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def call(self, *words: str, **changes: str) -> Said:
        """The same command in this process: quicker, where it does not matter whose process it is."""
        out, err, status = io.StringIO(), io.StringIO(), 0
        surroundings = patch.dict(os.environ, self.variables(changes), clear=True)
        with surroundings, chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            try:
                main(list(words))
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
        return Said(status, out.getvalue(), err.getvalue())

    @contextmanager
    def sweeping(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command beside the test; kill what is left of it."""
        with (self.folder / "said").open("w") as output:
            process = subprocess.Popen(
                self._command(words), env=self.variables({}), cwd=self.folder, stdout=output, stderr=output, text=True
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGINT)
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(60)
                process.kill()

    def said(self) -> str:
        return (self.folder / "said").read_text()

    def running(self) -> list[str]:
        """The processes that work for this state folder, from the kernel."""
        mark = f"SWEEP_HOME={self.home}".encode()
        commands = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command.strip():
                        commands.append(command)
        return commands

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "scheduler.cli", *words]

    def variables(self, changes: dict[str, str]) -> dict[str, str]:
        """The environment of a command: this machine's, without what would point it elsewhere."""
        inherited = {key: value for key, value in os.environ.items() if key not in NOT_OURS}
        ours = {"SWEEP_HOME": str(self.home), "SWEEP_CACHE": str(CACHE), "SWEEP_GRACE": "10"}
        return {**inherited, **ours, **self.environment, **changes}


@dataclass
class DeskElsewhere(Desk):
    """The desk of somebody on another machine, who has an address and a token, and nothing of the fleet."""

    fleet_home: Path = Path("nowhere")

    @property
    def home(self) -> Path:
        return self.fleet_home

    def move(self, folder: Path) -> Desk:
        return replace(self, folder=folder)

    def variables(self, changes: dict[str, str]) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith(("SWEEP_", "TINKER_", "REDIS"))
        }
        own = {"HOME": str(self.folder / "at-home"), "USER": "stranger", "LOGNAME": "stranger"}
        return {**inherited, **own, **self.environment, **changes}


def until(happens: Callable[[], object], what: str, *, seconds: float = 60) -> None:
    """Look until something is so, less often the longer it takes; fail, saying what it was, if it never is."""
    give_up, gap = time.monotonic() + seconds, 0.1
    while not happens():
        assert time.monotonic() < give_up, f"not within {seconds:g} s: {what}"
        time.sleep(gap)
        gap = min(1.2 * gap, 0.5)  # a look by a command takes 20 ms of a processor
