"""The servers that the tests run on: those of server_versions.py, as far as `make get-servers` put them here.

`SERVER=redis-7.0 pytest …` runs whatever needs a server on that one; without, it is the pinned one, and what
must hold on all runs on the oldest Redis, too. `make servers` runs it on each.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

from scheduler.state.server import server_choice
from scheduler.state.server.server_versions import TESTED, ServerSeries, identify_binary

ROOT = Path(__file__).parents[1]
OWN = ROOT / ".servers"
KEYS = tuple(server.key for server in TESTED)


@cache
def installed(key: str) -> Path | None:
    """The program of a series, or None where it is not here or is another."""
    own = OWN / key / "server"
    for path in (own, server_choice.find_pinned()):
        if path is not None and is_of(path, tested(key)):
            return path
    return None


def wanted() -> tuple[str, ...]:
    """All, or the one that SERVER names."""
    return (chosen(),) if "SERVER" in os.environ else KEYS


def oldest() -> str:
    """The oldest Redis, which lacks most, or the one that SERVER names: what costs too much to be done on each."""
    return chosen() if "SERVER" in os.environ else next(server.key for server in TESTED if server.name == "Redis")


def here() -> tuple[str, ...]:
    """The pinned one and the oldest, as far as they are here; `make servers` asks for each by its name."""
    return tuple(dict.fromkeys(key for key in (oldest(), chosen()) if installed(key)))


@cache
def chosen() -> str:
    """The server of all tests that name none: SERVER=KEY, or the pinned one."""
    if key := os.environ.get("SERVER"):
        return key
    pinned = server_choice.find_pinned()
    return next((server.key for server in TESTED if pinned and is_of(pinned, server)), KEYS[-1])


def binary() -> Path:
    """Its program. Raises AssertionError where it is not here."""
    path = installed(chosen())
    assert path is not None, f"{chosen()} is not here: make get-servers (there are {', '.join(KEYS)})"
    return path


def installed_or_skip(key: str) -> Path:
    """Its program, for a test of it; SERVER asks for it by name, so that there it must be here."""
    path = installed(key)
    if path is None and key != chosen():
        pytest.skip(f"{tested(key)} is not here: make get-servers")
    return path or binary()


def tested(key: str) -> ServerSeries:
    server_series = next((server for server in TESTED if server.key == key), None)
    assert server_series is not None, f"there is no {key}: one of {', '.join(KEYS)}"
    return server_series


def is_of(path: Path, series: ServerSeries) -> bool:
    """Is the program there, does it start, and is it of this series?"""
    try:
        version = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    server = identify_binary(version)
    return server is not None and (server.name, server.series) == (series.name, series.series)
