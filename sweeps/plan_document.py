"""The plan as JSON, for `sweep -f json plan`."""

from sweeps.stage import Json, Plan, Run, Stage, Totals


def plan_document(plan: Plan) -> dict[str, Json]:
    """The whole plan as plain values."""
    return {
        "sweep": plan.sweep,
        "digest": plan.digest,
        "stages": [_stage(plan, stage) for stage in plan.stages],
        "runs": [_run(run) for run in plan.runs],
        "totals": _totals(plan.totals),
        "defaults": dict(plan.defaults),
        "notes": list(plan.notes),
    }


def _stage(plan: Plan, stage: Stage) -> dict[str, Json]:
    row: dict[str, Json] = {
        "id": stage.id,
        "kind": stage.kind,
        "parents": list(stage.parents),
        "label": stage.label,
        "steps": stage.steps,
        "tokens": stage.tokens,
        "examples": stage.examples,
        "usd": None if stage.micro_usd is None else stage.micro_usd / 1_000_000,
    }
    data = stage.recipe.get("data")
    if isinstance(data, dict):
        contains: dict[str, Json] = {str(size): prefix for size, prefix in plan.contains(stage).items()}
        row |= {"data": data["records"], "subset": data["subset"], "contains": contains}
    return row


def _run(run: Run) -> dict[str, Json]:
    return {"cell": dict(run.cell), "seed": run.seed, "stage": run.stage, "measures": dict(run.measures)}


def _totals(totals: Totals) -> dict[str, Json]:
    return {
        "stages": totals.stages,
        "train": totals.train,
        "evaluate": totals.evaluate,
        "naive_train": totals.naive_train,
        "examples": totals.examples,
        "naive_examples": totals.naive_examples,
        "tokens": totals.tokens,
        "usd": totals.usd,
    }
