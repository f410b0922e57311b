"""The result of an evaluation: its metrics, and where the row of each item is kept."""

from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import write_rows
from sweeps.stage import Json
from worker.attempt import Attempt


def keep_result(this: Attempt, measured: Measured, **artefacts: str) -> dict[str, Json]:
    """Keep the rows, and return the document that the stage is settled with; `artefacts` are paths of other files."""
    return {
        "metrics": dict(measured.metrics),
        "items": this.write_artefact("items.jsonl.gz", write_rows(measured.rows)),
        **artefacts,
        "count": len(measured.rows),
        "usage": this.spending.usage.document(),
    }
