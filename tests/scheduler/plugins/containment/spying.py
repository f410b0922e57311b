"""Environments of an attacker: each prompt says what it could find out."""

import socket
from pathlib import Path

from sweeps.environments import Episode, EpisodeShape, Split, Turn


class Report:
    """An episode that says one thing."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt or "nothing"

    def step(self, action: str) -> Turn:  # noqa: ARG002 - the signature of an episode
        return Turn(done=True)


class Spy:
    """Says the environment and the command of every process that it can see."""

    version = 1
    shape = EpisodeShape()
    stop: tuple[str, ...] = ()

    def episode(self, seed: int, split: Split) -> Episode:  # noqa: ARG002 - the same for all
        return Report(self.look())

    def look(self) -> str:
        seen = []
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("environ", "cmdline"):
                try:
                    seen.append((process / name).read_bytes().decode(errors="replace").replace("\0", " "))
                except OSError:
                    continue
        return " ".join(seen)[-500_000:]


class Caller(Spy):
    """Says whether it reaches a server on this machine."""

    def look(self) -> str:
        port = int((Path.cwd() / "port").read_text())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError as error:
            return f"refused: {error}"
        return "connected"
