"""Describe runs for experiment trackers: the configuration, the curve by step, and the final metrics.

Every tracker is told the same. What it is told has an address, so that what is there already need not be told again.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import NamedTuple

from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import describe_cell
from sweeps.experiments.conclusion import Conclusion
from sweeps.identity import fingerprint
from sweeps.results import GIVEN_UP, RunResult
from sweeps.stage import Json, to_dollars

Scalar = bool | int | float | str
ENDED = ("succeeded", *GIVEN_UP)
CONCLUSION = "conclusion"  # the name of the run that carries it


@dataclass(frozen=True)
class TrackedTraining:
    """One training of a run, with its curve as kept: {"step": 0, "nll": 3.2}, …; `step` counts from 0."""

    stage: str
    recipe: Mapping[str, Json]
    steps: int  # planned, and done once it has succeeded
    since: int  # milliseconds since 1970: when its state came to be
    curve: Sequence[Mapping[str, Json]] = ()

    def points(self) -> Iterator[tuple[int, str, float]]:
        """List optimizer steps done, metric and value."""
        for point in self.curve:
            step = point.get("step")
            if isinstance(step, int):
                for metric, value in point.items():
                    if metric != "step" and isinstance(value, int | float):
                        yield step + 1, metric, float(value)


@dataclass(frozen=True)
class RunHistory:
    """A row of the results and its history. Times are milliseconds since 1970."""

    number: int  # its place in the plan
    row: RunResult
    trainings: Sequence[TrackedTraining]  # one after the other; of the untrained base none
    cause: str  # why it has no result, if it lost a stage
    began: int
    since: int  # when the newest state of its stages came to be


@dataclass(frozen=True)
class TrackedSweep:
    """What the runs of one sweep share."""

    name: str
    digest: str
    tags: Mapping[str, str]  # experiment, model, user


class Point(NamedTuple):
    metric: str
    step: int
    value: float
    at: int  # milliseconds since 1970


@dataclass(frozen=True)
class TrackedRun:
    """Everything that a tracker gets. The `id` of a run is always the same."""

    id: str
    sweep: str
    name: str  # for people: "data=code, size=8, seed 0"
    state: str
    cause: str
    config: Mapping[str, Scalar]  # the cell by its own keys, the last training as `recipe.…`, earlier ones `before.1.…`
    tags: Mapping[str, str]
    points: Sequence[Point]  # steps never fall: those of a chain are counted through
    summary: Mapping[str, float]
    began: int
    since: int
    notes: Mapping[str, str] = field(default_factory=dict)  # more texts, which may change

    @property
    def texts(self) -> Mapping[str, str]:
        """The texts that may change while the sweep runs."""
        return {"state": self.state, "cause": self.cause, **self.notes}

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def lost(self) -> bool:
        return self.state in GIVEN_UP

    @property
    def last(self) -> int:
        """The last step."""
        return self.points[-1].step if self.points else 0

    @cached_property
    def content(self) -> str:
        """A hash of everything: it changes when anything changes or grows."""
        facts = {part.name: getattr(self, part.name) for part in fields(self)}
        text = json.dumps(facts, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def track_run(sweep: TrackedSweep, run: RunHistory) -> TrackedRun:
    """Describe one run for trackers."""
    row = run.row
    return TrackedRun(
        id=fingerprint({"sweep": sweep.name, "digest": sweep.digest, "run": run.number}),
        sweep=sweep.name,
        name=", ".join(filter(None, [describe_cell(row.cell), f"seed {row.seed}"])),
        state=row.state,
        cause=run.cause,
        config=_config(run),
        tags={"sweep": sweep.name, **sweep.tags},
        points=list(_points(run.trainings)),
        summary=_summary(row),
        began=run.began,
        since=run.since,
    )


def track_conclusion(sweep: TrackedSweep, conclusion: Conclusion, runs: Sequence[TrackedRun]) -> TrackedRun:
    """Describe the conclusion of a sweep as one more run beside all of its runs, of which it is the conclusion."""
    first, *others = conclusion.rows()
    numbers = {key: first[key] for key in ("effect", "low", "high")}
    texts = {key: str(first[key] or "") for key in ("claim", "metric", "against")}
    sentences = "\n".join(str(row["sentence"]) for row in (first, *others))
    return TrackedRun(
        id=fingerprint({"sweep": sweep.name, "digest": sweep.digest, "run": CONCLUSION}),
        sweep=sweep.name,
        name=CONCLUSION,
        state="succeeded" if all(run.ended for run in runs) else "running",
        cause="",
        config={},
        tags={"sweep": sweep.name, **sweep.tags},
        points=(),
        summary={
            f"{CONCLUSION}/{key}": float(value) for key, value in numbers.items() if isinstance(value, int | float)
        },
        began=min(run.began for run in runs),
        since=max(run.since for run in runs),
        notes={CONCLUSION: sentences, **texts, "caveats": ", ".join(conclusion.caveats)},
    )


def list_curve_columns(rows: Sequence[RunResult]) -> list[str]:
    """List the columns of the table of learning curves."""
    cell = dict.fromkeys(key for row in rows for key in row.cell)
    return [*cell, "seed", "state", "training", "stage", "step", "metric", "value"]


def read_curve_rows(run: RunHistory) -> Iterator[dict[str, Json]]:
    """Write one row for each point: `training` counts along a chain from 1, `step` counts optimizer steps."""
    for place, training in enumerate(run.trainings, 1):
        known = {**run.row.cell, "seed": run.row.seed, "state": run.row.state, "training": place}
        for step, metric, value in training.points():
            yield {**known, "stage": training.stage, "step": step, "metric": metric, "value": value}


def _points(trainings: Sequence[TrackedTraining]) -> Iterator[Point]:
    done = 0
    for training in trainings:
        for step, metric, value in training.points():
            yield Point(f"train/{metric}", done + step, value, training.since)
        done += training.steps


def _summary(row: RunResult) -> dict[str, float]:
    measured = {f"eval/{name}": row.metrics[name] for name in sort_metrics(row.metrics)}
    usd = to_dollars(row.micro_usd)
    return {
        **measured,
        "total/steps": row.steps,
        "total/tokens": row.tokens,
        **({} if usd is None else {"total/usd": usd}),
    }


def _config(run: RunHistory) -> dict[str, Scalar]:
    cell = {key: "none" if value is None else value for key, value in run.row.cell.items()}
    *before, last = [training.recipe for training in run.trainings] or [{}]
    earlier = {f"before.{place}": dict(recipe) for place, recipe in enumerate(before, 1)}
    return {**_flat(cell), "seed": run.row.seed, **_flat(earlier), **_flat({"recipe": dict(last)})}


def _flat(document: Mapping[str, Json], path: str = "") -> dict[str, Scalar]:
    """Flatten values by path; lists become JSON, unset values are left out."""
    flat: dict[str, Scalar] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{path}{key}.")
        elif isinstance(value, list | float) and not (isinstance(value, float) and math.isfinite(value)):
            flat[f"{path}{key}"] = json.dumps(value)
        elif value is not None:
            flat[f"{path}{key}"] = value
    return flat
