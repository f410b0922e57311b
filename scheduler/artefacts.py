"""Read and write the artefact store: data and results as files under one fsspec URL, each written whole or not."""

import gzip
import hashlib
import json
import os
import posixpath
import re
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem

from scheduler.errors import ArtefactError
from scheduler.urls import hide_secrets
from sweeps.records import unpack_rows
from sweeps.stage import Json

DIGESTED = re.compile(r"stages/.*\.([0-9a-f]{32})\.[^/]*")  # the path of a file of an attempt


class StoredFile(NamedTuple):
    """A file in the store."""

    path: str
    size: int  # bytes
    modified: float  # seconds since 1970; now if the store does not say


class Artefacts:
    """A folder, a share or a bucket. A file never changes after it is written."""

    def __init__(self, url: str) -> None:
        self.url = hide_secrets(url)  # without secrets, for messages
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise ArtefactError(f"SWEEP_STORE={self.url}: expected a folder or an fsspec URL: {error}") from None

    def refuse_unwritable(self) -> None:
        """Raise ArtefactError for a folder that cannot be created or written; other places fail at the first write."""
        if not isinstance(self._files, LocalFileSystem):
            return
        there = next(folder for folder in (Path(self._root), *Path(self._root).parents) if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise ArtefactError(f"SWEEP_STORE={self.url}: expected a writable folder, got {there}")

    def write(self, path: str, content: bytes) -> str:
        """Write content to a path; readers see all of it or nothing. Raises ArtefactError."""
        return self._write_whole(path, lambda draft: self._files.pipe_file(draft, content))

    def write_file(self, path: str, source: Path) -> str:
        """Do the same with a file of this machine, which need not fit into memory."""
        return self._write_whole(path, lambda draft: self._files.put_file(str(source), draft))

    def _write_whole(self, path: str, write: Callable[[str], object]) -> str:
        target = self._locate(path)
        draft = f"{target}.{uuid.uuid4().hex[:8]}.part"
        try:
            self._files.makedirs(posixpath.dirname(target), exist_ok=True)
            write(draft)
            self._files.mv(draft, target)
        except Exception as error:  # noqa: BLE001 - a bucket's client has errors of its own
            with suppress(Exception):
                self._files.rm_file(draft)
            raise ArtefactError(f"cannot write {path} to the artefact store {self.url}: {_explain(error)}") from None
        return path

    def read(self, path: str) -> bytes:
        """Return the content of a path. Raises ArtefactError, also for a file that is not the one of its path."""
        try:
            content = bytes(self._files.cat_file(self._locate(path)))
        except Exception as error:  # noqa: BLE001 - as in `write`
            raise ArtefactError(f"cannot read {path} from the artefact store {self.url}: {_explain(error)}") from None
        named = DIGESTED.fullmatch(path)
        if named and named[1] != digest_content(content):
            raise ArtefactError(
                f"{path} of the artefact store {self.url} was changed after it was written: bring it back from a backup"
            )
        return content

    def copy(self, path: str, target: Path) -> None:
        """Copy a path to a file of this machine; it need not fit into memory. Raises ArtefactError."""
        try:
            self._files.get_file(self._locate(path), str(target))
        except Exception as error:  # noqa: BLE001 - as in `write`
            raise ArtefactError(f"cannot read {path} from the artefact store {self.url}: {_explain(error)}") from None

    def find_size(self, path: str) -> int | None:
        """Find how many bytes a path has; None if nothing is there. Raises ArtefactError."""
        try:
            return int(self._files.size(self._locate(path)) or 0)
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001 - as in `write`
            raise ArtefactError(f"cannot look at {path} of the artefact store {self.url}: {_explain(error)}") from None

    def has(self, path: str) -> bool:
        return bool(self._files.exists(self._locate(path)))

    def list_files(self, folder: str) -> list["StoredFile"]:
        """List every whole file below a folder. Raises ArtefactError."""
        try:
            self._files.invalidate_cache()
            listed = self._files.find(self._locate(folder), detail=True)
        except FileNotFoundError:
            return []
        except Exception as error:  # noqa: BLE001 - as in `write`
            raise ArtefactError(f"cannot list {folder} of the artefact store {self.url}: {_explain(error)}") from None
        root = self._root.rstrip("/") + "/"
        return [
            StoredFile(path.removeprefix(root), int(facts.get("size") or 0), _read_modified(facts))
            for path, facts in listed.items()
            if not path.endswith(".part")
        ]

    def remove(self, path: str) -> None:
        """Delete a file, if it is there. Raises ArtefactError."""
        try:
            self._files.rm_file(self._locate(path))
        except FileNotFoundError:
            pass
        except Exception as error:  # noqa: BLE001 - as in `write`
            raise ArtefactError(f"cannot delete {path} in the artefact store {self.url}: {_explain(error)}") from None

    def _locate(self, path: str) -> str:
        return posixpath.join(self._root, path)


def list_protocols() -> frozenset[str]:
    """List the URL schemes that fsspec knows, installed or not."""
    return frozenset(fsspec.available_protocols())


def locate_records(sha256: str) -> str:
    """Return the path of the records with this content address."""
    return f"data/{sha256}.jsonl.gz"


def locate_uploads(user: str = "") -> str:
    """Return the folder of the files that a user sent; without a user, that of all."""
    return f"uploads/{hashlib.sha256(user.encode()).hexdigest()[:16]}" if user else "uploads"


def locate_upload(user: str, sha256: str) -> str:
    """Return the path of a file that a user sent for a spec."""
    return f"{locate_uploads(user)}/{sha256}"


def locate_attempt_file(fleet: str, stage: str, fence: str, name: str, content: bytes) -> str:
    """Return the path of a file of one attempt; the fencing number keeps late attempts from each other's files.

    The path contains the digest of the content. Redis keeps the path, so nobody can change a result in the store alone.
    Each installation has a folder of its own, so that none cleans up what is another's.
    """
    return f"{locate_stage_files(fleet)}/{stage[-2:]}/{stage}.{fence}.{digest_content(content)}.{name}"


def digest_content(content: bytes) -> str:
    """Return the digest of a file in its path: 32 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:32]


def locate_stage_files(fleet: str) -> str:
    """Return the folder in which an installation keeps the files of its stages."""
    return f"stages/{fleet[:12]}"


def locate_probe(fleet: str, host: str) -> str:
    """Return the path that the workers of a machine write to see whether they can: one, however many have run there."""
    return f"{locate_stage_files(fleet)}/{host}.probe"


def encode_rows(rows: Iterable[Mapping[str, Json]]) -> bytes:
    """Encode rows as JSON lines."""
    return "".join(json.dumps(dict(row)) + "\n" for row in rows).encode()


def compress_rows(rows: Iterable[Mapping[str, Json]]) -> bytes:
    """Encode rows as compressed JSON lines; the same rows give the same bytes."""
    return gzip.compress(encode_rows(rows), compresslevel=5, mtime=0)


def decode_rows(content: bytes) -> list[dict[str, Json]]:
    """Decode what `encode_rows` or `compress_rows` wrote."""
    return [json.loads(line) for line in unpack_rows(content).splitlines()]


def _read_modified(facts: Mapping[str, Any]) -> float:
    """Return when a file was written; each kind of store has its own name for it."""
    moment = next((facts[name] for name in ("mtime", "LastModified", "updated", "created") if facts.get(name)), None)
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, int | float) else time.time()


def _explain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
