"""Split the metrics of a classification by the items of a part, such as a stratum: each is computed from its classes.

What an item contributes among all items says nothing about a part of them. So the contributions are computed again
from the true and chosen classes of the part, and from the log-odds of each class for AUROC. Their mean is the metric
of the part, with its standard error.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from sweeps.evaluation.classes import CHOSEN, LOG_ODDS, TRUE, name_classes
from sweeps.evaluation.item_rows import CLASSES, ItemRow
from sweeps.evaluation.metric_prefixes import CLASS_F1
from sweeps.metrics import classification
from sweeps.metrics.classification import Floats

AUROC = "auroc"
SPLITS: dict[str, Callable[[list[int], list[int]], Floats]] = {
    "macro_f1": classification.split_macro_f1,
    "balanced_accuracy": classification.split_balanced_accuracy,
}


def is_of_classes(name: str) -> bool:
    """Say whether a metric is about the classes of all items together."""
    return name in SPLITS or name == AUROC or name.startswith(CLASS_F1)


def share_classes(rows: Sequence[ItemRow]) -> Sequence[ItemRow]:
    """Give every row of a run the classes that its first row names, so that a part of the rows knows them."""
    classes = rows[0].details.get(CLASSES) if rows else None
    if not isinstance(classes, list):
        return rows
    return [replace(row, details={**row.details, CLASSES: classes}) for row in rows]


def split_rows(rows: Sequence[ItemRow], name: str) -> list[ItemRow]:
    """Return the classified rows of a part with what each contributes to one metric; none where it is not defined."""
    judged = [row for row in rows if TRUE in row.values and CHOSEN in row.values]
    values = _split(judged, name) if judged else None
    if values is None:
        return []
    return [replace(row, values={name: value}) for row, value in zip(judged, values.tolist(), strict=True)]


def count_classes(rows: Sequence[ItemRow]) -> dict[int, int]:
    """Count the items of each true class."""
    true = [int(row.values[TRUE]) for row in rows if TRUE in row.values]
    return {number: true.count(number) for number in sorted({*true})}


def _split(rows: Sequence[ItemRow], name: str) -> Floats | None:
    true, chosen = ([int(row.values[key]) for row in rows] for key in (TRUE, CHOSEN))
    if name in SPLITS:
        return SPLITS[name](true, chosen)
    if name == AUROC:
        odds = _read_log_odds(rows)
        return None if odds is None else classification.split_auroc(true, odds)
    number = _find_class(rows, name)
    return classification.split_f1(true, chosen, number) if number in true else None


def _find_class(rows: Sequence[ItemRow], name: str) -> int:
    """Find the class whose F1 has this name; -1 if no class has."""
    classes = rows[0].details.get(CLASSES)
    names = name_classes([str(text) for text in classes]) if isinstance(classes, list) else []
    return names.index(name) if name in names else -1


def _read_log_odds(rows: Sequence[ItemRow]) -> Floats | None:
    """Read the log-odds (items, classes); None if an earlier version measured the rows, and did not keep them."""
    keys = [key for key in rows[0].values if key.startswith(LOG_ODDS)]
    if not keys or not all(key in row.values for row in rows for key in keys):
        return None
    return np.array([[row.values[key] for key in keys] for row in rows])
