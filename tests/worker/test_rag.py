"""What reading is worth is learnt by reading: shown offline, on facts that nobody can know."""

from typing import Any

import numpy as np

from scheduler.artefacts import rows_of
from sweeps.metrics.rag import uplift_change
from sweeps.stage import Stage
from tests.worker.test_dpo import result
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded

SPEC = """
sweep: one
experiment: data_scaling
model: offline/ngram-r
train: {method: sl, rank: 8, learning_rate: 0.02, batch_size: 16, steps: 40}
data: {facts: {source: "offline:facts", holdout: 48}}
sizes: [64]
vary: {data.facts.context: [none, gold]}
seeds: 1
evaluate: [{rag: {most: 8}}]
"""


def scores(workshop: Workshop, stage: Stage, under: str) -> list[float]:
    rows: list[Any] = list(rows_of(workshop.artefacts.read(str(result(workshop, stage)["items"]))))
    return [row["score"] for row in rows if row["under"] == under]


def test_training_with_context_teaches_to_read_and_training_without_it_does_not(workshop: Workshop) -> None:
    plan = workshop.submit(SPEC).plan
    stages = {stage.id: stage for stage in plan.stages}
    for stage in plan.stages:
        if workshop.state(stage) == "ready":
            assert isinstance(workshop.attempt(stage), Succeeded)
    found = {}
    for run in plan.runs:
        stage = stages[run.measures["rag"]]
        found["untrained" if run.stage is None else run.cell["data.facts.context"]] = stage
    metrics = {name: result(workshop, stage)["metrics"] for name, stage in found.items()}
    print(metrics)
    change = {
        name: uplift_change(
            *(scores(workshop, found[of], under) for of in ("untrained", name) for under in ("closed", "open"))
        )
        for name in ("none", "gold")
    }
    print({name: (each.mean(), each.std() / np.sqrt(len(each))) for name, each in change.items()})
    assert metrics["gold"]["open_book"] > 0.8
