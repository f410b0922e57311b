"""The environment of the peers: other people's tools, installed from `peers.lock` apart from the project's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROGRAMS = HERE / "peer_programs"
ENVIRONMENT = HERE.parent / ".peers"
LOCK, ALONE = HERE / "peers.lock", HERE / "peers_alone.lock"


class PeerFailed(Exception):
    """A peer did not run, so nothing may be said about it."""


def install_peers() -> Path:
    """Install what the locks name unless it is installed; return the environment's Python."""
    python, installed = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed"
    wanted = LOCK.read_bytes() + ALONE.read_bytes()
    if installed.exists() and installed.read_bytes() == wanted:
        return python
    sys.stderr.write("installing the peers into .peers (minutes the first time)\n")
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"]
    subprocess.run([str(python), *words, str(LOCK)], check=True)
    subprocess.run([str(python), *words, str(ALONE), "--no-deps"], check=True)
    installed.write_bytes(wanted)
    return python


def run_peer(program: str, *words: str, seconds: float = 900, **variables: str) -> dict[str, Any]:
    """Run a program of `peer_programs/` there, and return the JSON document that its last line in braces is.

    Raises PeerFailed, with the end of what it printed, where it fails or takes longer.
    """
    command = [str(install_peers()), str(PROGRAMS / program), *words]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAMS), **variables}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment, check=False)
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"{program} did not end within {seconds:g} s") from late
    if done.returncode:
        raise PeerFailed(f"{program} ended with status {done.returncode}:\n{done.stderr[-3000:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]  # some tools print until they end
    document: dict[str, Any] = json.loads(lines[-1])
    return document
