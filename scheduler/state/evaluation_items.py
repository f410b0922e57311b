"""Read the items of evaluations from the artefact store, as many as an answer can use in limited time.

If the store is unreachable or a file is missing or broken, only the comparison item by item suffers: a note says what
was not read.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scheduler.artefacts import Artefacts
from scheduler.errors import ArtefactError
from scheduler.state import keys, views
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import unpack
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store
from sweeps.analysis.item_analysis import WantedItems, choose_conditional
from sweeps.analysis.told_items import add_denominators
from sweeps.evaluation.item_rows import ItemRow, read_rows
from sweeps.formatting import format_count
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items, item_key

MOST_VALUES = 480_000  # rows times metrics: some seconds, and about 100 MB for three metrics
MOST_BYTES = 24_000_000  # as stored; episodes keep whole transcripts
IN_A_ROW = 3  # unreadable files, after which the store counts as unreachable

BROKEN = (OSError, EOFError, zlib.error, ValueError)  # errors of a file that is cut off or not ours


@dataclass(frozen=True)
class KeptItems:
    """The rows read, by measure ("answers", "source.nll"); sentences on what was not read; the number of rows."""

    items: Mapping[str, Items]
    unread: tuple[str, ...] = ()
    rows: int = 0


class ItemsFile(NamedTuple):
    """The items of one stage; `rows` as the stage reported them."""

    path: str
    rows: int


@dataclass
class _Reader:
    """Reads files while there is room, and counts what it leaves out."""

    artefacts: Artefacts
    bounded: bool
    rows: dict[str, Sequence[ItemRow]] = field(default_factory=dict)  # by stage
    left: set[str] = field(default_factory=set)  # stages without room
    broken: list[str] = field(default_factory=list)  # paths
    values: int = 0
    bytes: int = 0
    failing: int = 0

    def read(self, stage: str, file: ItemsFile, metrics: int) -> None:
        """Read the file of a stage, if it is within the limits and not read yet."""
        if stage in self.rows or stage in self.left or file.path in self.broken:
            return
        if self.failing >= IN_A_ROW:
            self.broken.append(file.path)
            return
        if self.bounded and (self.values + file.rows * metrics > MOST_VALUES or self.bytes > MOST_BYTES):
            self.left.add(stage)
            return
        try:
            content = self.artefacts.read(file.path)
        except ArtefactError:
            self.broken.append(file.path)
            self.failing += 1
            return
        self.failing = 0
        self.bytes += len(content)
        try:
            rows = read_rows(content, details=not self.bounded)
            if len(rows) != file.rows:
                raise EOFError(f"expected {file.rows} rows, got {len(rows)}")
        except BROKEN:
            self.broken.append(file.path)
            return
        self.rows[stage] = rows
        self.values += len(rows) * metrics

    def describe_unread(self) -> Iterator[str]:
        every = len(self.rows) + len(self.left) + len(self.broken)
        if self.left:
            yield (
                f"of {format_count(every, 'evaluation')} the items of {len(self.left):,} were not read, for time: "
                "comparisons item by item use the others (`scheduler.notebook.items` reads all)"
            )
        if self.broken:
            yield (
                f"of {format_count(every, 'evaluation')} the items of {len(self.broken):,} could not be read "
                f"({self.broken[0]}): comparisons item by item leave them out; `sweep doctor` checks the store"
            )


def read_items(
    store: Store, url: str, name: str, wanted: Mapping[str, WantedItems], *, bounded: bool = True
) -> KeptItems:
    """Read the wanted items of a sweep, by measure, from the artefact store at `url`.

    Read the first seed of every cell first, then the second: without room for all, cells are still compared over the
    same seeds. Without a bound, read all rows completely; with one, only their numbers.
    """
    store = open_archive(store, name)
    if not wanted:
        return KeptItems({})
    planned = views.read_planned_rows(store, name)
    asked = [
        (measure, *stage)
        for measure, keys_of_items in wanted.items()
        for stage in _list_stages(planned, measure, keys_of_items)
    ]
    files = find_items_files(store, list(dict.fromkeys(stage for _, _, stage in asked)))
    try:
        reader = _Reader(Artefacts(url), bounded)
    except ArtefactError:
        return KeptItems({}, ("the artefact store is not usable, so there is no comparison item by item",))
    for measure, _, stage in asked:
        if stage in files:
            reader.read(stage, files[stage], len(wanted[measure].metrics))
    rows: dict[str, dict[ItemKey, Sequence[ItemRow]]] = {measure: {} for measure in wanted}
    for measure, key, stage in asked:
        if stage in reader.rows:
            rows[measure][key] = reader.rows[stage]
    return KeptItems(
        {measure: items for measure, items in rows.items() if items},
        tuple(reader.describe_unread()),
        sum(map(len, reader.rows.values())),
    )


class ToldResults(NamedTuple):
    """The results of a sweep, and sentences on the items that could not be read."""

    rows: list[RunResult]
    unread: tuple[str, ...]


def read_told_results(store: Store, url: str, name: str) -> ToldResults:
    """Read the results of a sweep; what not all items of a run tell has how many do beside it, as METRIC.items.

    Where items are not read, METRIC.items is missing.
    """
    store = open_archive(store, name)
    rows = views.read_results(store, name)
    kept = read_items(store, url, name, choose_conditional(rows))
    return ToldResults(add_denominators(rows, kept.items), kept.unread)


def _list_stages(planned: Sequence[Mapping[str, Any]], measure: str, wanted: WantedItems) -> list[tuple[ItemKey, str]]:
    """List the stage that measures each run, the first seed of every cell first."""
    seen: dict[bytes, int] = {}
    places = []
    for row in planned:
        key = item_key(row["cell"], row["seed"])
        if measure in row["measures"] and (wanted.runs is None or key in wanted.runs):
            seen[key[0]] = seen.get(key[0], 0) + 1
            places.append((seen[key[0]], (key, str(row["measures"][measure]))))
    return [place for _, place in sorted(places, key=lambda pair: pair[0])]


def find_items_files(store: Store, stages: Sequence[str]) -> dict[str, ItemsFile]:
    """Find the item files of the stages that succeeded."""
    item_files = {}
    for stage, (state, text) in _read_stage_results(store, stages):
        result: Mapping[str, Json] = unpack(text) if state == StageState.SUCCEEDED else {}
        if result.get("items"):
            item_files[stage] = ItemsFile(str(result["items"]), int(str(result.get("count") or 0)))
    return item_files


def _read_stage_results(store: Store, stages: Sequence[str]) -> Iterable[tuple[str, Sequence[str | None]]]:
    return read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), ["state", "result"]))
