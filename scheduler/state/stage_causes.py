"""Read why stages of a sweep failed or are tried again, and which episodes and answers were lost. It writes nothing."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scheduler.engine.retry import Fault
from scheduler.state import keys
from scheduler.state.keeping.archive import open_archive
from scheduler.state.pages import read_in_pages
from scheduler.state.states import StageState
from scheduler.state.store import FAILED, Store
from scheduler.state.views import read_sweep
from sweeps.formatting import format_count

SHOWN = 5  # causes in a list for people
COUNTS = [f"{FAILED}{fault}" for fault in Fault]
FIELDS = ["state", "cause", "lost", "progress", "since", "not_before", *COUNTS]
CHEAP = ["state", "lost"]
UNDER_WAY = (StageState.READY, StageState.DISPATCHED, StageState.RUNNING)
TOLD = (*UNDER_WAY, StageState.FAILED)  # states of which more than the losses is told
NOUNS = {"environment": "episode", "check": "answer"}


class StageCause(NamedTuple):
    """One thing that went wrong, and in how many stages.

    The kind is `environment`, `check` or `service` for losses inside an attempt, `failed` for stages that failed, and
    `retry` for stages that are tried again. `lost` counts episodes or answers, `among` how many there were.
    """

    kind: str
    name: str
    cause: str
    first: str
    stages: int
    failed_stages: int
    lost: int | None
    among: int | None

    @property
    def sentence(self) -> str:
        """The cause in words."""
        stages = format_count(self.stages, "stage")
        if self.kind == "failed":
            return f"{stages} failed: {self.cause}"
        if self.kind == "retry":
            return f"{stages} {'is' if self.stages == 1 else 'are'} tried again: {self.cause}"
        end = f", {self.failed_stages:,} of which failed" if self.failed_stages else ""
        if self.kind == "service":
            return f"{self.name}: {self.cause}, in {stages}{end}"
        counts = f"{self.lost:,} of {format_count(self.among or 0, NOUNS[self.kind])}"
        did = "lost" if self.kind == "environment" else "failed on"
        first = f", first {self.first}" if self.first else ""
        return f"{self.name} {did} {counts} in {stages}{end}: it {self.cause}{first}"


def read_causes(store: Store, name: str) -> list[StageCause]:
    """Read the causes of a sweep, the most frequent ones first. Raises UnknownSweep."""
    store = open_archive(store, name)
    stages = store.client.zrange(keys.sweep_stages(name), 0, -1)
    if not stages:
        read_sweep(store, name)
    first = read_in_pages(store.client, stages, lambda pipe, stage: pipe.hmget(keys.stage(stage), CHEAP))
    rows = {stage: _drop_unset(CHEAP, values) for stage, values in first}
    # Most stages succeed or wait: the many fields of the others alone are read.
    troubled = [stage for stage, row in rows.items() if row.get("state") in TOLD]
    for stage, values in read_in_pages(
        store.client, troubled, lambda pipe, stage: pipe.hmget(keys.stage(stage), FIELDS)
    ):
        rows[stage] = _drop_unset(FIELDS, values)
    return list_causes(rows.values())


def _drop_unset(fields: Sequence[str], values: Sequence[str | None]) -> dict[str, str]:
    return {field: value for field, value in zip(fields, values, strict=True) if value is not None}


def list_causes(rows: Iterable[Mapping[str, str]]) -> list[StageCause]:
    """Collect the causes of stages, given by their fields; a failed stage has one, whatever it has lost besides."""
    failed, again = Counter[str](), Counter[str]()
    losses: dict[tuple[str, str, str], list[tuple[Mapping[str, Any], bool]]] = {}
    for row in rows:
        state, cause = row.get("state"), row.get("cause", "")
        lost = _read_losses(row)
        for loss in lost:
            key = (loss["kind"], loss["name"], loss["same"])
            losses.setdefault(key, []).append((loss, state == StageState.FAILED))
        if state == StageState.FAILED and not _is_explained(cause, lost):
            failed[cause or "no cause is known"] += 1
        if state in UNDER_WAY and cause and _was_given_back(row):
            again[cause] += 1
    causes = [_sum_losses(kind, name, several) for (kind, name, _), several in losses.items()]
    causes += [StageCause("failed", "", cause, "", count, count, None, None) for cause, count in failed.items()]
    causes += [StageCause("retry", "", cause, "", count, 0, None, None) for cause, count in again.items()]
    return sorted(causes, key=lambda cause: (-cause.failed_stages, -cause.stages, -(cause.lost or 0)))


def describe_causes(causes: list[StageCause]) -> list[str]:
    """Write the causes in words, the first few of them."""
    more = len(causes) - SHOWN
    rest = [f"… and {more:,} more; `sweep -f json status NAME` lists all"] if more > 0 else []
    return [cause.sentence for cause in causes[:SHOWN]] + rest


def _read_losses(row: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Read what an attempt lost: of a stage that has ended from its own field, of one that runs from its progress."""
    if row.get("state") == StageState.RUNNING:
        running: list[Mapping[str, Any]] = json.loads(row.get("progress") or "{}").get("lost", [])
        return running
    ended: list[Mapping[str, Any]] = json.loads(row.get("lost") or "[]")
    return ended


def _is_explained(cause: str, lost: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether a stage failed because of what it lost."""
    return any(loss["cause"] in cause for loss in lost)


def _was_given_back(row: Mapping[str, str]) -> bool:
    """Say whether an attempt failed, or ended for a reason that has to pass first."""
    is_delayed = row["state"] == StageState.READY and int(row.get("not_before", 0)) > int(row.get("since", 0))
    return is_delayed or any(count in row for count in COUNTS)


def _sum_losses(kind: str, name: str, several: list[tuple[Mapping[str, Any], bool]]) -> StageCause:
    return StageCause(
        kind=kind,
        name=name,
        cause=several[0][0]["cause"],
        first=several[0][0]["first"],
        stages=len(several),
        failed_stages=sum(failed for _, failed in several),
        lost=sum(loss["lost"] for loss, _ in several),
        among=sum(loss["among"] for loss, _ in several),
    )
