"""Run a sweep stage by stage, with the real pipeline, in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scheduler.artefacts import Artefacts, decode_rows, encode_rows
from scheduler.cli.submit import write_submission
from scheduler.engine.spread import spread_changes, walk_sweeps
from scheduler.prepare import Prepared, build_submission, plan_sweep
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.store import Store
from sweeps.spec.parse import parse
from sweeps.stage import Plan, Stage
from tests.tinker_offline.process import CACHE, KEY, Server
from worker.attempt import ReportEnd, WorkerContext
from worker.outcome import Outcome
from worker.pipeline import attempt_stages
from worker.sdk.endpoints import Endpoint

SPEC = """
sweep: one
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 8, learning_rate: 0.02, schedule: cosine, warmup: 3, batch_size: 8, steps: 20}
data: {mine: {source: mine.jsonl, holdout: 6}}
vary: {train.rank: [8]}
seeds: 1
evaluate: [nll]
checkpoint: {every_steps: 6}
"""


class Silent:
    """Reports to no one."""

    def show_progress(self, text: str) -> None:
        """Not told."""

    @contextmanager
    def report_continued(self, label: str) -> Iterator[ReportEnd]:  # noqa: ARG002 - the protocol's name
        yield lambda _: None


def drop_base_models(plan: Plan) -> Plan:
    """Drop the untrained rows of a grid: what a worker does with a stage is tested by trainings and what follows."""
    runs = tuple(run for run in plan.runs if not run.cell.get("untrained"))
    asked = {stage for run in runs for stage in run.measures.values()} | {
        p for planned_stage in plan.stages for p in planned_stage.parents
    }
    left = tuple(stage for stage in plan.stages if stage.kind == "train" or stage.id in asked)
    gone = [stage for stage in plan.stages if stage not in left]
    totals = replace(
        plan.totals,
        stages=len(left),
        evaluate=plan.totals.evaluate - len(gone),
        tokens=plan.totals.tokens - sum(stage.tokens for stage in gone),
        micro_usd=(plan.totals.micro_usd or 0) - sum(stage.micro_usd or 0 for stage in gone),
        low_micro_usd=(plan.totals.low_micro_usd or 0) - sum(stage.low_micro_usd or 0 for stage in gone),
        low_tokens=plan.totals.low_tokens - sum(stage.low_tokens for stage in gone),
    )
    return replace(plan, runs=runs, stages=left, totals=totals)


@dataclass
class Workshop:
    """A sweep's stages, done by hand."""

    context: WorkerContext
    tinker: Server
    folder: Path

    @property
    def store(self) -> Store:
        return self.context.store

    def at(self, tinker: Server) -> "Workshop":
        """The same, at another service."""
        endpoint = Endpoint(base_url=tinker.url, api_key=KEY)
        return Workshop(replace(self.context, endpoint=lambda _: endpoint), tinker, self.folder)

    def submit(self, spec: str = SPEC) -> Prepared:
        """A small data set of chats, so that the loss mask matters, and the sweep on it without base models."""
        rows = [
            {
                "messages": [
                    {"role": "user", "content": f"{a} and {b}?"},
                    {"role": "assistant", "content": f"it is {a + b}"},
                ]
            }
            for a in range(7)
            for b in range(6)
        ]
        (self.folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        settings = read_settings(
            {"SWEEP_HOME": str(self.folder), "SWEEP_CACHE": str(CACHE), "SWEEP_STORE": self.context.artefacts.url}
        )
        prepared = plan_sweep(parse(spec), self.folder, settings)
        prepared = replace(prepared, plan=drop_base_models(prepared.plan))
        write_submission(self.store, prepared, build_submission(prepared), settings)
        self.spread()
        return prepared

    def spread(self) -> None:
        """Let every change reach sweeps and children."""
        while walk_sweeps(self.store) + spread_changes(self.store):
            pass

    def attempt(self, stage: Stage, sweep: str = "one") -> Outcome:
        """Dispatch and attempt a stage, through the pipeline that a message would start."""
        sent = self.store.dispatch(stage.id, sweep=sweep, patience=20)
        assert sent.attempt, sent.refused
        outcome = attempt_stages(self.context, stage.id, sent.attempt, Silent())
        assert outcome is not None
        self.spread()
        return outcome

    def state(self, stage: Stage) -> str | None:
        return self.store.client.hget(keys.stage(stage.id), "state")

    def weights(self, stage: Stage) -> dict[str, npt.NDArray[np.float32]]:
        """The adapter and the optimizer's moments of the stage's last checkpoint, as the service keeps them."""
        checkpoint = self.store.read_checkpoint(stage.id)
        assert checkpoint is not None
        run, _, name = str(checkpoint["path"]).removeprefix("tinker://").partition("/weights/")
        with np.load(self.tinker.state / "runs" / run / "weights" / f"{name}.npz") as arrays:
            return {key: arrays[key] for key in arrays.files}

    def metrics(self, stage: Stage) -> bytes:
        """The whole learning curve, as the artefact store keeps it."""
        result: Any = self.store.read_result(stage.id)
        return encode_rows(decode_rows(self.artefacts.read(result["metrics_file"])))

    @property
    def artefacts(self) -> Artefacts:
        return self.context.artefacts


def same(workshop: Workshop, whole: Stage, parted: Stage) -> None:
    """The same weights, moments and learning curve, to the bit."""
    ours, theirs = workshop.weights(parted), workshop.weights(whole)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[key], theirs[key]) for key in ours)
    assert workshop.metrics(parted) == workshop.metrics(whole)


def tokens(workshop: Workshop, stage: Stage) -> int:
    """That all attempts at a stage used together."""
    return int(workshop.store.client.hget(keys.stage(stage.id), "tokens") or 0)
