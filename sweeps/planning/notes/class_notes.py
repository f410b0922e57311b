"""Note what the data lets no classification learn: a class without training rows, a training on one class alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sweeps.evaluation.choice import CHOICE
from sweeps.evaluation.classes import RARE, read_classes
from sweeps.formatting import format_count
from sweeps.planning.measured_places import add_candidates, list_places
from sweeps.records import Dataset, Records
from sweeps.rendering.prompts import read_question
from sweeps.scaling.coded_text import CodedText
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.model import SweepFields
from sweeps.training.data_order import count_group_rows, order_subset

SHOWN = 4  # names in a note
LEARNT = ("questions", "completion")  # formats whose rows say their class


def note_classes(sweep: SweepFields, datasets: Iterable[Dataset]) -> Iterator[str]:
    """Note classes of held-out questions that no training row has, and trainings that see one class alone."""
    asked = next((evaluation for evaluation in sweep.evaluate if evaluation.evaluator is CHOICE), None)
    for dataset in datasets if asked else ():
        if asked and dataset.train.format in LEARNT:
            learnt = _read_learnt(dataset.train)
            tested = _list_tested(dataset, asked)
            yield from _note_unseen(dataset, learnt, tested)
            yield from _note_rare(dataset, tested)
            if any(len(classes) > 1 for _, classes in tested):
                yield from _note_single(sweep, dataset, learnt)


def _read_learnt(records: Records) -> list[frozenset[str]]:
    """Read the right answers of each training row."""
    return [frozenset(read_question(row, records.format)["answers"]) for row in records.rows]


def _list_tested(dataset: Dataset, asked: Evaluation) -> list[tuple[str, Counter[str]]]:
    """List each place that is a classification, with the rows of each class of its questions."""
    tested = []
    for place in list_places(dataset, asked):
        records = add_candidates(dataset, asked, place.records)
        if records.rows and all("candidates" in row for row in records.rows):
            _, there = read_classes(records.rows)
            counts = Counter(answer for row in records.rows for answer in {*row["answers"]} & there)
            tested += [(place.on, counts)] if counts else []
    return tested


def _note_unseen(
    dataset: Dataset, learnt: Sequence[frozenset[str]], tested: Sequence[tuple[str, Counter[str]]]
) -> Iterator[str]:
    seen = frozenset[str]().union(*learnt)
    for on, classes in tested:
        if unseen := sorted({*classes} - seen):
            names = ", ".join(repr(name) for name in unseen[:SHOWN])
            more = f" and {len(unseen) - SHOWN} more" if len(unseen) > SHOWN else ""
            count = "1 class" if len(unseen) == 1 else f"{len(unseen)} classes"
            what = f"{on} has {count} that no training row has"
            yield CodedText("class_unseen", f"data.{dataset.name}: {what}, so nothing teaches it: {names}{more}")


def _note_rare(dataset: Dataset, tested: Sequence[tuple[str, Counter[str]]]) -> Iterator[str]:
    """Note classes of which a place holds out few: what is measured of them rests on a handful of items."""
    for on, counts in tested:
        rare = sorted((count, name) for name, count in counts.items() if count < RARE)
        if rare:
            names = ", ".join(f"{name!r} ({count})" for count, name in rare[:SHOWN])
            more = f" and {len(rare) - SHOWN} more" if len(rare) > SHOWN else ""
            few = f"{on} has fewer than {RARE} rows of {format_count(len(rare), 'class')}: {names}{more}"
            rests = "their F1, and a mean over classes, rest on these rows; hold out more"
            yield CodedText("class_rare", f"data.{dataset.name}: {few}; {rests}")


def _note_single(sweep: SweepFields, dataset: Dataset, learnt: Sequence[frozenset[str]]) -> Iterator[str]:
    """Note the sizes at which some seed trains on one class alone."""
    train, counts = dataset.train, dict[int, int]()
    sizes = {size for size in sweep.all_sizes if size <= train.units} or {train.units}
    for seed in sweep.seed_values:
        order = order_subset(len(train), seed, train.groups)
        for size in sizes:
            rows = count_group_rows(order, train.groups, size) if train.groups else size
            if len(frozenset[str]().union(*(learnt[row] for row in order[:rows]))) == 1:
                counts[size] = counts.get(size, 0) + 1
    for size, count in sorted(counts.items()):
        seeds = f"{count} of {format_count(len(sweep.seed_values), 'seed')}"
        where = "the training rows are" if size == train.units else f"size {size:,} is"
        yield CodedText("one_class_training", f"data.{dataset.name}: {where} of one class alone for {seeds}")
