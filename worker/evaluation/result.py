"""The result of an evaluation: its metrics, and where the row of each item is kept."""

from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.item_rows import write_rows
from sweeps.stage import Json
from worker.attempt import Attempt


def keep_result(this: Attempt, measured: Measured) -> dict[str, Json]:
    """Keep the rows and files, and return the document with which the stage is settled."""
    files = {"items.jsonl.gz": write_rows(measured.rows), **measured.files}
    return {
        "metrics": dict(measured.metrics),
        **{name.partition(".")[0]: this.write_artefact(name, content) for name, content in files.items()},
        "count": len(measured.rows),
        "usage": this.spending.usage.document(),
    }
