"""The result of an evaluation: its metrics, and where the row of each item is kept."""

from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import write_rows
from sweeps.stage import Json
from worker.attempt import Attempt


def keep_result(this: Attempt, measured: Measured) -> dict[str, Json]:
    """Keep the rows and files, and return the document with which the stage is settled."""
    return {
        "metrics": dict(measured.metrics),
        "items": this.write_artefact("items.jsonl.gz", write_rows(measured.rows)),
        **{name.partition(".")[0]: this.write_artefact(name, content) for name, content in measured.files.items()},
        "count": len(measured.rows),
        "usage": this.spending.usage.document(),
    }
