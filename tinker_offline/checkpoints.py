"""Store training runs and their checkpoints on disk, and remove them when they expire.

A checkpoint is complete or does not exist:

    runs/<run id>/run.json                     the run
    runs/<run id>/weights/<name>.npz           the arrays, for training
    runs/<run id>/sampler_weights/<name>.npz   the arrays, for sampling
    runs/<run id>/external_weights/<name>.npz  the arrays, for download
    runs/<run id>/.../<name>.json              the checkpoint; written last, deleted first
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tinker_offline.atomic_files import write_file, write_text
from tinker_offline.errors import Refusal
from tinker_offline.model.learner import Arrays

Folder = Literal["weights", "sampler_weights", "external_weights"]
TYPES = {"weights": "training", "sampler_weights": "sampler", "external_weights": "external"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True)
class TrainingRun:
    """One training run, as the service lists it."""

    run_id: str
    session_id: str
    base_model: str
    rank: int
    created_at: str
    user_metadata: dict[str, str] | None


@dataclass(frozen=True)
class Checkpoint:
    """One saved checkpoint, for training or for sampling."""

    run_id: str
    folder: Folder
    name: str
    time: str
    size_bytes: int
    expires_at: str | None
    user_metadata: dict[str, str] | None

    @property
    def path(self) -> str:
        return f"tinker://{self.run_id}/{self.folder}/{self.name}"

    def describe(self) -> dict[str, Any]:
        """Return the checkpoint as the service lists it."""
        return {
            "checkpoint_id": f"{self.folder}/{self.name}",
            "checkpoint_type": TYPES[self.folder],
            "time": self.time,
            "tinker_path": self.path,
            "size_bytes": self.size_bytes,
            "public": False,
            "user_metadata": self.user_metadata,
            "expires_at": self.expires_at,
        }


class CheckpointStore:
    """All training runs and checkpoints of one state folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._runs = {run.run_id: run for run in (_read_run(path) for path in root.glob("*/run.json"))}
        saved = (Checkpoint(**json.loads(path.read_text(encoding="utf-8"))) for path in root.glob("*/*weights/*.json"))
        self._checkpoints = {checkpoint.path: checkpoint for checkpoint in saved}

    def add_run(self, run: TrainingRun) -> None:
        write_text(self._root / run.run_id / "run.json", json.dumps(asdict(run)))
        self._runs[run.run_id] = run

    def get_run(self, run_id: str) -> TrainingRun:
        if run_id not in self._runs:
            raise Refusal(f"no such training run: {run_id}", 404)
        return self._runs[run_id]

    def list_runs(self) -> list[TrainingRun]:
        """List the runs, newest first."""
        return sorted(self._runs.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)

    def save(self, checkpoint: Checkpoint, arrays: Arrays, *, overwrite: bool) -> Checkpoint:
        """Write a checkpoint and fill in its size; replacing an existing name needs `overwrite`."""
        if not _NAME.fullmatch(checkpoint.name):
            raise Refusal(f"{checkpoint.name!r} is not a valid checkpoint name; use letters, digits, _ . and -")
        if not overwrite and self.find(checkpoint.path) is not None:
            raise Refusal(f"{checkpoint.path} exists already; overwrite=True replaces it")
        file = self._file(checkpoint)
        write_file(file.with_suffix(".npz"), lambda out: np.savez(out, allow_pickle=False, **arrays))
        saved = replace(checkpoint, size_bytes=file.with_suffix(".npz").stat().st_size)
        self._note(saved)
        return saved

    def _note(self, checkpoint: Checkpoint) -> None:
        write_text(self._file(checkpoint), json.dumps(asdict(checkpoint)))
        self._checkpoints[checkpoint.path] = checkpoint

    def find(self, path: str) -> Checkpoint | None:
        self._expire()
        return self._checkpoints.get(path)

    def get(self, path: str) -> Checkpoint:
        checkpoint = self.find(path)
        if checkpoint is None:
            raise Refusal(f"no such checkpoint: {path}; it may have expired or been deleted", 404)
        return checkpoint

    def load(self, path: str) -> Arrays:
        with np.load(self._file(self.get(path)).with_suffix(".npz")) as arrays:
            return dict(arrays)

    def read_arrays_file(self, path: str) -> bytes:
        """Read the file of the arrays as it is."""
        return self._file(self.get(path)).with_suffix(".npz").read_bytes()

    def list(self, run_id: str | None = None) -> list[Checkpoint]:
        """List the checkpoints of one run or of all, newest first."""
        self._expire()
        chosen = (checkpoint for checkpoint in tuple(self._checkpoints.values()) if run_id in (None, checkpoint.run_id))
        return sorted(chosen, key=lambda checkpoint: (checkpoint.time, checkpoint.path), reverse=True)

    def delete(self, path: str) -> None:
        self._remove(self.get(path))

    def set_ttl(self, path: str, seconds: int | None) -> None:
        self._note(replace(self.get(path), expires_at=expire_at(seconds)))

    def expire(self, paths: Iterable[str]) -> None:
        """Let these checkpoints expire now. Raises Refusal if one does not exist, before any has expired."""
        for checkpoint in [self.get(path) for path in paths]:
            self._remove(checkpoint)

    def _expire(self) -> None:
        now = datetime.now(UTC).isoformat()
        for checkpoint in tuple(self._checkpoints.values()):
            if checkpoint.expires_at is not None and checkpoint.expires_at <= now:
                self._remove(checkpoint)

    def _remove(self, checkpoint: Checkpoint) -> None:
        self._checkpoints.pop(checkpoint.path, None)
        self._file(checkpoint).unlink(missing_ok=True)
        self._file(checkpoint).with_suffix(".npz").unlink(missing_ok=True)

    def _file(self, checkpoint: Checkpoint) -> Path:
        return self._root / checkpoint.run_id / checkpoint.folder / f"{checkpoint.name}.json"


def expire_at(seconds: int | None) -> str | None:
    """Return the time `seconds` from now; None for no expiry."""
    return None if seconds is None else (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _read_run(path: Path) -> TrainingRun:
    return TrainingRun(**json.loads(path.read_text(encoding="utf-8")))
