"""A finished comparison whose evaluations kept their items, laid straight into the store and the artefact store."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from scheduler.artefacts import Artefacts, locate_attempt_file
from scheduler.state import keys
from scheduler.state.store import Store
from scheduler.state.submission import submit
from sweeps.evaluation.confidence import calibrate
from sweeps.evaluation.evaluator import average
from sweeps.evaluation.item_rows import ItemRow, write_rows
from sweeps.evaluation.rag import RAG
from sweeps.evaluation.registry import METRICS
from sweeps.stage import Json, Plan, Run, Stage
from tests.scheduler.plans import evaluate, plan, submission, train

Rows = list[ItemRow]
COMPARE: dict[str, Json] = {
    "experiment": "compare",
    "equal": {"tokens": 1000},
    "evaluate": [{"name": "answers", "options": {}}, {"name": "rag", "options": {}}],
    "best": {"metric": "accuracy", "mode": "max"},
}


def answered(share: float, seed: int, items: int = 60) -> Rows:
    """Questions of which such a share is right; who is sure is right more often."""
    chance = np.random.default_rng([round(share * 1000), seed])
    rows: Rows = []
    for item in range(items):
        right = float(chance.random() < share)
        confidence = float(np.clip(0.5 + 0.3 * (right - 0.5) + chance.normal(0, 0.1), 0, 1))
        judged = {"confidence": confidence, "right": right, "brier": (confidence - right) ** 2}
        rows.append(ItemRow(item, {"accuracy": right, **judged}, details={"said": "some text"}))
    return rows


def read(share: float, seed: int, items: int = 40) -> Rows:
    """Questions with a passage: such a share is right with it, none without."""
    chance = np.random.default_rng([round(share * 1000), seed, 7])
    opened = [float(chance.random() < share) for _ in range(items)]
    return [
        ItemRow(item, {"open_book": score, "closed_book": 0.0, "uplift": score, "silent": 0.0})
        for item, score in enumerate(opened)
    ]


def lay_items(store: Store, artefacts: Artefacts, question: Plan, rows: Mapping[str, Rows]) -> None:
    """Submit a plan, have all its stages succeed, and keep these rows of its evaluations, by stage."""
    client: Any = store.client
    pipe = client.pipeline(transaction=False)
    for planned in question.stages:
        pipe.hset(keys.stage(planned.id), mapping={"state": "succeeded", "tokens": 1000, "micro_usd": 1000})
    averages: dict[str, dict[str, float]] = {}
    for stage, kept in rows.items():
        content = write_rows(kept)
        path = artefacts.write(locate_attempt_file("fleet", stage, "1", "items.jsonl.gz", content), content)
        averages[stage] = {**average(kept, [*METRICS.values()]), **RAG.aggregate(kept), **calibrate(kept)}
        document: dict[str, Json] = {"metrics": dict(averages[stage]), "items": path, "count": len(kept)}
        pipe.hset(keys.stage(stage), "result", json.dumps(document))
    for number, run in enumerate(question.runs):
        for measure, stage in run.measures.items():
            prefix = measure[: measure.rfind(".") + 1]
            for name, value in averages.get(stage, {}).items():
                pipe.hset(keys.sweep_values(question.sweep), f"{number}|{prefix}{name}", repr(value))
    pipe.execute()


def compared(
    methods: Sequence[str] = ("sl", "rl"), seeds: int = 3, measures: Sequence[str] = ("answers", "rag")
) -> Plan:
    """The untrained model, measured once, and every method at every seed."""
    stages, runs = list[Stage](), list[Run]()
    for method in (None, *methods):
        for seed in range(seeds if method else 1):
            name = f"{method}{seed}"
            trained = [train(name)] if method else []
            parents = [stage.id for stage in trained]
            measured = {measure: evaluate(f"{measure}-{name}", *parents) for measure in measures}
            stages += [*trained, *measured.values()]
            which = {measure: stage.id for measure, stage in measured.items()}
            runs.append(Run({"method": method}, seed, parents[0] if parents else None, which))
    return plan("s", stages, runs)


MADE: Mapping[str, Callable[..., Rows]] = {"answers": answered, "rag": read}


def lay_comparison(store: Store, artefacts: Artefacts, shares: Mapping[str | None, float], seeds: int = 3) -> Plan:
    """A comparison in which such shares of the answers are right."""
    question = compared([method for method in shares if method], seeds)
    rows = {
        stage: MADE[measure](shares[run.cell["method"]], run.seed)  # type: ignore[index]  # a name, or None
        for run in question.runs
        for measure, stage in run.measures.items()
    }
    submit(store, submission(question, spec={**COMPARE, "sweep": question.sweep}))
    lay_items(store, artefacts, question, rows)
    return question


def many(runs: int, path: str, rows: int) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """A sweep of so many runs, 20 seeds of each cell, whose evaluations kept files at such paths: runs, and results."""
    planned = {
        str(number): json.dumps(
            {"cell": {"method": f"m{number // 20}"}, "seed": number % 20, "measures": {"answers": f"evaluate-{number}"}}
        )
        for number in range(runs)
    }
    results = {
        f"evaluate-{number}": json.dumps({"metrics": {}, "items": path.format(number), "count": rows})
        for number in range(runs)
    }
    return planned, results
