"""Where an evaluation is made: on the holdout, on further test sets, and what is left out because it does not fit.

An evaluation that does not fit a data set is left out there, and the plan and the results say so. One that fits none
is a mistake.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sweeps.errors import PlanError
from sweeps.evaluation.choice import CHOICE
from sweeps.evaluation.preference import PREFERENCE
from sweeps.evaluation.registry import find_measure
from sweeps.records import Dataset, Records
from sweeps.spec.evaluation_section import Evaluation
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import show
from sweeps.stage import LeftOut, Run

PAIRS = PREFERENCE.formats
FEW = 3  # reasons that an error names
SHOWN = 20  # characters of a candidate in a note


class Place(NamedTuple):
    """Records that an evaluation reads, their name for people, and what stands before its metrics."""

    prefix: str
    on: str
    records: Records
    where: str  # for errors: data.x (x.jsonl)


def list_places(dataset: Dataset, evaluation: Evaluation) -> list[Place]:
    """List the holdout of a data set and the further test sets on which an evaluation is asked for, suited or not."""
    where = f"data.{dataset.name} ({dataset.source})"
    places = [Place("", dataset.name, select_records(dataset, evaluation), where)]
    asked = [test for test in dataset.tests if test.evaluate is None or evaluation.title in test.evaluate]
    for test in asked:
        whole = test.whole if evaluation.evaluator.reads_whole_context else None
        place = f"data.{dataset.name}.tests.{test.name}"
        places.append(Place(f"{test.name}.", f"{dataset.name} {test.name}", whole or test.records, place))
    return [place._replace(records=add_candidates(dataset, evaluation, place.records)) for place in places]


def add_candidates(dataset: Dataset, evaluation: Evaluation, records: Records) -> Records:
    """Let a choice be among the different answers of the data set, where its questions name no candidates."""
    classified = dataset.classify(records) if evaluation.evaluator is CHOICE else None
    return classified or records


def select_records(dataset: Dataset, evaluation: Evaluation) -> Records:
    """Select what an evaluation is about; one that varies the context needs more of it than training reads."""
    whole = dataset.whole if evaluation.evaluator.reads_whole_context else None
    return whole or dataset.holdout


@dataclass
class MeasuredPlaces:
    """Decides which places suit which evaluations, and remembers what it left out.

    `named` are the metrics that the file names, without what stands before them.
    """

    named: Collection[str] = ()
    suited: set[str] = field(default_factory=set)  # evaluations that are made somewhere
    left_out: dict[tuple[str, str], LeftOut] = field(default_factory=dict)  # by evaluation and place
    errors: dict[str, list[str]] = field(default_factory=dict)  # by evaluation: why, as an error says it
    made: dict[str, set[str]] = field(default_factory=dict)  # by measure: the data that it is made on
    undefined: dict[tuple[str, ...], LeftOut] = field(default_factory=dict)  # metrics that the data cannot give
    known: dict[tuple[str, str], str] = field(default_factory=dict)  # by evaluation and records: what they lack

    def suits(self, evaluation: Evaluation, place: Place) -> bool:
        """Say whether the records suit the evaluation; if not, remember why."""
        title, records = evaluation.title, place.records
        key = title, records.sha256
        if key not in self.known:
            self.known[key] = _find_reason(evaluation, records)
        if not (reason := self.known[key]):
            self.suited.add(title)
            self.list_undefined(evaluation, place)
            return True
        if (title, place.on) not in self.left_out:
            self.left_out[title, place.on] = LeftOut(title, place.on, reason)
            self.errors.setdefault(title, []).append(_write_error(evaluation, place))
        return False

    def list_undefined(self, evaluation: Evaluation, place: Place) -> None:
        """Remember where an evaluation is made, and which of its metrics the records there cannot give."""
        measure, prefix = f"{place.prefix}{evaluation.measure}", f"{place.prefix}{evaluation.prefix}"
        places = self.made.setdefault(measure, set())
        if place.on in places:
            return
        places.add(place.on)
        for lost in evaluation.evaluator.list_unmeasurable(place.records, self.named):
            names = tuple(f"{prefix}{name}" for name in lost.metrics)
            omission = LeftOut(evaluation.title, place.on, lost.reason, lost.code, names)
            self.undefined[measure, place.on, lost.code] = omission

    def is_undefined(self, metric: str, data: str | None = None) -> bool:
        """Say whether a metric that is measured is given by none of the data, or not by that of this name."""
        places = {on for on in self.made.get(str(find_measure(metric)), ()) if data in (None, on.partition(" ")[0])}
        lost = {omission.on for omission in self.undefined.values() if metric in omission.metrics}
        return bool(places) and places <= lost

    def refuse_unmeasured(self, runs: Iterable[Run]) -> None:
        """Raise PlanError for an evaluation that fits no data set, and for a run of which nothing is measured."""
        for title, errors in self.errors.items():
            if title not in self.suited:
                more = f"\nand {len(errors) - FEW} more" if len(errors) > FEW else ""
                raise PlanError("\n".join(errors[:FEW]) + more)
        for run in runs:
            if not run.measures:
                reasons = "; ".join(evaluation.describe() for evaluation in self.left_out.values())
                nothing = f"nothing would be measured of the run {show(run.cell)}"
                raise PlanError(f"{nothing}: {reasons}; add an evaluation that fits, such as nll")

    def list_left_out(self) -> tuple[LeftOut, ...]:
        """List what is not measured, in the order in which it was asked for."""
        return (*self.left_out.values(), *self.undefined.values())


def _find_reason(evaluation: Evaluation, records: Records) -> str:
    """Say what the records lack for an evaluation, or nothing."""
    evaluator = evaluation.evaluator
    if records.format not in evaluator.formats:
        return f"it expects {evaluator.data}, got {records.format} records"
    missing = evaluator.find_missing(records, evaluation.options)
    return f"its questions have no {missing}" if missing else ""


def _write_error(evaluation: Evaluation, place: Place) -> str:
    form, evaluator = place.records.format, evaluation.evaluator
    if form not in evaluator.formats:
        pairs = "; pairs go with `evaluate: [preference]`" if form in PAIRS else ""
        asked = f"expected {evaluator.data} for `evaluate: {evaluation.title}`"
        return f"{place.where}: {asked}, got {form} records{pairs}"
    missing = evaluator.find_missing(place.records, evaluation.options)
    return f"{place.where}: the held-out questions have no {missing}; `evaluate: {evaluation.title}` needs them"


def note_candidates(sweep: SweepFields, datasets: Iterable[Dataset]) -> Iterator[str]:
    """Note the candidates of a choice where the questions name none."""
    names = ", ".join(asked.title for asked in sweep.evaluate if asked.evaluator is CHOICE)
    for dataset in datasets if names else ():
        if dataset.classes:
            listed = ", ".join(repr(text[:SHOWN]) for text in dataset.classes)
            count = f"{len(dataset.classes)} different answers"
            yield f"data.{dataset.name}: {names}: the candidates are its {count}: {listed}"
