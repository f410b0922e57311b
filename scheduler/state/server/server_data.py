"""Read what the folder of an embedded server holds, without a server: the format, and who wrote it.

A server that cannot read another's data recommends a command that cuts them off; one that does not know several parts
says nothing and starts empty. So we look first.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from scheduler.state.server.server_versions import ServerData, ServerVersion

PARTS = "appendonlydir"
MANIFEST = f"{PARTS}/appendonly.aof.manifest"
WHOLE = "appendonly.aof"
MARK = re.compile(rb"(REDIS|VALKEY)(\d+)")
MARK_BYTES = 9


class Author(NamedTuple):
    """The server that wrote the data last, and its program."""

    server: ServerVersion
    binary: Path


def read_data(folder: Path) -> ServerData | None:
    """Read what the folder holds; None if it is empty, which every server accepts."""
    author = read_author(folder)
    writer = author.server if author else None
    if (folder / PARTS).is_dir():
        base = next((name for kind, name in _read_manifest(folder) if kind == "b"), None)
        return ServerData(*_read_mark(folder / PARTS / base if base else None), parts=True, writer=writer)
    whole = folder / WHOLE
    if whole.exists() and whole.stat().st_size:
        return ServerData(*_read_mark(whole), parts=False, writer=writer)
    return None


def list_parts(folder: Path) -> list[Path]:
    """List the append-only file, or its parts in reading order."""
    if (folder / PARTS).is_dir():
        return [folder / PARTS / name for kind, name in _read_manifest(folder) if kind != "h"]
    return [folder / WHOLE]


def read_author(folder: Path) -> Author | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(_note_path(folder).read_text(encoding="utf-8"))
        return Author(ServerVersion(str(note["name"]), str(note["version"])), Path(note["binary"]))
    return None


def write_author(folder: Path, author: Author) -> None:
    """Note who writes the data from now on, completely or not at all."""
    if read_author(folder) == author:
        return
    path = _note_path(folder)
    draft = path.with_suffix(".part")
    note = {"name": author.server.name, "version": author.server.version, "binary": str(author.binary)}
    with draft.open("w") as file:
        json.dump(note, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _note_path(folder: Path) -> Path:
    return folder / "server.json"


def _read_manifest(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield kind and name of each part: `b` the base, `i` increments, `h` history that may be deleted."""
    with suppress(OSError):
        for line in (folder / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split()
            pairs = dict(zip(words[::2], words[1::2], strict=False))
            if "file" in pairs and "type" in pairs:
                yield pairs["type"], pairs["file"]


def _read_mark(path: Path | None) -> tuple[str | None, int]:
    """Read the format at the beginning of a snapshot; every server reads plain commands."""
    with suppress(OSError):
        if path is not None:
            with path.open("rb") as file:
                if match := MARK.match(file.read(MARK_BYTES)):
                    return match[1].decode(), int(match[2])
    return None, 0
