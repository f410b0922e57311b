"""Save the state and the artefact store into a folder, and restore both from it.

The state is read first, at one moment, and then every file: files never change, so each file that the state names is
there. The daily cleaning waits meanwhile. The manifest is written last: a folder without one is no backup.
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scheduler.artefacts import Artefacts
from scheduler.errors import SchedulerError
from scheduler.state import keys
from scheduler.state.keeping.cleaning import DUTY, PATIENCE, SECOND
from scheduler.state.layout import LAYOUT
from scheduler.state.milliseconds import read_moment
from scheduler.state.server.failover import close_books
from scheduler.state.store import Store

MANIFEST, STATE, FILES = "backup.json", "state.jsonl.gz", "store"
PAGE = 200  # keys in one round trip
WORDS = 1000  # words of one command
FENCES = 1_000_000  # by which the counter of fencing numbers grows, so that no number is given twice


class BackupUnusable(SchedulerError):
    """The folder is no backup, or there is something where it should go."""


@dataclass(frozen=True)
class Backup:
    """What a backup holds."""

    taken: int  # milliseconds since 1970
    layout: int
    keys: int
    files: int  # in the folder
    copied: int  # files that were not there before
    bytes: int  # of all files


def take_backup(store: Store, url: str, folder: Path) -> Backup:
    """Save the state and the artefacts at `url` into a folder. A file that is there from an earlier time stays."""
    folder.mkdir(parents=True, exist_ok=True)
    who = f"backup-{store.read_now().timestamp():.3f}"
    if not store.scripts.run("take_duty", who, round(PATIENCE * SECOND), DUTY):
        raise BackupUnusable("a cleaning or another backup is under way; try again when it has ended")
    (folder / MANIFEST).unlink(missing_ok=True)
    taken = store.scripts.read_time()
    rows = store.scripts.run("read_state")
    _write_state(folder / STATE, rows)
    target = Artefacts(str(folder / FILES))
    copied = copy_files(Artefacts(url), target)
    files = target.list_files("")
    backup = Backup(taken, LAYOUT, len(rows), len(files), copied, sum(file.size for file in files))
    draft = folder / f"{MANIFEST}.part"
    draft.write_text(json.dumps(asdict(backup)) + "\n", encoding="utf-8")
    draft.replace(folder / MANIFEST)
    store.scripts.run("take_duty", who, 0, DUTY)
    return backup


def read_manifest(folder: Path) -> Backup:
    """Read what a backup holds. Raises BackupUnusable."""
    try:
        return Backup(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise BackupUnusable(f"{folder}: expected a complete backup, got a folder without a valid {MANIFEST}") from None


def restore_backup(store: Store, url: str, folder: Path) -> Backup:
    """Restore a backup into an empty state and the artefact store at `url`. Raises BackupUnusable.

    Nothing starts before the books are compared: see `close_admission`. What is interrupted may be repeated.
    """
    backup = read_manifest(folder)
    if backup.layout != LAYOUT:
        raise BackupUnusable(f"{folder}: expected a backup of layout {LAYOUT}, got layout {backup.layout}")
    if store.client.exists(keys.SWEEPS) and not store.client.exists(keys.RESTORED):
        raise BackupUnusable("there are sweeps already: restore into an empty state (a new SWEEP_HOME or REDIS_URL)")
    copy_files(Artefacts(str(folder / FILES)), Artefacts(url))
    store.client.hset(keys.RESTORED, mapping={"taken": backup.taken, "at": store.scripts.read_time()})
    rows = [row for row in _read_state(folder / STATE) if row[0] != keys.RESTORED]
    # The layout comes last: until then every command refuses the state as incomplete.
    _write_rows(store, [row for row in rows if row[0] != keys.LAYOUT])
    close_admission(store, backup.taken)
    _write_rows(store, [row for row in rows if row[0] == keys.LAYOUT])
    return backup


def close_admission(store: Store, taken: int) -> None:
    """Close the books: a worker opens them when it has compared them with the service's sessions since the backup.

    Leases of the backup run out by themselves, and what their attempts cost is reconciled. The fencing numbers that
    were given since are skipped, so that no late worker passes for a new one.
    """
    fence = int(store.client.get(keys.FENCE) or 0)
    store.client.set(keys.FENCE, fence + FENCES)
    moment = read_moment(taken)
    close_books(store, f"the state was restored from a backup of {moment:%Y-%m-%d %H:%M UTC}", moment)


def copy_files(source: Artefacts, target: Artefacts) -> int:
    """Copy every file that is not there yet; return how many. A file never changes, so its size tells."""
    there = {file.path: file.size for file in target.list_files("")}
    missing = [file for file in source.list_files("") if there.get(file.path) != file.size]
    for file in missing:
        target.write(file.path, source.read(file.path))
    return len(missing)


def _write_state(path: Path, rows: list[Any]) -> None:
    draft = path.with_name(f"{path.name}.part")
    with gzip.open(draft, "wt", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    draft.replace(path)


def _read_state(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                key, kind, content = json.loads(line)
                yield key, kind, content
    except (OSError, EOFError, ValueError) as error:
        raise BackupUnusable(f"{path}: expected the state of a backup, got a broken file: {error}") from None


# The command that writes each kind of key, and how many words belong together.
COMMANDS: Mapping[str, tuple[str, int]] = {
    "string": ("SET", 1),
    "hash": ("HSET", 2),
    "set": ("SADD", 1),
    "list": ("RPUSH", 1),
    "zset": ("ZADD", 2),
}


def _write_rows(store: Store, rows: list[tuple[str, str, list[str]]]) -> None:
    client: Any = store.client
    for start in range(0, len(rows), PAGE):
        pipe = client.pipeline(transaction=True)
        for key, kind, content in rows[start : start + PAGE]:
            command, group = COMMANDS[kind]
            pipe.delete(key)
            words = _turn_pairs(content) if kind == "zset" else content
            for place in range(0, len(words), WORDS - WORDS % group):
                pipe.execute_command(command, key, *words[place : place + WORDS - WORDS % group])
        pipe.execute()


def _turn_pairs(content: list[str]) -> list[str]:
    """Turn `member, score` into `score, member`, pair by pair."""
    return [word for place in range(0, len(content), 2) for word in (content[place + 1], content[place])]
