"""The plan as JSON, for `sweep -f json plan`."""

from sweeps.scaling.coded_text import read_code
from sweeps.stage import Json, Plan, Run, Stage, Totals, to_dollars


def build_plan_document(plan: Plan) -> dict[str, Json]:
    """Build the JSON document of a plan."""
    return {
        "sweep": plan.sweep,
        "digest": plan.digest,
        "stages": [_stage(plan, stage) for stage in plan.stages],
        "runs": [_run(run) for run in plan.runs],
        "totals": _totals(plan.totals),
        "defaults": dict(plan.defaults),
        "notes": list(plan.notes),
        "coded_notes": [{"code": code, "note": str(note)} for note in plan.notes if (code := read_code(note))],
        "left_out": [{**omission._asdict(), "metrics": list(omission.metrics)} for omission in plan.left_out],
    }


def _stage(plan: Plan, stage: Stage) -> dict[str, Json]:
    row: dict[str, Json] = {
        "id": stage.id,
        "kind": stage.kind,
        "parents": list(stage.parents),
        "label": stage.label,
        "steps": stage.steps,
        "examples": stage.examples,
        "low_tokens": stage.low_tokens,
        "tokens": stage.tokens,
        "low_usd": to_dollars(stage.low_micro_usd),
        "usd": to_dollars(stage.micro_usd),
    }
    data = stage.recipe.get("data")
    if isinstance(data, dict):
        contains: dict[str, Json] = {str(size): prefix for size, prefix in plan.contains(stage).items()}
        row |= {"data": data["records"], "subset": data["subset"], "contains": contains}
    return row


def _run(run: Run) -> dict[str, Json]:
    before: list[Json] = list(run.before)
    return {
        "cell": dict(run.cell),
        "seed": run.seed,
        "stage": run.stage,
        "previous_stages": before,
        "evaluations": dict(run.measures),
    }


def _totals(totals: Totals) -> dict[str, Json]:
    return {
        "stages": totals.stages,
        "train": totals.train,
        "evaluate": totals.evaluate,
        "naive_train": totals.naive_train,
        "examples": totals.examples,
        "naive_examples": totals.naive_examples,
        "low_tokens": totals.low_tokens,
        "tokens": totals.tokens,
        "low_usd": to_dollars(totals.low_micro_usd),
        "usd": totals.usd,
        "price_dates": list(totals.price_dates) if totals.price_dates else None,
    }
