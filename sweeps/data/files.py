"""A file or URL to rows: whatever fsspec opens, gzipped or not."""

import gzip
import re
import zlib
from pathlib import Path, PurePosixPath

import fsspec

from sweeps.data.rows import Parsed, parse_jsonl, parse_paragraphs
from sweeps.errors import DataError
from sweeps.records import Format

JSONL = {".jsonl", ".ndjson"}
NOT_TEXT = {".json", ".csv", ".tsv", ".parquet", ".arrow", ".xlsx", ".zip", ".tar", ".zst", ".bz2", ".xz"}


def read_file(source: str, form: Format | None, folder: Path) -> Parsed:
    """The rows of a file: JSON lines by its ending, any other text by paragraphs; each may be gzipped.

    A path is relative to `folder`; anything with `://` goes to fsspec. Raises DataError where it cannot be read.
    """
    where = shown(source)
    suffixes = PurePosixPath(where).suffixes
    gzipped = suffixes[-1:] == [".gz"]
    kind = "".join(suffixes[:-1][-1:] if gzipped else suffixes[-1:]).lower()
    if kind in NOT_TEXT:
        raise DataError(f"{where}: a {kind} file; JSON lines (.jsonl), text (.txt, .md) or either as .gz is wanted")
    content = _fetch(source, where, folder)
    text = _decode(_unzip(content, where) if gzipped else content, where)
    if kind in JSONL:
        return parse_jsonl(text, where, form)
    if form not in (None, "text"):
        raise DataError(f"{where}: format {form} in a {kind or 'nameless'} file; name it .jsonl, one object a line")
    return parse_paragraphs(text, where)


def _fetch(source: str, where: str, folder: Path) -> bytes:
    try:
        if "://" in source:
            with fsspec.open(source, "rb") as file:
                return bytes(file.read())
        return _read(folder / Path(source).expanduser(), where)
    except DataError:
        raise
    except FileNotFoundError:
        place = "" if "://" in source else f" in {folder}"
        raise DataError(f"{where}: no such file{place}; a path is relative to the spec's folder") from None
    except IsADirectoryError:
        raise DataError(f"{where}: a folder; name one file in it, such as train.jsonl") from None
    except Exception as error:  # noqa: BLE001 -- each backend of fsspec has exceptions of its own
        reason = str(error).replace(source, where) or type(error).__name__
        raise DataError(f"{where}: cannot be read: {shown(reason)}") from None


def _read(path: Path, where: str) -> bytes:
    if path.is_dir():
        inside = sorted(entry.name for entry in path.iterdir() if entry.suffix in JSONL | {".txt", ".md", ".gz"})
        hint = f"one of {', '.join(inside[:5])}" if inside else "a .jsonl or .txt file"
        raise DataError(f"{where}: a folder; name one file, {hint}")
    return path.read_bytes()


def _unzip(content: bytes, where: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where}: ends in .gz and is not whole gzip: {error}") from None


def _decode(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{where}:{line}: byte {error.start} is not UTF-8 text; save it as UTF-8") from None


def shown(source: str) -> str:
    """A path or URL as messages may name it: without user, password and signed query."""
    return re.sub(r"(://)[^/@\s]*@|(://[^?\s]*)\?\S*", lambda found: found[2] or f"{found[1]}…@", source)
