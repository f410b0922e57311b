"""A finished sweep of a thousand runs, laid straight into the store: what a report reads, without the night."""

import json
from typing import Any

from scheduler.state import keys
from scheduler.state.keeping.packing import pack_points
from scheduler.state.store import CURVE_POINTS, Store
from scheduler.state.submission import submit
from sweeps.stage import Json, Plan, Run, Stage
from tests.scheduler.plans import evaluate, plan, submission, train

SPEC: dict[str, Json] = {
    "sweep": "large",
    "question": "How much data do five domains need?",
    "experiment": "data_scaling",
    "model": "offline/ngram-s",
    "target": {"metric": "nll", "below": 1.3},
}


def large(domains: int = 5, sizes: int = 10, seeds: int = 20) -> Plan:
    """Each run a training and its evaluation."""
    stages, runs = list[Stage](), list[Run]()
    for domain in range(domains):
        for size in (2 ** (3 + power) for power in range(sizes)):
            for seed in range(seeds):
                name = f"d{domain}n{size}s{seed}"
                stages += [train(name), evaluate(name, f"train-{name}")]
                cell: dict[str, Json] = {"data": f"domain {domain}", "size": size}
                runs.append(Run(cell, seed, f"train-{name}", {"nll": f"evaluate-{name}"}))
    return plan("large", stages, runs)


def lay(store: Store, question: Plan) -> None:
    """Submit it, and write what its stages would have left."""
    submit(store, submission(question, spec=SPEC))
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    points = pack_points([{"step": step, "nll": 3 / (step + 1) ** 0.2} for step in range(CURVE_POINTS)])
    for number, run in enumerate(question.runs):
        size, domain = float(str(run.cell["size"])), int(str(run.cell["data"]).split()[-1])
        value = 1 + domain / 50 + 2 * size**-0.4 + run.seed / 1e4
        pipe.hset(keys.sweep_values("large"), f"{number}|nll", repr(value))
        pipe.set(keys.curve(str(run.stage)), points)
        pipe.hset(keys.stage(run.measures["nll"]), "metrics", json.dumps({"nll": value}))
    for stage in question.stages:
        pipe.hset(keys.stage(stage.id), mapping={"state": "succeeded", "tokens": 1000, "micro_usd": 1000})
    pipe.execute()
