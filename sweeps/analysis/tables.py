"""Rows as a table: the same columns in the same order for CSV, Parquet and pandas, and back."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sweeps.errors import DataError, NotInstalled
from sweeps.evaluation.registry import METRICS
from sweeps.results import RunResult
from sweeps.stage import to_dollars

if TYPE_CHECKING:
    import pandas as pd

TOOK = ("steps", "tokens", "usd", "stage")  # columns behind the metrics
INSTALL = ".venv/bin/python -m pip install pandas pyarrow (the extra `export`)"


class FrameLike(Protocol):
    """A pandas DataFrame, as far as it is asked here."""

    @property
    def columns(self) -> Iterable[str]: ...
    def to_dict(self, orient: Literal["records"]) -> list[dict[str, Any]]: ...


Runs = Sequence[RunResult] | FrameLike


def list_columns(rows: Sequence[RunResult]) -> list[str]:
    """What a cell is, then what was measured, then what it took."""
    cell = dict.fromkeys(key for row in rows for key in row.cell)
    metrics = sort_metrics({name for row in rows for name in row.metrics})
    return [*cell, "seed", "state", *metrics, *TOOK]


def flatten_run(row: RunResult) -> dict[str, Any]:
    """One run by column; lists and mappings of its cell as they are."""
    measured = {"steps": row.steps, "tokens": row.tokens, "usd": to_dollars(row.micro_usd), "stage": row.stage}
    return {**row.cell, "seed": row.seed, "state": row.state, **row.metrics, **measured}


def sort_metrics(metrics: Collection[str]) -> list[str]:
    """The answer first, then what else was measured; what training itself saw is not for the table."""
    known = [name for name in metrics if not name.startswith("train_")]
    order = {metric: place for place, metric in enumerate(METRICS)}
    return sorted(known, key=lambda name: (name.count("."), order.get(name.rpartition(".")[2], len(order)), name))


def frame(results: Sequence[RunResult]) -> "pd.DataFrame":
    """A pandas DataFrame with a row for each run. Raises NotInstalled."""
    return build_frame(list_columns(results), map(flatten_run, results))


def build_frame(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """A pandas DataFrame with these columns; what a row does not have is missing there. Raises NotInstalled."""
    try:
        import pandas as pd
    except ImportError:
        raise NotInstalled(f"a DataFrame needs pandas, which is not installed: {INSTALL}") from None
    return pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=list(names))


def read_runs(runs: Runs) -> Sequence[RunResult]:
    """Runs as they are, or those of a DataFrame as `frame`, or pandas of what `sweep export` wrote, has it.

    What stands before the column `seed` is the cell, what stands behind it was measured. Raises DataError without one.
    """
    if isinstance(runs, Sequence):
        return runs
    names = [str(name) for name in runs.columns]
    if "seed" not in names:
        found = f"a table without a column `seed` found ({', '.join(names)})"
        raise DataError(f"{found}; one as `sweep export` writes it is right")
    return [_run(row, names[: names.index("seed")]) for row in runs.to_dict("records")]


def _run(row: Mapping[str, Any], cell: Sequence[str]) -> RunResult:
    others = {name: each for name, each in row.items() if name not in (*cell, "seed", "state", *TOOK)}
    took = {name: _there(row.get(name)) for name in TOOK}
    return RunResult(
        cell={name: _there(row[name]) for name in cell},
        seed=int(row["seed"]),
        state=str(row.get("state", "succeeded")),
        metrics={name: _measure(name, each) for name, each in others.items() if _there(each) is not None},
        steps=took["steps"] or 0,
        tokens=took["tokens"] or 0,
        micro_usd=None if took["usd"] is None else round(took["usd"] * 1_000_000),
        stage=took["stage"],
    )


def _measure(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"column {name}: {value!r} found; behind `seed` stands what was measured, in numbers") from None


def _there(value: Any) -> Any:
    """A missing value is none, and has made floats of the whole numbers beside it."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else int(value) if value.is_integer() else value
