"""Find metrics that say the same as another one in every run: they are one finding, not two."""

import math
from collections.abc import Mapping, Sequence

from sweeps.evaluation.metric_prefixes import strip_validation
from sweeps.results import RunResult, keep_measured
from sweeps.spec.metric_wishes import list_wishes
from sweeps.stage import Json

FEWEST = 2  # runs that must agree: one may do so by chance


def find_repeated_metrics(spec: Mapping[str, Json], rows: Sequence[RunResult]) -> dict[str, str]:
    """Map each named metric that repeats an earlier one, to that one. The metric of the target repeats none."""
    target, measured = spec.get("target"), keep_measured(rows)
    goal = str(target["metric"]) if isinstance(target, Mapping) else None
    named = dict.fromkeys(strip_validation(wish.metric) for wish in list_wishes(spec))
    repeated: dict[str, str] = {}
    for metric in named:
        first = next((other for other in named if _is_same(metric, other, measured)), metric)
        if metric not in (first, goal):
            repeated[metric] = repeated.get(first, first)
    return repeated


def drop_repeated_metrics(spec: Mapping[str, Json], rows: Sequence[RunResult]) -> Mapping[str, Json]:
    """Return the spec without the metrics that repeat an earlier one."""
    repeated = find_repeated_metrics(spec, rows)
    if not repeated:
        return spec
    kept: Json = [wish.model_dump() for wish in list_wishes(spec) if strip_validation(wish.metric) not in repeated]
    return {**spec, "metrics": kept}


def _is_same(metric: str, other: str, rows: Sequence[RunResult]) -> bool:
    """Whether two metrics have the same value in every run; an unknown value equals an unknown one only."""
    pairs = [(row.metrics.get(metric, math.nan), row.metrics.get(other, math.nan)) for row in rows]
    known = [pair for pair in pairs if not all(map(math.isnan, pair))]
    return len(known) >= FEWEST and all(left == right for left, right in known)
