"""Turn runs into a table with the same columns for CSV, Parquet and pandas, and a table back into runs."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sweeps.errors import DataError, NotInstalled
from sweeps.evaluation.metric_prefixes import TRAINING, get_base_name, get_prefix
from sweeps.evaluation.registry import METRICS
from sweeps.results import RunResult
from sweeps.stage import MICRO, to_dollars

if TYPE_CHECKING:
    import pandas as pd

TOOK = ("steps", "tokens", "usd", "stage")  # columns behind the metrics
INSTALL = ".venv/bin/python -m pip install pandas pyarrow (the extra `export`)"


class FrameLike(Protocol):
    """The part of a pandas DataFrame that is used here."""

    @property
    def columns(self) -> Iterable[str]: ...
    def to_dict(self, orient: Literal["records"]) -> list[dict[str, Any]]: ...


Runs = Sequence[RunResult] | FrameLike


def list_columns(rows: Sequence[RunResult]) -> list[str]:
    """List the columns: the cell, then the metrics, then what the run took."""
    cell = dict.fromkeys(key for row in rows for key in row.cell)
    metrics = sort_metrics({name for row in rows for name in row.metrics})
    return [*cell, "seed", "state", *metrics, *TOOK]


def flatten_run(row: RunResult) -> dict[str, Any]:
    """Flatten a run into its columns; lists and mappings in its cell stay as they are."""
    measured = {"steps": row.steps, "tokens": row.tokens, "usd": to_dollars(row.micro_usd), "stage": row.stage}
    return {**row.cell, "seed": row.seed, "state": row.state, **row.metrics, **measured}


def sort_metrics(metrics: Collection[str]) -> list[str]:
    """Sort metrics: plain ones first, then by the name before them. What training itself saw is left out."""
    known = [name for name in metrics if not name.startswith(TRAINING)]
    order = {metric: place for place, metric in enumerate(METRICS)}

    def rank(name: str) -> tuple[int, str, int, str]:
        return name.count("."), get_prefix(name), order.get(get_base_name(name), len(order)), name

    return sorted(known, key=rank)


def frame(results: Sequence[RunResult]) -> "pd.DataFrame":
    """Make a pandas DataFrame with one row for each run. Raises NotInstalled."""
    return build_frame(list_columns(results), map(flatten_run, results))


def build_frame(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """Make a pandas DataFrame with these columns; a value that a row lacks is missing. Raises NotInstalled."""
    try:
        import pandas as pd
    except ImportError:
        raise NotInstalled(f"a DataFrame needs pandas, which is not installed: {INSTALL}") from None
    return pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=list(names))


def read_runs(runs: Runs) -> Sequence[RunResult]:
    """Read runs from a sequence, or from a DataFrame made by `frame` or read from a file of `sweep export`.

    Columns before `seed` are the cell, those after it are metrics. Raises DataError without a column `seed`.
    """
    if isinstance(runs, Sequence):
        return runs
    names = [str(name) for name in runs.columns]
    if "seed" not in names:
        raise DataError(f"expected a table of `sweep export`, with a column `seed`, got the columns {', '.join(names)}")
    return [_run(row, names[: names.index("seed")]) for row in runs.to_dict("records")]


def _run(row: Mapping[str, Any], cell: Sequence[str]) -> RunResult:
    others = {name: value for name, value in row.items() if name not in (*cell, "seed", "state", *TOOK)}
    took = {name: _there(row.get(name)) for name in TOOK}
    return RunResult(
        cell={name: _there(row[name]) for name in cell},
        seed=int(row["seed"]),
        state=str(row.get("state", "succeeded")),
        metrics={name: _measure(name, value) for name, value in others.items() if _there(value) is not None},
        steps=took["steps"] or 0,
        tokens=took["tokens"] or 0,
        micro_usd=None if took["usd"] is None else round(took["usd"] * MICRO),
        stage=took["stage"],
    )


def _measure(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise DataError(f"column {name}: expected a number, as in every column after `seed`, got {value!r}") from None


def _there(value: Any) -> Any:
    """Turn a missing value into None, and whole numbers that pandas has made floats back into integers."""
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else int(value) if value.is_integer() else value
