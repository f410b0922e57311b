"""Read records from the artefact store and render them as examples, once for all threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from scheduler.artefacts import Artefacts, locate_records
from scheduler.plugins.tokenizers import load_recipe_tokenizer
from sweeps.records import Records
from sweeps.rendering.render import Example, LossMask, render_rows
from sweeps.rendering.renderers import Renderer, load_renderer
from sweeps.stage import Json
from sweeps.training.data_order import order_subset

RenderedRows = list[tuple[Example, ...]]  # the examples of each record: one, two of a pair, or one per answer of a chat
KEPT = 24  # rendered data sets kept in memory: a sweep has few, and its stages come in order


def flatten(rows: Iterable[Sequence[Example]]) -> list[Example]:
    """Return the examples of all rows as one list."""
    return [example for row in rows for example in row]


class Examples:
    """Rendered examples by content; threads that need the same set wait for one rendering."""

    def __init__(self, artefacts: Artefacts) -> None:
        self._artefacts = artefacts
        self._lock = threading.Lock()
        self._labelled: set[str] = set()
        self._kept: OrderedDict[tuple[Any, ...], _Once] = OrderedDict()

    def render(self, sha256: str, recipe: Mapping[str, Json]) -> RenderedRows:
        """Return the records with this address, rendered as the recipe says. Raises ArtefactError or DataError."""
        return self._find(sha256, recipe).rows

    def _find(self, sha256: str, recipe: Mapping[str, Json]) -> "_Rendered":
        key = (sha256, recipe["model"], recipe["tokenizer"], recipe["renderer"], recipe["loss_mask"])
        return self._find_slot(key, lambda: self._render(sha256, recipe)).value()

    def render_items(self, recipe: Mapping[str, Any]) -> RenderedRows:
        """Return the items of an evaluation: all, or the part that a training of that size sees, in its order."""
        rows = self.render(recipe["items"], recipe)
        part = recipe.get("part")
        if part is None:
            return rows
        return [rows[place] for place in self.order(recipe["items"], recipe, part["seed"])[: part["size"]]]

    def order(self, sha256: str, recipe: Mapping[str, Json], seed: int) -> list[int]:
        """Return the order of the records from which a training of this seed takes its first ones."""
        rendered = self._find(sha256, recipe)
        places: list[int] = order_subset(len(rendered.rows), seed, rendered.groups).tolist()
        return places

    def read_records(self, sha256: str) -> Records:
        """Read the records with this address."""
        records = Records.from_jsonl(self._artefacts.read(locate_records(sha256)), sha256=sha256)
        if records.groups or records.strata:
            self._labelled.add(sha256)
        return records

    def are_labelled(self, sha256: str) -> bool:
        """Whether records that were read here have groups or strata."""
        return sha256 in self._labelled

    def open_renderer(self, recipe: Mapping[str, Json]) -> Renderer:
        """Load the renderer of a recipe, with its tokenizer. Raises DataError, ServiceRefused and ArtefactError."""
        return load_renderer(str(recipe["renderer"]), load_recipe_tokenizer(recipe, self._artefacts))

    def _render(self, sha256: str, recipe: Mapping[str, Json]) -> "_Rendered":
        tokenizer = load_recipe_tokenizer(recipe, self._artefacts)
        mask = cast(LossMask, recipe["loss_mask"])
        records = self.read_records(sha256)
        rows = render_rows(records, tokenizer, renderer=str(recipe["renderer"]), loss_mask=mask)
        return _Rendered(rows, records.groups)

    def _find_slot(self, key: tuple[Any, ...], make: Callable[[], "_Rendered"]) -> "_Once":
        with self._lock:
            once = self._kept.setdefault(key, _Once(make))
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return once


class _Rendered(NamedTuple):
    """Rendered rows, and the group of each if there are groups."""

    rows: RenderedRows
    groups: tuple[str, ...]


class _Once:
    """A value that the first caller computes. A failure is not kept: the next caller tries again."""

    def __init__(self, make: Callable[[], _Rendered]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: _Rendered | None = None

    def value(self) -> _Rendered:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value
