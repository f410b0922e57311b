"""The rows of a data set as a value with a content address, which does not depend on where they came from."""

import gzip
import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from typing import Any, Literal, NamedTuple, NoReturn, get_args

from sweeps.errors import DataError

Format = Literal["text", "completion", "chat", "preference", "transcript", "questions"]
FORMATS: tuple[Format, ...] = get_args(Format)
KEYS = (  # of a record, in any format that is read: what a column can stand for
    *("question", "answer", "answers", "context", "distractors", "candidates", "variants"),
    *("prompt", "completion", "chosen", "rejected", "messages", "conversations", "conversation", "tools"),
    *("instruction", "input", "output", "response", "history", "system", "system_prompt", "system_message"),
    *("parts", "text"),
)
Row = Mapping[str, Any]
MOST_UNPACKED = 2**31  # bytes of a file of the store: more is a bomb
MOST_CLASSES = 20  # different answers that are classes; more are answers


class Origin(NamedTuple):
    """Where a row was read: `train.jsonl:` and its line, or `train.parquet: row ` and its number, both from 1."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}{self.number}"


@dataclass(frozen=True)
class Records:
    """Rows of one format. `sha256` (hex) is the content address of format, rows and order, and of groups and strata.

    `groups` and `strata` have one name for each row, or are empty: whose row it is, such as a patient's, and of which
    kind, such as a device. Rows of a group stay together.

    `origins` is the place of each row in its file, for error messages. It is not part of the content, and is not stored
    with it. Empty if unknown.
    """

    format: Format
    rows: tuple[Row, ...]
    origins: tuple[Origin, ...] = field(default=(), compare=False, repr=False)
    groups: tuple[str, ...] = ()
    strata: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, index: int) -> str:
        """Return the place of the row at an index (from 0): file and line if known, else its number."""
        return str(self.origins[index]) if self.origins else f"row {index + 1}"

    def select(self, places: Iterable[int]) -> "Records":
        """Select the rows at these indices, with their places."""
        chosen = tuple(places)
        origins = tuple(self.origins[place] for place in chosen) if self.origins else ()
        groups, strata = (
            tuple(names[place] for place in chosen) if names else () for names in (self.groups, self.strata)
        )
        return Records(self.format, tuple(self.rows[place] for place in chosen), origins, groups, strata)

    @property
    def units(self) -> int:
        """How many there are of what sizes count: groups if there are any, else rows."""
        return len({*self.groups}) if self.groups else len(self)

    @cached_property
    def digests(self) -> tuple[bytes, ...]:
        """One SHA-256 per row, over its canonical JSON."""
        return tuple(hashlib.sha256(canonicalize_row(row)).digest() for row in self.rows)

    @cached_property
    def sha256(self) -> str:
        content = hashlib.sha256(self.format.encode() + b"\n" + b"".join(self.digests))
        if self._labels:
            content.update(canonicalize_row(self._labels))
        return content.hexdigest()

    @property
    def _labels(self) -> dict[str, list[str]]:
        """The groups and strata, as far as there are any."""
        labels = {"groups": [*self.groups], "strata": [*self.strata]}
        return {key: names for key, names in labels.items() if names}

    def to_jsonl(self) -> bytes:
        """Gzipped JSON lines, a header first. No time stamp inside: equal records make equal bytes."""
        header = {"format": self.format, "rows": len(self), **self._labels}
        lines = [canonicalize_row(header), *map(canonicalize_row, self.rows)]
        return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)

    @classmethod
    def from_jsonl(cls, content: bytes, *, sha256: str | None = None) -> "Records":
        """Read `to_jsonl` back; with `sha256` it must be that content, else DataError."""
        try:
            header, *rows = map(json.loads, unpack_rows(content).splitlines())
            labels = {key: tuple(header.get(key, ())) for key in ("groups", "strata")}
            records = cls(header["format"], tuple(rows), **labels)
        except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error) as error:
            raise DataError(
                f"records: expected what to_jsonl wrote, got other bytes ({error}); fetch the artefact again"
            ) from None
        if len(records) != header["rows"] or sha256 not in (None, records.sha256):
            raise DataError(
                f"records: expected rows with address {sha256}, got {len(records)} rows with {records.sha256}"
            )
        return records


def unpack_rows(content: bytes) -> bytes:
    """Unpack rows of the store, if packed. Raises as gzip, and ValueError for more than MOST_UNPACKED bytes."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    with gzip.GzipFile(fileobj=BytesIO(content)) as file:
        unpacked = file.read(MOST_UNPACKED + 1)
    if len(unpacked) > MOST_UNPACKED:
        raise ValueError(f"expected at most {MOST_UNPACKED:,} bytes, got more, packed in {len(content):,}")
    return unpacked


class FurtherTest(NamedTuple):
    """A further test set of the same trainings, beside the holdout; `whole` is as in `Dataset`."""

    name: str
    records: Records
    whole: Records | None = None
    evaluate: tuple[str, ...] | None = None  # the evaluations that are made on it, by name; None: all that suit it


@dataclass(frozen=True)
class Dataset:
    """The rows for training, for the report (`holdout`) and for choices (`validation`).

    The three share no content. `notes` are sentences about what loading changed.

    For questions, `context` is what the model reads with them in all three, and `whole` has the items of `holdout` with
    all their keys.
    """

    name: str
    source: str
    train: Records
    holdout: Records
    validation: Records | None
    notes: tuple[str, ...]
    whole: Records | None = None
    context: str | None = None
    account: str = ""  # how the rows of the source were divided, for errors about sizes
    tests: tuple[FurtherTest, ...] = ()

    @property
    def parts(self) -> tuple[Records, ...]:
        """All records that a stage may name."""
        held = [part for part in (self.holdout, self.validation, *(test.records for test in self.tests)) if part]
        whole = [part for part in (self.whole, *(test.whole for test in self.tests)) if part]
        return (self.train, *held, *whole, *filter(None, map(self.classify, held)))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The different answers of questions that name no candidates; nothing if they are too many for classes."""
        records = (self.train, self.holdout, self.validation, *(test.records for test in self.tests))
        rows = [row for part in records if part and part.format == "questions" for row in part.rows]
        if any("candidates" in row or len(row["answers"]) != 1 for row in rows):
            return ()
        answers = sorted({row["answers"][0] for row in rows})
        return tuple(answers) if 2 <= len(answers) <= MOST_CLASSES else ()

    def classify(self, records: Records) -> Records | None:
        """Give each question the classes of this data set as its candidates; None if there are none."""
        if not self.classes or records.format != "questions":
            return None
        rows = tuple({**row, "candidates": [*self.classes]} for row in records.rows)
        return replace(records, rows=rows)


_WRITER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)  # making one is slow


def canonicalize_row(value: object) -> bytes:
    """Write JSON with sorted keys, no spaces, in ASCII: the bytes that row digests hash."""
    return b"%d" % value if type(value) is int else _WRITER.encode(value).encode()


def load_json(text: str) -> Any:
    """Load JSON without losing anything. Raises ValueError, also for a repeated key, NaN or a number too big.

    Half of a surrogate pair in a string raises UnicodeEncodeError.
    """
    value = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_once)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _finite(written: str) -> float:
    number = float(written)
    return number if math.isfinite(number) else _no_number(written)


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"expected a JSON number or null, got {constant}")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} is twice in one object")
    return members


def hash_contents(rows: Iterable[Row]) -> list[bytes]:
    """Hash the content of each row, so that rows that differ only in runs of white space are equal."""
    return [hashlib.sha256(canonicalize_row(_normalize_space(row))).digest() for row in rows]


def _normalize_space(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, Mapping):
        return {key: _normalize_space(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_normalize_space(item) for item in value]
    return value
