"""Read the facts that trainings keep about themselves. This module writes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.state import keys
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import unpack
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store
from scheduler.state.views import read_planned_rows, read_results
from sweeps.analysis.learning_signs import LearningSign, list_learning_signs
from sweeps.analysis.learning_words import describe_signs
from sweeps.results import RunResult
from sweeps.stage import Json


class TrainingFacts(NamedTuple):
    """The facts of each training that has any, and those of them that still run."""

    facts: Mapping[str, Mapping[str, Any]]
    running: frozenset[str]


def read_training_facts(store: Store, rows: Iterable[RunResult]) -> TrainingFacts:
    """Read the facts of all trainings of these rows: from the result, or from the progress of one that runs.

    A training that was done before facts were kept has none.
    """
    stages = list(dict.fromkeys(stage for row in rows for stage in (*row.before, row.stage) if stage))
    facts: dict[str, Mapping[str, Any]] = {}
    running = set()
    fields = ["state", "result", "progress"]
    answers = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), fields))
    for stage, (state, result, progress) in answers:
        kept = result if state == StageState.SUCCEEDED else progress if state == StageState.RUNNING else None
        if learning := unpack(kept).get("learning"):
            facts[stage] = learning
            running |= {stage} if state == StageState.RUNNING else set()
    return TrainingFacts(facts, frozenset(running))


class LearningSigns(NamedTuple):
    """The signs of a sweep, with all of its conditions, which their sentences are written against."""

    signs: Sequence[LearningSign]
    cells: Sequence[Mapping[str, Json]]

    @property
    def sentences(self) -> list[str]:
        """The signs in words."""
        return describe_signs(self.signs, self.cells)


def find_learning_signs(store: Store, name: str) -> LearningSigns:
    """Find the trainings of a sweep that may not have learnt, as far as its evaluations do not refute it."""
    store = open_archive(store, name)
    planned = [
        RunResult(row["cell"], int(row["seed"]), "", stage=row["stage"], before=tuple(row["before"]))
        for row in read_planned_rows(store, name)
    ]
    cells = [row.cell for row in planned]
    signs = list_learning_signs(planned, *read_training_facts(store, planned))
    if not signs:
        return LearningSigns((), cells)
    from sweeps.analysis.learning_evidence import weigh_signs  # the statistics, which a look at a night does without

    return LearningSigns(weigh_signs(signs, read_results(store, name)), cells)
