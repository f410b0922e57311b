"""The rows that evaluations keep of their items: one type, and the only module that writes and reads their files.

A file `items.jsonl.gz` holds one JSON object for each item, or for each attempt at it. The keys `item`, `cluster` and
`stratum` say which item it is, what it shares with others, and of which kind it is; a number under any other key is a
value, all else a detail.
"""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from sweeps.records import unpack_rows
from sweeps.stage import Json

ItemId = int | float | str
COMMONEST = "commonest"  # a detail of the first row: the right answer that most items share
CLASSES = "classes"  # a detail of the first row: the classes of a classification, in their order
SUMMED_UP = (COMMONEST, CLASSES)  # details that are about all items, which are always read
HASH_DIGITS = 16  # of a passage, by which its questions are known


@dataclass(frozen=True, slots=True)
class ItemRow:
    """What one item of an evaluation says: numbers for the statistics, and details for people."""

    item: ItemId
    values: Mapping[str, float]  # by metric, and what a metric is computed from: nll and tokens, confidence and right
    cluster: ItemId | None = None  # what the item shares with others, such as its passage; None: nothing
    details: Mapping[str, Json] = field(default_factory=dict)  # texts, lists: what was asked, said or played
    stratum: str | None = None  # of which kind the item is, such as a device

    @property
    def group(self) -> ItemId:
        """The cluster of the item; an item without one is its own."""
        return self.item if self.cluster is None else self.cluster

    def to_json(self) -> dict[str, Json]:
        """The row as it is on disk."""
        labels: dict[str, Json] = {} if self.cluster is None else {"cluster": self.cluster}
        labels |= {} if self.stratum is None else {"stratum": self.stratum}
        return {**self.details, **self.values, "item": self.item, **labels}

    @classmethod
    def from_json(cls, row: Any, *, details: bool = True) -> "ItemRow":
        """Read `to_json` back; without `details` only its numbers. Raises ValueError for anything that is no row."""
        if not isinstance(row, Mapping) or not isinstance(row.get("item"), ItemId):
            raise ValueError(f"expected an object with an item (a number or text), got {str(row)[:40]!r}")  # noqa: TRY004
        cluster, stratum = row.get("cluster"), row.get("stratum")
        rest = {key: row[key] for key in row if key not in ("item", "cluster", "stratum")}
        if not isinstance(cluster, ItemId | None):
            raise ValueError(f"item {row['item']}: expected a number or text as cluster, got {str(cluster)[:40]}")  # noqa: TRY004
        values = {key: value + 0 for key, value in rest.items() if isinstance(value, int | float)}  # True + 0 is 1
        texts = {key: value for key, value in rest.items() if key not in values and (details or key in SUMMED_UP)}
        return cls(row["item"], values, cluster, texts, None if stratum is None else str(stratum))


def write_rows(rows: Iterable[ItemRow]) -> bytes:
    """The content of an items file; the same rows give the same bytes."""
    lines = "".join(json.dumps(row.to_json()) + "\n" for row in rows)
    return gzip.compress(lines.encode(), compresslevel=5, mtime=0)


def read_rows(content: bytes, *, details: bool = True) -> list[ItemRow]:
    """Read an items file, compressed or not. Raises ValueError, EOFError, OSError or zlib.error for a broken one."""
    return [ItemRow.from_json(json.loads(line), details=details) for line in unpack_rows(content).splitlines()]


def label_rows(
    rows: Iterable[ItemRow], places: Sequence[int], groups: Sequence[str], strata: Sequence[str]
) -> list[ItemRow]:
    """Give each row the group of its record as its cluster, and its stratum; `places` says where its record is.

    A group that the data names is wider than a passage, and replaces it.
    """
    labelled = []
    for row in rows:
        place = places[int(row.item)]
        cluster = groups[place] if groups else row.cluster
        labelled.append(replace(row, cluster=cluster, stratum=strata[place] if strata else None))
    return labelled


def cluster_by_passage(passages: Sequence[str | None]) -> list[str | None]:
    """The cluster of each question: a hash of its passage where another question has the same passage, else None."""
    shared = {passage for passage, count in Counter(passages).items() if count > 1 and passage is not None}
    return [
        sha256(passage.encode()).hexdigest()[:HASH_DIGITS] if passage is not None and passage in shared else None
        for passage in passages
    ]
