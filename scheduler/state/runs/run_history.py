"""Read how the runs of a sweep went, page by page, for trackers and tables of curves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scheduler.state import keys, views
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import read_points, unpack
from scheduler.state.states import StageState
from scheduler.state.store import Store
from sweeps.report.tracker_runs import RunHistory, TrackedSweep, TrackedTraining
from sweeps.results import RunResult

RUNS = 50  # in a page, with some thousand points of their curves
FIELDS = ("recipe", "steps", "since", "started", "state", "cause")
LOST = (StageState.FAILED, StageState.CANCELLED)  # a skipped stage failed because of another one

Facts = Mapping[str, str]


def read_shared_facts(store: Store, name: str) -> TrackedSweep:
    """Read what all runs of a sweep share. Raise UnknownSweep."""
    view = views.read_sweep(store, name)
    facts = {"experiment": view.spec.get("experiment"), "model": view.spec.get("model"), "user": view.user}
    return TrackedSweep(
        name, store.client.hget(keys.sweep(name), "digest") or "", {k: str(v) for k, v in facts.items() if v}
    )


def follow_runs(store: Store, name: str, rows: Sequence[RunResult]) -> Iterator[RunHistory]:
    """Yield each row of a sweep (`views.read_results`) with its trainings. Read one page at a time."""
    store = open_archive(store, name)
    submitted = views.read_sweep(store, name).submitted
    pairs = list(zip(views.read_planned_rows(store, name), rows, strict=True))
    for start in range(0, len(pairs), RUNS):
        page = pairs[start : start + RUNS]
        stages = list(dict.fromkeys(stage for plan, _ in page for stage in views.list_row_stages(plan)))
        facts, curves = _read(store, stages)
        for plan, row in page:
            yield _make_followed(plan, row, facts, curves, submitted)


def _read(store: Store, stages: Sequence[str]) -> tuple[dict[str, Facts], dict[str, list[dict[str, Any]]]]:
    """Read the facts and the curve of each stage."""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.hmget(keys.stage(stage), FIELDS)
        pipe.get(keys.curve(stage))
    answers = pipe.execute()
    facts: dict[str, Facts] = {
        stage: {name: value or "" for name, value in zip(FIELDS, row, strict=True)}
        for stage, row in zip(stages, answers[::2], strict=True)
    }
    curves = {stage: read_points(text) for stage, text in zip(stages, answers[1::2], strict=True)}
    return facts, curves


def _make_followed(
    plan: Mapping[str, Any],
    row: RunResult,
    facts: Mapping[str, Facts],
    curves: Mapping[str, list[dict[str, Any]]],
    submitted: int,
) -> RunHistory:
    own = [facts[stage] for stage in views.list_row_stages(plan)]
    trained = [stage for stage in (*plan["before"], plan["stage"]) if stage]
    trainings = [
        TrackedTraining(
            stage,
            unpack(facts[stage]["recipe"]),
            int(facts[stage]["steps"] or 0),
            int(facts[stage]["since"] or 0),
            curves[stage],
        )
        for stage in trained
    ]
    return RunHistory(
        number=int(plan["run"]),
        row=row,
        trainings=trainings,
        cause=next((row["cause"] for row in own if row["state"] in LOST), ""),
        began=min((int(row["started"]) for row in own if row["started"]), default=submitted),
        since=max((int(row["since"]) for row in own if row["since"]), default=submitted),
    )
