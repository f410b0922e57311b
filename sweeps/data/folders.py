"""One name to the files that it stands for: a file, a folder of shards, what `save_to_disk` wrote, a pattern."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fsspec

from sweeps.data.bounded_reading import DataReach, read_bounded, refuse_irregular
from sweeps.errors import DataError
from sweeps.spec.home_paths import expand

SHARD = re.compile(r"(?P<name>.*?)[-_.]?(?P<number>\d{5})-of-(?P<total>\d{5})(?P<end>.*)")
PART = re.compile(r"part-\d+.*")  # as Spark writes them
PATTERN = re.compile(r"[*\[]")
DATA = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".txt", ".md")
PACKED = (".gz", ".bz2", ".xz", ".zst")
DESCRIPTIONS = ("state.json",)  # what `save_to_disk` writes beside the rows
WEB = ("http://", "https://")


class File(NamedTuple):
    """A file that can be opened, and how messages name it."""

    system: Any  # an fsspec file system, or None for the web, which has no folders
    path: str
    where: str

    def fetch(self, reach: DataReach) -> bytes:
        """Read it whole. Raises DataError if it is no regular file or is too large."""
        if self.system is None:
            if reach.fetch is None:
                raise DataError(f"{self.where}: expected a path, got an address of the web; copy the file")
            return reach.fetch(self.path, reach.most_bytes)
        if "file" in self.system.protocol:
            refuse_irregular(Path(self.path), self.where)
        with self.system.open(self.path, "rb") as file:
            return read_bounded(file, self.where, reach.most_bytes)


def find_files(source: str, where: str, folder: Path) -> tuple[File, ...]:
    """Find the files of a source, in the order of their names; a path is relative to `folder`.

    Raises DataError where it cannot be told which files are meant, and what fsspec raises.
    """
    if source.startswith(WEB):
        return (File(None, source, where),)
    if "://" in source:
        system, path = fsspec.core.url_to_fs(source)
    else:
        system, path = fsspec.filesystem("file"), str((folder / expand(source)).absolute())
    if system.isdir(path):
        return _find_in_folder(system, path, where.rstrip("/"))
    if PATTERN.search(path) and not system.exists(path):
        return _matching(system, path, where)
    return (File(system, path, where),)


def _matching(system: Any, path: str, where: str) -> tuple[File, ...]:
    matches = sorted(match for match in system.glob(path) if not system.isdir(match))
    if not matches:
        raise DataError(f"{where}: no file matches; relative paths start at the folder of the sweep file")
    _refuse_missing(matches, where)
    fixed = len(PATTERN.split(path)[0].rpartition("/")[0])
    shown = PATTERN.split(where)[0].rpartition("/")
    return tuple(File(system, match, f"{shown[0]}{shown[1]}{match[fixed:].lstrip('/')}") for match in matches)


def _find_in_folder(system: Any, root: str, where: str) -> tuple[File, ...]:
    """Find the data of a folder, if there is only one choice."""
    base = str(system._strip_protocol(root)).rstrip("/")  # noqa: SLF001 -- as `find` names what it finds
    inside = [str(file)[len(base) + 1 :] for file in system.find(root, maxdepth=3)]
    names = sorted(name for name in inside if not any(part.startswith((".", "_")) for part in name.split("/")))
    if "state.json" in names:
        names = _list_saved_files(json.loads(system.cat_file(f"{root}/state.json")), names, where)
    elif "dataset_dict.json" in names:
        splits = sorted({name.partition("/")[0] for name in names if "/" in name})
        raise DataError(
            f"{where}: got a folder of splits; name one, such as {where}/{splits[0] if splits else 'train'}"
        )
    else:
        names = _shards([name for name in names if _is_data(name)], where)
    return tuple(File(system, f"{root.rstrip('/')}/{name}", f"{where}/{name}") for name in names)


def _list_saved_files(state: Any, names: Sequence[str], where: str) -> list[str]:
    """List the Arrow files that `save_to_disk` says it wrote, in its order."""
    files = state.get("_data_files") if isinstance(state, dict) else None
    wanted = [str(entry.get("filename")) for entry in files or () if isinstance(entry, dict)]
    missing = [name for name in wanted if name not in names]
    if not wanted or missing:
        raise DataError(
            f"{where}: a data set of Hugging Face without {missing[0] if missing else 'files'}; save it again"
        )
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise DataError(f"{where}: expected rows, got a data set saved with indices; save it with a newer `datasets`")
    return wanted


def _is_data(name: str) -> bool:
    lower = name.lower()
    if lower.rpartition("/")[2].startswith("readme"):
        return False
    for end in PACKED:
        lower = lower.removesuffix(end)
    return lower.endswith(DATA) or bool(PART.fullmatch(lower.rpartition("/")[2]))


def _shards(names: list[str], where: str) -> list[str]:
    """List the shards of a folder, if they all belong to one split."""
    patterns = {name: _set_of(name) for name in names}
    sets = sorted({pattern for pattern in patterns.values() if pattern})
    if len(sets) == 1:
        shards = [name for name, pattern in patterns.items() if pattern]
        _refuse_missing(shards, where)
        return shards
    if sets:
        choices = ", ".join(f"{where}/{pattern}" for pattern in sets[:5])
        raise DataError(f"{where}: expected one split, got a folder of several; name one: {choices}")
    hint = f"one of {', '.join(names[:5])}" if names else "a .jsonl or .txt file"
    more = f", or all by a pattern such as {where}/*{Path(names[0]).suffix}" if len(names) > 1 else ""
    raise DataError(f"{where}: expected a file, got a folder; name one file, {hint}{more}")


def _set_of(name: str) -> str:
    """Return the pattern of the shards that a file belongs to; empty if it is no shard."""
    folder, slash, file = name.rpartition("/")
    if match := SHARD.fullmatch(file):
        end = re.sub(r"^-[0-9a-f]+(?=\.)", "*", match["end"])
        return f"{folder}{slash}{match['name']}*-of-{match['total']}{end}"
    return f"{folder}{slash}part-*" if PART.fullmatch(file.lower()) else ""


def _refuse_missing(names: Sequence[str], where: str) -> None:
    """Refuse shards that say how many they are if one of them is missing."""
    sets: dict[str, set[int]] = {}
    totals: dict[str, int] = {}
    for name in names:
        if match := SHARD.fullmatch(name.rpartition("/")[2]):
            sets.setdefault(_set_of(name), set()).add(int(match["number"]))
            totals[_set_of(name)] = int(match["total"])
    for pattern, numbers in sets.items():
        if missing := sorted({*range(totals[pattern])} - numbers):
            raise DataError(f"{where}: shard {missing[0]} of {totals[pattern]} ({pattern}) is missing; fetch it")
