"""The same trainings for us and for others: a sweep file, and a file of batches that needs nothing of ours."""

import json
from pathlib import Path
from typing import Any, NamedTuple, cast

from scheduler.artefacts import Artefacts
from scheduler.prepare import plan_sweep, store_data
from scheduler.settings import read_settings
from sweeps.spec.parse import parse
from sweeps.training.data_order import order_subset, select_batch
from tests.few_rows import find_few_rows
from tests.tinker_offline.process import CACHE
from worker.examples import Examples

STEPS = 10
SPEC = """
sweep: {name}
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 8, steps: {steps}, rank: 4}}
data: {{reference: {{source: "{rows}", holdout: 16}}}}
vary: {{train.learning_rate: {{geom: [0.001, 0.1], count: {rates}}}}}
seeds: {seeds}
evaluate: [nll]
reuse: sweep
"""


class Jobs(NamedTuple):
    """So many trainings: a grid of learning rates and seeds."""

    rates: int
    seeds: int

    @property
    def total(self) -> int:
        """How many."""
        return self.rates * self.seeds

    def spec(self, name: str) -> str:
        """The sweep file."""
        return SPEC.format(name=name, steps=STEPS, rows=find_few_rows(), rates=self.rates, seeds=self.seeds)

    def write(self, folder: Path) -> Path:
        """Write the batches of every training of the sweep; returns the file."""
        settings = read_settings({"SWEEP_HOME": str(folder / "plan"), "SWEEP_CACHE": str(CACHE)})
        prepared = plan_sweep(parse(self.spec("jobs")), folder, settings)
        artefacts = Artefacts(str(folder / "plan" / "store"))
        store_data(prepared, artefacts)
        recipes = [cast(dict[str, Any], stage.recipe) for stage in prepared.plan.stages if stage.kind == "train"]
        rows = Examples(artefacts).render(recipes[0]["data"]["records"], recipes[0])
        document = {
            "examples": [_convert(example) for (example,) in rows],
            "jobs": [_write_job(recipe, len(rows)) for recipe in recipes],
        }
        path = folder / "jobs.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        return path


def _write_job(recipe: dict[str, Any], rows: int) -> dict[str, Any]:
    size, seeds = recipe["data"]["size"] or rows, recipe["seeds"]
    subset = order_subset(rows, seeds["subset"])[:size]
    batches = [
        [
            int(subset[int(row)])
            for row in select_batch(step, size=size, batch_size=recipe["batch_size"], seed=seeds["order"])
        ]
        for step in range(recipe["steps"])
    ]
    return {
        "model": recipe["model"],
        "rank": recipe["rank"],
        "seed": seeds["init"],
        "learning_rate": recipe["learning_rate"],
        "batches": batches,
    }


def _convert(example: Any) -> dict[str, list[Any]]:
    tokens = example.tokens.tolist()
    return {"tokens": tokens[:-1], "targets": tokens[1:], "weights": example.weights.tolist()}
