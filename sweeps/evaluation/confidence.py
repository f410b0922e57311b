"""How sure a model is of an answer and whether it is right: the values of one item, and calibration over all items."""

from collections.abc import Sequence

from sweeps.evaluation.evaluator import Metric
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics import calibration

CALIBRATION_METRICS = (
    *(Metric(name, "lower", detail=True) for name in ("ece", "adaptive_ece", "brier", "aurc")),
    Metric("selective_accuracy", "higher", detail=True),
)


def state_confidence(confidence: float, right: float) -> dict[str, float]:
    """Return the values of an item from which calibration is computed, and its Brier score."""
    stated = min(1.0, confidence)
    return {"confidence": stated, "right": right, "brier": (stated - right) ** 2}


def calibrate(rows: Sequence[ItemRow]) -> dict[str, float]:
    """Compute the metrics of calibration that are about all items together; none if no item states a confidence."""
    judged = [row.values for row in rows if "confidence" in row.values and "right" in row.values]
    if not judged:
        return {}
    pair = [values["confidence"] for values in judged], [values["right"] for values in judged]
    return calibration.summarize(*pair, calibration.COVERAGE)
