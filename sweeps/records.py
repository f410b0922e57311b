"""The rows of a data set as a value with an address: what is in it, never where it came from."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

from sweeps.errors import DataError

Format = Literal["text", "completion", "chat", "preference", "transcript", "questions"]
FORMATS: tuple[Format, ...] = get_args(Format)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Records:
    """Rows of one format. `sha256` (hex) is the content address; of format, rows and order."""

    format: Format
    rows: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """One SHA-256 per row, over its canonical JSON."""
        return tuple(hashlib.sha256(canonical(row)).digest() for row in self.rows)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.format.encode() + b"\n" + b"".join(self.digests)).hexdigest()

    def to_jsonl(self) -> bytes:
        """Gzipped JSON lines, a header first. No time stamp inside: equal records make equal bytes."""
        lines = [canonical({"format": self.format, "rows": len(self)}), *map(canonical, self.rows)]
        return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)

    @classmethod
    def from_jsonl(cls, content: bytes, *, sha256: str | None = None) -> "Records":
        """Read `to_jsonl` back; with `sha256` it must be that content, else DataError."""
        try:
            header, *rows = map(json.loads, gzip.decompress(content).splitlines())
            records = cls(header["format"], tuple(rows))
        except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error) as error:
            raise DataError(f"records: not what to_jsonl wrote ({error}); fetch the artefact again") from None
        if len(records) != header["rows"] or sha256 not in (None, records.sha256):
            raise DataError(f"records: {len(records)} rows with address {records.sha256}, {sha256} was asked for")
        return records


@dataclass(frozen=True)
class Dataset:
    """What is trained on, what is reported on (`holdout`) and what choices are made on (`validation`).

    The three share no content. `notes` says in sentences what loading did to the source.

    Of questions, `context` is what the model reads with them in all three, and `whole` holds the same items as
    `holdout` with all that is known of them.
    """

    name: str
    source: str
    train: Records
    holdout: Records
    validation: Records | None
    notes: tuple[str, ...]
    whole: Records | None = None
    context: str | None = None


_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)  # to make one takes longest


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no spaces, in ASCII: the bytes that row digests hash."""
    return b"%d" % value if type(value) is int else _WRITER.encode(value).encode()


def content_keys(rows: Iterable[Row]) -> list[bytes]:
    """One SHA-256 per row that is equal exactly where the content is, up to runs of white space."""
    return [hashlib.sha256(canonical(_spaced(row))).digest() for row in rows]


def _spaced(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: _spaced(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spaced(item) for item in value]
    return value
