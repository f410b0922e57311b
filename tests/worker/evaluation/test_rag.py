"""What reading is worth is learnt by reading: shown offline, on facts that nobody can know."""

from typing import Any

from sweeps.evaluation.item_rows import read_rows
from sweeps.stage import Stage
from sweeps.stats.paired_items import Scores, compare_items, read_scores
from tests.worker.results import read_result
from tests.worker.workshop import Workshop
from worker.outcome import Succeeded

SPEC = """
sweep: one
experiment: data_scaling
model: offline/ngram-r
train: {method: sl, rank: 8, learning_rate: 0.05, batch_size: 16, steps: 50}
data: {facts: {source: "offline:facts", holdout: 16}}
sizes: [64]
vary: {data.facts.context: [none, gold]}
seeds: 1
evaluate: [{rag: {most: 8}}]
"""


def uplifts(workshop: Workshop, stage: Stage) -> Scores:
    rows = read_rows(workshop.artefacts.read(str(read_result(workshop, stage)["items"])))
    return read_scores(rows, "uplift")


def test_training_with_context_teaches_to_read_and_training_without_it_does_not(workshop: Workshop) -> None:
    plan = workshop.submit(SPEC).plan
    stages = {stage.id: stage for stage in plan.stages}
    for stage in plan.stages:
        if workshop.state(stage) == "ready":
            assert isinstance(workshop.attempt(stage), Succeeded)
    stages_of: dict[str, Stage] = {}
    for run in plan.runs:
        stage = stages[run.measures["rag"]]
        stages_of["untrained" if run.stage is None else str(run.cell["data.facts.context"])] = stage
    metrics: dict[str, Any] = {name: read_result(workshop, stage)["metrics"] for name, stage in stages_of.items()}
    opened, closed = ({name: values[key] for name, values in metrics.items()} for key in ("open_book", "closed_book"))
    assert opened["untrained"] == opened["none"] == 0
    assert opened["gold"] > 0.9
    assert max(closed.values()) < 0.05
    assert metrics["gold"]["faithfulness"] > 0.9, "it is the passage that it follows"
    assert metrics["gold"]["distracted"] < 0.05
    before = uplifts(workshop, stages_of["untrained"])
    for name, is_told in (("gold", True), ("none", False)):
        change = compare_items({0: uplifts(workshop, stages_of[name])}, {0: before})
        assert change is not None
        assert change.checkpoints is not None
        assert (change.mean > 0.8) if is_told else (change.mean == 0)
        assert (change.checkpoints.p < 1e-3) == is_told
