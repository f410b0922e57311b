"""Which class a model chose for items of which class, cell by cell: the confusion matrices of a classification."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.analysis.targets import name_cells
from sweeps.evaluation.classes import CHOSEN, RARE, TRUE, name_classes
from sweeps.evaluation.item_rows import CLASSES, ItemRow
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.metrics.classification import count_confusions
from sweeps.results import RunResult, group_by_cell, keep_measured
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

OF_ALL = ("macro_f1", "balanced_accuracy")  # means over the classes, in which a rare one weighs as much as any
SHOWN = 3  # rare classes in a caveat


@dataclass(frozen=True)
class ConfusionCell:
    """The items of one cell over all its seeds, counted by true class (rows) and chosen class (columns)."""

    measure: str
    cell: Mapping[str, Json]
    name: str  # the cell, as far as it differs from the others
    seeds: int
    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def precision(self) -> tuple[float | None, ...]:
        """Of what was given each class, the share that is of it; None where nothing was."""
        return self._divide(axis=0)

    @property
    def recall(self) -> tuple[float | None, ...]:
        """Of what is of each class, the share that was given it; None where nothing is."""
        return self._divide(axis=1)

    def _divide(self, axis: int) -> tuple[float | None, ...]:
        counts = np.array(self.counts)
        sums = counts.sum(axis=axis).tolist()
        return tuple(
            right / every if every else None for right, every in zip(np.diag(counts).tolist(), sums, strict=True)
        )


def list_confusions(rows: Sequence[RunResult], items: Mapping[str, Items]) -> list[ConfusionCell]:
    """List the cells whose items are a classification, in the order of the rows."""
    confusions: list[ConfusionCell] = []
    for measure, kept in items.items():
        cells = []
        for cell, runs in group_by_cell(keep_measured(rows)):
            read = [known for run in runs if (known := kept.get(item_key(cell, run.seed)))]
            classified = [rows for rows in read if _read_classes(rows)]
            if classified and len({_read_classes(rows) for rows in classified}) == 1:
                cells.append((cell, len(classified), _read_classes(classified[0]), sum(map(_count_run, classified))))
        names = name_cells([cell for cell, *_ in cells])
        confusions += [
            ConfusionCell(measure, cell, name, seeds, classes, tuple(map(tuple, np.asarray(counts).tolist())))
            for name, (cell, seeds, classes, counts) in zip(names, cells, strict=True)
        ]
    return confusions


def list_rare_classes(metric: str, items: Items) -> list[str]:
    """Name the classes that a metric of classes is about and of which fewer than `RARE` items are, with their counts.

    `items` are those of the metric's measure; all runs were asked the same ones.
    """
    rows = next((rows for rows in items.values() if _read_classes(rows)), ())
    base, classes = get_base_name(metric), _read_classes(rows)
    counts = Counter(int(row.values[TRUE]) for row in rows)
    names = dict(zip(name_classes(classes), classes, strict=True))
    about = {names[base]} if base in names else {*classes} if base in OF_ALL else set()
    rare = [(counts[place], name) for place, name in enumerate(classes) if name in about and 0 < counts[place] < RARE]
    named = [f"{name} ({count})" for count, name in sorted(rare)]
    return [*named[:SHOWN], f"{len(named) - SHOWN} more"] if len(named) > SHOWN + 1 else named


def _read_classes(rows: Sequence[ItemRow]) -> tuple[str, ...]:
    """Read the classes of a run; none if it is no classification, or an earlier version measured it."""
    classes = rows[0].details.get(CLASSES) if rows else None
    return tuple(map(str, classes)) if isinstance(classes, list) else ()


def _count_run(rows: Sequence[ItemRow]) -> np.ndarray:
    true, chosen = ([int(row.values[name]) for row in rows] for name in (TRUE, CHOSEN))
    return count_confusions(true, chosen, len(_read_classes(rows)))
