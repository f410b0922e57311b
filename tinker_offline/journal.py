"""Append lines of JSON to a file, and read them back at the next start."""

import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinker_offline.atomic_files import write_text

Entry = dict[str, Any]


class Journal:
    """An append-only file. Each entry reaches the operating system before `append` returns.

    So a killed process loses none.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._mend()

    def _mend(self) -> None:
        """Remove a last line that a crash cut off, so that the next entry does not continue it."""
        if self._path.exists() and (text := self._path.read_bytes()) and not text.endswith(b"\n"):
            os.truncate(self._path, text.rfind(b"\n") + 1)

    def read(self) -> list[Entry]:
        if not self._path.exists():
            return []
        return [json.loads(line) for line in self._path.read_bytes().splitlines()]

    def append(self, entry: Entry) -> None:
        with self._lock, self._path.open("ab", buffering=0) as file:
            file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Replace all entries, or none if that fails."""
        with self._lock:
            write_text(self._path, "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries))
