"""Summarise a sweep in a few lines: progress, cost, best cells so far, failures, and time left. Reads the store."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scheduler.engine.work_left import estimate_seconds_left
from scheduler.state import keys, views
from scheduler.state.answer_inputs import read_answer_inputs
from scheduler.state.runs.incidents import Incidents, read_incidents
from scheduler.state.server.failover import read_books
from scheduler.state.states import BreakerState, StageState, SweepState
from scheduler.state.store import Store
from scheduler.state.training_facts import find_learning_signs
from scheduler.state.views import StageView, SweepView
from scheduler.waiting_reasons import describe_books
from sweeps.analysis.grid_cells import BestCell, best_cell
from sweeps.analysis.targets import describe_cell, list_compared
from sweeps.analysis.told_items import may_be_conditional
from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.formatting import format_count, format_duration, format_usd
from sweeps.report.document import describe_caveats
from sweeps.results import RunResult, summarize_cells
from sweeps.stage import Json

FEW = 3  # best cells, causes of failures, and trainings that may not have learnt, in a digest
LENGTH = 160  # characters of a cause
SOON = 5.0  # seconds: an estimate of less says nothing
OUTSIDE_WINDOW = "outside its window"


class FailureCause(NamedTuple):
    """Why stages failed."""

    cause: str
    stages: int
    label: str  # of one of them


@dataclass(frozen=True)
class Digest:
    """One sweep as it is now. Money is in micro-dollars."""

    sweep: str
    state: str
    stages: int
    succeeded: int
    failed: int
    skipped: int  # because a stage that they need failed
    cancelled: int
    running: int
    not_started: int  # waiting or ready, and not parked
    parked: int  # ready, but a gate keeps them from starting
    parked_by: str  # the gate; empty if there are several
    spent: int
    limit: int | None
    pretend_price: bool  # all of its models are offline models, which cost nothing
    incidents: Incidents
    books: str  # what is wrong with the books of the fleet; empty if nothing is
    conclusion: Conclusion
    best: tuple[str, ...]
    failures: tuple[FailureCause, ...]  # the most frequent causes
    learning: tuple[str, ...]  # trainings that may not have learnt, one sentence each
    seconds_left: float | None  # at the pace so far; None where there is none

    @property
    def text(self) -> str:
        """The digest as lines that fit a phone."""
        limit = "" if self.limit is None else f" of {format_usd(self.limit)}"
        causes = [f"failed: {cause.stages:,} × {_shorten(cause.cause)} ({cause.label})" for cause in self.failures]
        left = [] if self.seconds_left is None else [_describe_left(self.seconds_left)]
        price = " (a pretend price: offline models cost nothing)" if self.pretend_price and self.spent else ""
        spent = f"{format_usd(self.spent)}{limit} spent{price}"
        concluded = [*self.conclusion.sentences, describe_caveats(self.conclusion)]
        known = [] if self.conclusion.claim == "nothing_measured" else filter(None, concluded)
        lines = [*self.best, *causes, *self.incidents.describe(), *self.learning, *left]
        lines += [self.books] if self.books else []
        return "\n".join([*known, self._format_counts(), spent, *lines])

    def _format_counts(self) -> str:
        parked = f"held back ({self.parked_by})" if self.parked_by else "held back"
        stopping = self.state in ("cancelled", "paused") or self.parked_by == OUTSIDE_WINDOW
        others = {
            "failed": self.failed,
            "skipped": self.skipped,
            "cancelled": self.cancelled,
            parked: self.parked,
            "stopping" if stopping else "running": self.running,
            "not started": self.not_started,
        }
        counts = [f"{count:,} {what}" for what, count in others.items() if count]
        return ", ".join([f"{self.succeeded:,} of {self.stages:,} stages done", *counts])


def build_digest(store: Store, name: str, url: str | None = None) -> Digest:
    """Build the digest of a sweep as it is now. Its items lie at `url`; without one they are not read.

    Raises UnknownSweep.
    """
    view, rows = views.read_sweep(store, name), views.read_results(store, name)
    parked, by = _count_parked(store, view)
    count = view.counts.get
    return Digest(
        sweep=name,
        state=view.state,
        stages=view.total,
        succeeded=count(StageState.SUCCEEDED, 0),
        failed=count(StageState.FAILED, 0),
        skipped=count(StageState.SKIPPED, 0),
        cancelled=count(StageState.CANCELLED, 0),
        running=count(StageState.RUNNING, 0) + count(StageState.DISPATCHED, 0),
        not_started=count(StageState.WAITING, 0) + count(StageState.READY, 0) - parked,
        parked=parked,
        parked_by=by,
        spent=view.spent,
        limit=view.limit,
        pretend_price=view.services == ["offline"],
        incidents=read_incidents(store, view),
        conclusion=conclude_sweep(read_answer_inputs(store, view, rows, url)),
        books=describe_books(read_books(store)),
        best=_describe_best_cells(view.spec, rows),
        failures=_list_frequent_causes(store, name) if count(StageState.FAILED) else (),
        learning=tuple(find_learning_signs(store, name).sentences[:FEW]),
        seconds_left=None if by else estimate_seconds_left(store, view),
    )


def _count_parked(store: Store, view: SweepView) -> tuple[int, str]:
    """Count the ready stages that a gate stops; without a gate, those in no queue because they wait after a failure."""
    ready = view.counts.get(StageState.READY, 0)
    if view.state == SweepState.PAUSED:
        return ready, "paused"
    if view.outside:
        return ready, OUTSIDE_WINDOW
    if read_books(store).closed:
        return ready, "the books are closed"
    for service in view.services:
        if (store.client.hget(keys.breaker(service), "state") or BreakerState.CLOSED) != BreakerState.CLOSED:
            return ready, f"{service} is down or refuses the key"
    if ready and view.gate and view.gate != "slots":  # the gate of ended stages stays recorded
        return ready, view.gate
    queued = sum(store.client.zcard(keys.sweep_ready(view.name, lane)) for lane in view.lanes)
    return max(0, ready - queued), ""


def _list_frequent_causes(store: Store, name: str) -> tuple[FailureCause, ...]:
    """List the most frequent causes. Causes that differ only in numbers count as one."""
    alike: dict[str, list[StageView]] = {}
    for stage in views.read_stages(store, name, StageState.FAILED):
        alike.setdefault(re.sub(r"\d[\w.+-]*|\b(nan|inf)\b", "#", stage.cause or ""), []).append(stage)
    frequent = sorted(alike.values(), key=len, reverse=True)[:FEW]
    return tuple(
        FailureCause(stages[0].cause or "no cause recorded", len(stages), stages[0].label) for stages in frequent
    )


def _describe_best_cells(spec: Mapping[str, Json], rows: Sequence[RunResult]) -> tuple[str, ...]:
    """Name the best cell on each data set, as `sweep results` does: losses on different holdouts do not compare.

    The untrained model at size 0 does not compete: its one run could never be clearly worse. Nothing is said where
    cells do not compete at all.
    """
    kind = get_experiment(spec.get("experiment"))
    if kind and not kind.competes:
        return ()
    groups: dict[str, list[RunResult]] = {}
    for row in (row for row in rows if row.cell.get("size") != 0 or row.cell.get("source") is not None):
        on = row.cell.get("target", row.cell.get("data"))
        groups.setdefault("" if on is None else str(on), []).append(row)
    cells = [
        (on, best_cell(group, metric=strip_validation(best.metric), mode=best.mode))
        for best in list_compared(spec, rows)
        if not may_be_conditional(best.metric)  # few items may tell it, and a digest reads no items
        for on, group in groups.items()
    ]
    return tuple([_describe_best_cell(on, cell, groups[on]) for on, cell in cells if cell.best][:FEW])


def _describe_best_cell(on: str, choice: BestCell, rows: Sequence[RunResult]) -> str:
    """Chosen on the validation set if there is one; reported on the holdout if it is measured."""
    (best,) = (summary for summary in summarize_cells(rows) if choice.best and summary.cell == choice.best.cell)
    metric = choice.metric if choice.metric in best.metrics else choice.by
    moments = best.metrics[metric]
    spread = "" if moments.variance is None else f" (sd {moments.variance**0.5:.4f} over the seeds)"
    cell = describe_cell(best.cell, without=("data", "target")) or "the only condition"
    where = f"best on {on}" if on else "best"
    tied = len(choice.alike)
    near = f"; not clearly worse: {_list_alike(choice)}" if tied else ""
    return f"{where}: {cell}: {metric} {moments.mean:.4f}{spread}{near}"


def _list_alike(choice: BestCell) -> str:
    """Name the conditions that are not clearly worse, or count them where they are many."""
    if len(choice.alike) > FEW:
        return format_count(len(choice.alike), "other condition")
    return "; ".join(describe_cell(summary.cell, without=("data", "target")) for summary in choice.alike)


def _describe_left(seconds: float) -> str:
    return "a few seconds left" if seconds < SOON else f"about {format_duration(seconds)} left"


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LENGTH else f"{line[:LENGTH]}…"
