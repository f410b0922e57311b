"""Read sweeps, runs and stages for people and reports. This module writes nothing."""

import difflib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.errors import UnknownSweep
from scheduler.state import keys
from scheduler.state.keeping.archive import open_archive
from scheduler.state.keeping.packing import unpack
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import Store
from sweeps.results import RunResult
from sweeps.stage import Json, LeftOut

ASKED = 100  # stages that wait for their next try, of which the cause is read
NUMBER = re.compile(r"\d+(\.\d+)?")
NAMED = 10  # sweeps that the error about an unknown one names


@dataclass(frozen=True)
class SweepView:
    """One sweep."""

    name: str
    state: str
    submitted: int  # milliseconds since 1970
    since: int  # when it came to its state
    user: str
    counts: Mapping[str, int]  # stages by state, as of the last tick
    total: int  # stages
    spent: int  # micro-dollars, as are the next three
    reserved: int
    unreconciled: int
    limit: int | None
    tokens: int
    gate: str | None  # why its ready stages wait, if a gate is closed
    why: str  # the reason of its cancellation; '' if a person cancelled it
    lanes: Sequence[str]
    slots: int  # that it may use at a time; 0: no limit
    inflight: int  # stages under way at its cost
    outside: int | None  # since when it is outside its window; milliseconds
    hours: str  # its window, for people
    turn: int | None  # when its window opens or closes next, or its deadline passes
    delayed: int  # stages that wait before their next try
    again: int | None  # when the first of these tries is; milliseconds
    spec: Mapping[str, Json]
    retries: Sequence[tuple[str, int]] = ()  # why they wait for it, and how many of the first hundred
    left_out: Sequence[LeftOut] = ()  # evaluations that do not fit some of its data
    rounds_wait: str = ""  # why nobody can decide which round follows

    @property
    def services(self) -> list[str]:
        """The services of its stages."""
        return sorted({lane.partition("/")[0] for lane in self.lanes})

    @property
    def ended(self) -> int:
        """How many stages have ended."""
        return sum(self.counts.get(state, 0) for state in ("succeeded", "failed", "cancelled", "skipped"))


@dataclass(frozen=True)
class StageView:
    """One stage."""

    id: str
    label: str
    state: str
    attempt: int
    worker: str
    since: int
    steps: int
    progress: Mapping[str, Json]
    cause: str | None
    tokens: int
    micro_usd: int


def read_sweeps(store: Store) -> list[SweepView]:
    """Read every sweep, newest first."""
    names = store.client.zrange(keys.SWEEPS, 0, -1, desc=True)
    return [read_sweep(store, name) for name in names]


def read_sweep(store: Store, name: str) -> SweepView:
    """Read one sweep. Raise UnknownSweep."""
    pipe = store.client.pipeline(transaction=False)
    pipe.hgetall(keys.sweep(name))
    pipe.hgetall(keys.sweep_counts(name))
    pipe.zcard(keys.sweep_stages(name))
    pipe.zscore(keys.WINDOWS, name)
    # Only ready stages count: an old backoff of a stage that moved on means nothing.
    held = {keys.DELAYED: 1, keys.state(StageState.READY): 0, keys.sweep_stages(name): 0}
    pipe.zinter(held, withscores=True)
    row, counts, total, turn, delayed = pipe.execute()
    if not row:
        raise name_unknown_sweep(store, name)
    return SweepView(
        name=name,
        state=row["state"],
        submitted=int(row["submitted"]),
        since=int(row["since"]),
        user=row.get("user", ""),
        counts={state: int(count) for state, count in counts.items() if int(count)},
        total=total or int(row.get("total", 0)),
        spent=int(row.get("spent", 0)),
        reserved=int(row.get("reserved", 0)),
        unreconciled=int(row.get("unreconciled", 0)),
        limit=int(row["limit"]) if row.get("limit") else None,
        tokens=int(row.get("tokens", 0)),
        gate=row.get("gate"),
        why=row.get("why", ""),
        lanes=row.get("lanes", "").split(),
        slots=int(row.get("slots") or 0),
        inflight=int(row.get("inflight") or 0),
        outside=int(row["outside"]) if "outside" in row else None,
        hours=row.get("hours", ""),
        turn=None if turn is None else int(turn),
        delayed=len(delayed),
        again=min((int(until) for _, until in delayed), default=None),
        spec=json.loads(row.get("spec", "{}")),
        retries=_count_retry_causes(store, [stage for stage, _ in delayed[:ASKED]]) if delayed else (),
        left_out=[LeftOut(**evaluation) for evaluation in json.loads(row.get("left_out", "[]"))],
        rounds_wait=row.get("rounds_wait", ""),
    )


def _count_retry_causes(store: Store, stages: Sequence[str]) -> list[tuple[str, int]]:
    """Count why these stages are tried again, the most frequent cause first. What differs in numbers only is one."""
    pipe = store.client.pipeline(transaction=False)
    for stage in stages:
        pipe.hget(keys.stage(stage), "cause")
    causes = [cause for cause in pipe.execute() if cause]
    shown = {NUMBER.sub("", cause): cause for cause in reversed(causes)}
    counts = Counter(NUMBER.sub("", cause) for cause in causes)
    return [(shown[cause], count) for cause, count in counts.most_common()]


def name_unknown_sweep(store: Store, name: str) -> UnknownSweep:
    """Return the error for a name that no sweep has: with the name that was probably meant, or the newest sweeps."""
    known = store.client.zrange(keys.SWEEPS, 0, -1, desc=True)
    if not known:
        return UnknownSweep(f"there is no sweep {name!r}; no sweep was submitted here yet")
    near = difflib.get_close_matches(name, known, n=1) or [sweep for sweep in known if sweep.startswith(name)][:1]
    if near:
        return UnknownSweep(f"there is no sweep {name!r}; did you mean {near[0]!r}? `sweep list` shows all sweeps")
    more = "; `sweep list` shows all" if len(known) > NAMED else ""
    return UnknownSweep(f"there is no sweep {name!r}; the known sweeps are {', '.join(known[:NAMED])}{more}")


def read_results(store: Store, name: str) -> list[RunResult]:
    """Read all rows of a sweep in the order of its plan, finished or not."""
    return read_planned_results(store, name, read_planned_rows(store, name))


def read_planned_results(store: Store, name: str, rows: Sequence[Mapping[str, Any]]) -> list[RunResult]:
    """Read these planned rows of a sweep, finished or not."""
    store = open_archive(store, name)
    needed = sorted({stage for row in rows for stage in list_row_stages(row)})
    stages = {stage.id: stage for stage in read_stage_views(store, needed)}
    # Read after the states: what succeeds in between must not look unmeasured.
    values = group_values(store.client.hgetall(keys.sweep_values(name)))
    return [make_result(row, stages, values.get(str(row["run"]), {})) for row in rows]


def read_cells(store: Store, name: str) -> list[dict[str, Any]]:
    """Read the running aggregates as the verbs keep them: {"cell", "runs", "metrics": {name: {count, mean, variance}}}.

    The variance divides by count - 1, and is None for a single value.
    """
    store = open_archive(store, name)
    cells: dict[str, dict[str, Any]] = {}
    for row in read_planned_rows(store, name):
        cell = cells.setdefault(str(row["number"]), {"cell": row["cell"], "runs": 0, "metrics": {}})
        cell["runs"] += 1
    return add_aggregates(store, name, cells)


def add_aggregates(store: Store, name: str, cells: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the metrics to the cells, by their numbers; return them."""
    moments: dict[tuple[str, str], dict[str, float]] = {}
    for key, text in store.client.hgetall(keys.sweep_cells(name)).items():
        number, metric, what = key.split("|")
        moments.setdefault((number, metric), {})[what] = float(text)
    for (number, metric), moment in sorted(moments.items()):
        cells[number]["metrics"][metric] = _compute_aggregate(moment)
    return list(cells.values())


def _compute_aggregate(moment: Mapping[str, float]) -> dict[str, float | None]:
    count = int(moment["count"])
    return {"count": count, "mean": moment["mean"], "variance": moment["m2"] / (count - 1) if count > 1 else None}


def read_planned_rows(store: Store, name: str) -> list[dict[str, Any]]:
    """Read the planned rows, in order: {"run", "number", "cell", "seed", "stage", "before", "measures"}.

    Raises UnknownSweep.
    """
    store = open_archive(store, name)
    rows = store.client.hgetall(keys.sweep_runs(name))
    if not rows:
        read_sweep(store, name)  # it may be opening
    return [unpack(text) for _, text in sorted(rows.items(), key=lambda item: int(item[0]))]


def read_stages_in_state(store: Store, state: StageState, most: int) -> list[StageView]:
    """Read up to `most` stages in one state, the lowest score first."""
    return read_stage_views(store, store.client.zrange(keys.state(state), 0, most - 1))


def read_stages(store: Store, name: str, state: StageState | None = None) -> list[StageView]:
    """Read the stages of a sweep, or those in one state, in the order of the plan. Raises UnknownSweep."""
    store = open_archive(store, name)
    if not store.client.zcard(keys.sweep_stages(name)):
        read_sweep(store, name)
    return read_stage_views(store, list_stages(store, name, state))


def list_stages(store: Store, name: str, state: StageState | None = None) -> list[str]:
    """List the stages of a sweep, or those in one state, in the order of the plan."""
    places: list[str] = store.client.zrange(keys.sweep_stages(name), 0, -1) if state is None else []
    return places if state is None else store.client.zinter({keys.sweep_stages(name): 1, keys.state(state): 0})


def read_stage_views(store: Store, stages: Sequence[str]) -> list[StageView]:
    """Read these stages, in pages."""
    fields = ["label", "state", "attempt", "worker", "since", "steps", "progress", "cause", "tokens", "micro_usd"]
    rows = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), fields))
    return [_make_stage_view(stage, dict(zip(fields, row, strict=True))) for stage, row in rows]


def read_recipes(store: Store, stages: Sequence[str]) -> dict[str, Mapping[str, Json]]:
    """Read the recipe of each of these stages, in pages."""
    texts = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hget(keys.stage(stage), "recipe"))
    return {stage: unpack(text) for stage, text in texts}


def _make_stage_view(stage: str, row: Mapping[str, str | None]) -> StageView:
    return StageView(
        id=stage,
        label=row["label"] or stage,
        state=row["state"] or "unknown",
        attempt=int(row["attempt"] or 0),
        worker=row["worker"] or "",
        since=int(row["since"] or 0),
        steps=int(row["steps"] or 0),
        progress=json.loads(row["progress"] or "{}"),
        cause=row["cause"],
        tokens=int(row["tokens"] or 0),
        micro_usd=int(row["micro_usd"] or 0),
    )


def list_row_stages(row: Mapping[str, Json]) -> list[str]:
    """List the stages of a planned row: its trainings in order, then its evaluations."""
    measures, before = row["measures"], row["before"]
    assert isinstance(measures, dict)
    assert isinstance(before, list)
    own = [*before, row["stage"]] if row["stage"] else []
    return [str(stage) for stage in (*own, *measures.values())]


def group_values(texts: Mapping[str, str | None]) -> dict[str, dict[str, float]]:
    """Group values by run: run -> metric -> value."""
    values: dict[str, dict[str, float]] = {}
    for key, text in texts.items():
        run, _, metric = key.partition("|")
        if text is not None:
            values.setdefault(run, {})[metric] = float(text)
    return values


def make_result(row: Mapping[str, Json], stages: Mapping[str, StageView], metrics: Mapping[str, float]) -> RunResult:
    """Make the result of a planned row from its stages and values."""
    own = [stages[stage] for stage in dict.fromkeys(list_row_stages(row))]
    train = stages[str(row["stage"])] if row["stage"] else None
    cell, measures, before = row["cell"], row["measures"], row["before"]
    assert isinstance(cell, dict)
    assert isinstance(before, list)
    assert isinstance(measures, dict)
    # A measured run stays succeeded while its training is repeated because a checkpoint is gone.
    measured = [stages[str(stage)] for stage in measures.values()]
    return RunResult(
        cell=cell,
        seed=int(str(row["seed"])),
        state=_find_state(measured if measured and _have_succeeded(measured) else own),
        metrics=metrics,
        steps=_count_steps(train) if train else 0,
        tokens=sum(stage.tokens for stage in own),
        micro_usd=sum(stage.micro_usd for stage in own),
        stage=train.id if train else None,
        before=tuple(str(stage) for stage in before),
    )


def _count_steps(stage: StageView) -> int:
    """Count the steps of a training; without success, those that it reported."""
    return stage.steps if stage.state == StageState.SUCCEEDED else int(str(stage.progress.get("step") or 0))


def _have_succeeded(stages: Sequence[StageView]) -> bool:
    return all(stage.state == StageState.SUCCEEDED for stage in stages)


def _find_state(stages: Sequence[StageView]) -> str:
    """Find the state of a run: succeeded if all its stages are; otherwise that of its worst or least advanced stage."""
    order = ("failed", "skipped", "cancelled", "waiting", "ready", "dispatched", "running", "succeeded")
    states = {stage.state for stage in stages}
    return next((state for state in order if state in states), "unknown")
