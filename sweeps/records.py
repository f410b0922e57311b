"""The rows of a data set as a value with an address: what is in it, never where it came from."""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, NoReturn, get_args

from sweeps.errors import DataError

Format = Literal["text", "completion", "chat", "preference", "transcript", "questions"]
FORMATS: tuple[Format, ...] = get_args(Format)
Row = Mapping[str, Any]


class Origin(NamedTuple):
    """Where a row stood: `train.jsonl:` and its line, or `train.parquet: row ` and its number, both from 1."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}{self.number}"


@dataclass(frozen=True)
class Records:
    """Rows of one format. `sha256` (hex) is the content address; of format, rows and order.

    `origins` says of each row where it stood, for whoever has to find it: no part of the content, and not written
    with it. Empty where nobody knows.
    """

    format: Format
    rows: tuple[Row, ...]
    origins: tuple[Origin, ...] = field(default=(), compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, index: int) -> str:
        """Where the row of this index (from 0) stood: a file and its line where that is known, else its number."""
        return str(self.origins[index]) if self.origins else f"row {index + 1}"

    def at(self, places: Iterable[int]) -> "Records":
        """The rows of these indices, with where they stood."""
        chosen = tuple(places)
        origins = tuple(self.origins[place] for place in chosen) if self.origins else ()
        return Records(self.format, tuple(self.rows[place] for place in chosen), origins)

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """One SHA-256 per row, over its canonical JSON."""
        return tuple(hashlib.sha256(canonicalize_row(row)).digest() for row in self.rows)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.format.encode() + b"\n" + b"".join(self.digests)).hexdigest()

    def to_jsonl(self) -> bytes:
        """Gzipped JSON lines, a header first. No time stamp inside: equal records make equal bytes."""
        lines = [canonicalize_row({"format": self.format, "rows": len(self)}), *map(canonicalize_row, self.rows)]
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
    account: str = ""  # how the rows of the source were shared out, for whoever asks for more than there are


_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)  # to make one takes longest


def canonicalize_row(value: object) -> bytes:
    """JSON with sorted keys and no spaces, in ASCII: the bytes that row digests hash."""
    return b"%d" % value if type(value) is int else _WRITER.encode(value).encode()


def load_json(text: str) -> Any:
    """JSON in which nothing is lost. Raises ValueError, also where a key stands twice or a number is NaN or too big.

    Half of a surrogate pair in a string is a UnicodeEncodeError.
    """
    found = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once)
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _finite(written: str) -> float:
    number = float(written)
    return number if math.isfinite(number) else _no_number(written)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number; null is")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return found


def hash_contents(rows: Iterable[Row]) -> list[bytes]:
    """One SHA-256 per row that is equal exactly where the content is, up to runs of white space."""
    return [hashlib.sha256(canonicalize_row(_spaced(row))).digest() for row in rows]


def _spaced(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: _spaced(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_spaced(item) for item in value]
    return value
