"""Questions that all have the same candidates are a classification: how well the model tells its classes apart.

F1, balanced accuracy and AUROC are about all items together, so the value of an item is what it contributes
(`sweeps.metrics.classification`): their mean is the metric, with the metric's standard error.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.evaluation.evaluator import Metric, Unmeasurable
from sweeps.evaluation.item_rows import CLASSES, ItemRow
from sweeps.evaluation.metric_prefixes import CLASS_F1
from sweeps.formatting import format_count
from sweeps.metrics import classification
from sweeps.records import MOST_CLASSES, Row

MOST = MOST_CLASSES
TRUE, CHOSEN = "true_class", "chosen_class"  # values of an item: the places of its classes among all
LOG_ODDS = "log_odds_"  # and its log-odds of each class against the others, by the class's place
# why a metric of classes is not defined
ONE_CLASS, CLASS_ABSENT, NO_CLASSES, UNKNOWN_CLASS = "one_class", "class_absent", "no_classes", "unknown_class"
MAJORITY_F1, MAJORITY_BALANCED = "majority_macro_f1", "majority_balanced_accuracy"
RARE = 5  # held-out items of a class, below which what is measured of it rests on a handful of them
CLASS_METRICS = (
    Metric("macro_f1", "higher", law=True, guessed=MAJORITY_F1),
    Metric("balanced_accuracy", "higher", law=True, guessed=MAJORITY_BALANCED),
    Metric("auroc", "higher", law=True, chance=0.5),
    Metric(MAJORITY_F1, fixed=True, detail=True),
    Metric(MAJORITY_BALANCED, fixed=True, detail=True),
)


def find_classes(records: Sequence[Row]) -> list[str]:
    """Find the classes of a classification in which more than one is right for some item; nothing if it is none."""
    classes, there = read_classes(records)
    return classes if len(there) > 1 else []


def read_classes(records: Sequence[Row]) -> tuple[list[str], set[str]]:
    """Read the classes of questions with the same candidates, of which one is right, and those that are right for some.

    Nothing if the questions are no classification.
    """
    sets = {frozenset(row["candidates"]) for row in records}
    if len(sets) != 1:
        return [], set()
    classes = sorted(*sets)
    right = [[text for text in row["candidates"] if text in row["answers"]] for row in records]
    if any(len(texts) != 1 for texts in right) or any(len(row["candidates"]) != len(classes) for row in records):
        return [], set()  # several are right, or one is there twice
    return (classes, {texts[0] for texts in right}) if 2 <= len(classes) <= MOST else ([], set())


def list_undefined(records: Sequence[Row], named: Collection[str]) -> Iterator[Unmeasurable]:
    """List the metrics of classes that these questions do not define; of what is no classification, the named ones."""
    classes, there = read_classes(records)
    names = dict(zip(classes, name_classes(classes), strict=True))
    measured = tuple(metric.name for metric in CLASS_METRICS if not metric.fixed)
    wrong = [name for name in named if name.startswith(CLASS_F1) and name not in names.values()]
    if not classes:
        if wanted := (*(name for name in measured if name in named), *wrong):
            differ = f"its questions do not all have the same 2 to {MOST} candidates, of which one is right"
            yield Unmeasurable(NO_CLASSES, wanted, differ)
        return
    if wrong:
        yield Unmeasurable(UNKNOWN_CLASS, tuple(wrong), f"F1 of its classes is {', '.join(names.values())}")
    if len(there) == 1:
        only = f"all of its {format_count(len(records), 'question')} are of one class, {next(iter(there))!r}"
        yield Unmeasurable(ONE_CLASS, (*measured, *names.values()), only)
    elif absent := [name for name in classes if name not in there]:
        listed = " or ".join(map(repr, absent))
        yield Unmeasurable(
            CLASS_ABSENT, tuple(names[name] for name in absent), f"no question of it is of class {listed}"
        )


def add_classes(rows: Sequence[ItemRow], records: Sequence[Row]) -> Sequence[ItemRow]:
    """Add to each row its true and its chosen class, and what it contributes to each metric of the classification."""
    classes = find_classes(records)
    if not classes:
        return rows
    order = [[row["candidates"].index(name) for name in classes] for row in records]
    scores = np.array([np.asarray(row.details["logprobs"])[places] for row, places in zip(rows, order, strict=True)])
    true = np.array([classes.index(next(t for t in row["candidates"] if t in row["answers"])) for row in records])
    chosen = _choose(scores, true)
    odds = classification.compute_log_odds(scores)
    commonest = np.full(len(true), np.bincount(true).argmax())
    columns: dict[str, npt.ArrayLike | None] = {
        TRUE: true,
        CHOSEN: chosen,
        "macro_f1": classification.split_macro_f1(true, chosen),
        "balanced_accuracy": classification.split_balanced_accuracy(true, chosen),
        "auroc": classification.split_auroc(true, odds),
        **{f"{LOG_ODDS}{number}": odds[:, number] for number in range(len(classes))},
        MAJORITY_F1: classification.split_macro_f1(true, commonest),
        MAJORITY_BALANCED: classification.split_balanced_accuracy(true, commonest),
        **{
            name: classification.split_f1(true, chosen, number)
            for number, name in enumerate(name_classes(classes))
            if number in true
        },
    }
    values = {name: np.asarray(column, float).tolist() for name, column in columns.items() if column is not None}
    details: Mapping[str, Any] = {CLASSES: classes}
    return [
        replace(
            row,
            values={**row.values, **{name: column[place] for name, column in values.items()}},
            details={**row.details, **details} if place == 0 else row.details,
        )
        for place, row in enumerate(rows)
    ]


def name_classes(classes: Sequence[str]) -> list[str]:
    """Name the metric F1 of each class: f1_N of the class "N."; with numbers if two names would be the same."""
    words = [re.sub(r"\W+", "_", text).strip("_") or str(place) for place, text in enumerate(classes)]
    if len({*words}) < len(words):
        words = [f"{place}_{word}" for place, word in enumerate(words)]
    return [f"{CLASS_F1}{word}" for word in words]


def average_classes(rows: Sequence[ItemRow]) -> dict[str, float]:
    """Compute F1 of each class from the rows; nothing if they are no classification."""
    names = [name for name in (rows[0].values if rows else ()) if name.startswith(CLASS_F1)]
    return {name: float(np.mean([row.values[name] for row in rows])) for name in names}


def _choose(scores: npt.NDArray[np.float64], true: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Choose the class with the highest score; if it is shared, a wrong one, as accuracy counts it."""
    least = np.where(np.arange(scores.shape[1]) == true[:, None], np.nextafter(scores, -np.inf), scores)
    return np.asarray(least.argmax(axis=1), np.intp)
