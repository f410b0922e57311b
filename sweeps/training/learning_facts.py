"""Summarise the steps of a training as numbers that show whether it learnt anything. Pure functions.

The numbers are kept with the result; `sweeps/analysis/learning_signs.py` judges them.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from sweeps.stage import Json

Steps = Sequence[Mapping[str, Any]]

COLUMNS = {"sl": "train_mean_nll", "dpo": "dpo_loss", "rl": "reward"}
PARTS = 4  # the first and the last quarter of the steps are compared: enough steps for a mean, far enough apart
MEDIAN_STEP = 0.954  # the median distance of two independent normal values, in standard deviations of one


def collect_learning_facts(rows: Steps, recipe: Mapping[str, Any]) -> dict[str, Json]:
    """Collect the facts of a training from the metrics of its steps."""
    method = str(recipe["method"])
    values = read_finite(rows, COLUMNS[method])
    if not values:
        return {"method": method, "steps": len(rows)}
    window = max(1, len(values) // PARTS)
    facts: dict[str, Json] = {
        "method": method,
        "steps": len(rows),
        "window": window,
        "first": statistics.fmean(values[:window]),
        "last": statistics.fmean(values[-window:]),
        "step_sd": _estimate_noise(values, robust=method != "rl"),
        "travel": sum(read_finite([row for row in rows if row.get("num_learnt", 1)], "learning_rate")),
    }
    epoch = 0 if method == "rl" else _find_epoch(recipe)
    if epoch and len(values) >= 2 * epoch:  # whole epochs have the same rows, so that their difference has no noise
        start = (len(values) // epoch - 1) * epoch
        first, last = statistics.fmean(values[:epoch]), statistics.fmean(values[start : start + epoch])
        facts |= {"window": epoch, "first": first, "last": last, "step_sd": 0.0}
    if method == "dpo":
        facts |= _collect_pairs(rows[1:], window)
    elif method == "rl":
        facts |= _collect_groups(rows, window, recipe)
    return facts


def read_finite(rows: Steps, column: str) -> list[float]:
    """Read the finite values of a column."""
    values = [float(row[column]) for row in rows if isinstance(row.get(column), int | float)]
    return [value for value in values if math.isfinite(value)]


def _find_epoch(recipe: Mapping[str, Any]) -> int:
    """Find how many steps read each row once; 0 if no number of steps does."""
    size, batch = int(recipe["data"]["size"]), int(recipe["batch_size"])
    return 1 if batch >= size else size // batch if size % batch == 0 else 0


def _estimate_noise(values: Sequence[float], *, robust: bool) -> float:
    """Estimate the standard deviation of a step from the differences of neighbours, which a slow trend leaves alone.

    A loss can drop at once in its first steps, so its noise comes from the median. Most rewards of a hard task are
    0, so that their median says nothing.
    """
    apart = [abs(after - before) for before, after in pairwise(values)]
    if not apart:
        return 0.0
    if robust:
        return statistics.median(apart) / MEDIAN_STEP
    return math.sqrt(statistics.fmean(gap**2 for gap in apart) / 2)


def _collect_pairs(rows: Steps, window: int) -> dict[str, Json]:
    """Collect what became of the pairs; the first step is left out, because it is measured before any update."""
    late = rows[-window:]
    facts: dict[str, Json] = {"pairs": sum(int(row["num_sequences"]) // 2 for row in late)}
    for name in ("accuracy", "margin", "kl"):
        if values := read_finite(late, name):
            facts[name] = statistics.fmean(values)
    return facts


def _collect_groups(rows: Steps, window: int, recipe: Mapping[str, Any]) -> dict[str, Json]:
    """Collect in which iterations any group differed in reward, and how the episodes went."""
    mixed = [place for place, row in enumerate(rows, 1) if row["num_learnt"]]
    rest = rows[mixed[-1] if mixed else 0 :]
    planned = len(rows) * int(recipe["groups"]) * int(recipe["group_size"])
    facts: dict[str, Json] = {
        "mixed_iterations": len(mixed),
        "last_mixed_iteration": mixed[-1] if mixed else 0,
        "lost": sum(int(row["num_lost"]) for row in rows) / planned,
        "group_size": int(recipe["group_size"]),
        "temperature": float(recipe["temperature"]),
    }
    if len(counts := read_finite(rows, "num_mixed")) == len(rows):  # a resume may bring steps that did not count them
        facts["mixed_groups"] = sum(counts) / (len(rows) * int(recipe["groups"]))
    if rest:
        facts["reward_after"] = statistics.fmean(row["reward"] for row in rest)
    for name in ("entropy", "cut_turns", "unfinished", "kl_sample_train", "kl_start"):
        if values := read_finite(rows, name):
            facts[name] = statistics.fmean(values[-window:])
    if values := read_finite(rows, "entropy"):
        facts["first_entropy"] = statistics.fmean(values[:window])
    return facts
