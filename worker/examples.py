"""Read records from the artefact store and render them as examples, once for all threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

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
        self._kept: OrderedDict[tuple[Any, ...], _Once] = OrderedDict()

    def render(self, sha256: str, recipe: Mapping[str, Json]) -> RenderedRows:
        """Return the records with this address, rendered as the recipe says. Raises ArtefactError or DataError."""
        key = (sha256, recipe["model"], recipe["tokenizer"], recipe["renderer"], recipe["loss_mask"])
        return self._find_slot(key, lambda: self._render(sha256, recipe)).value()

    def render_items(self, recipe: Mapping[str, Any]) -> RenderedRows:
        """Return the items of an evaluation: all, or the part that a training of that size sees, in its order."""
        rows = self.render(recipe["items"], recipe)
        part = recipe.get("part")
        if part is None:
            return rows
        return [rows[place] for place in order_subset(len(rows), part["seed"])[: part["size"]].tolist()]

    def read_records(self, sha256: str) -> Records:
        """Read the records with this address."""
        return Records.from_jsonl(self._artefacts.read(locate_records(sha256)), sha256=sha256)

    def open_renderer(self, recipe: Mapping[str, Json]) -> Renderer:
        """Load the renderer of a recipe, with its tokenizer. Raises DataError, ServiceRefused and ArtefactError."""
        return load_renderer(str(recipe["renderer"]), load_recipe_tokenizer(recipe, self._artefacts))

    def _render(self, sha256: str, recipe: Mapping[str, Json]) -> RenderedRows:
        tokenizer = load_recipe_tokenizer(recipe, self._artefacts)
        mask = cast(LossMask, recipe["loss_mask"])
        return render_rows(self.read_records(sha256), tokenizer, renderer=str(recipe["renderer"]), loss_mask=mask)

    def _find_slot(self, key: tuple[Any, ...], make: Callable[[], RenderedRows]) -> "_Once":
        with self._lock:
            once = self._kept.setdefault(key, _Once(make))
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return once


class _Once:
    """A value that the first caller computes. A failure is not kept: the next caller tries again."""

    def __init__(self, make: Callable[[], RenderedRows]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: RenderedRows | None = None

    def value(self) -> RenderedRows:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value
