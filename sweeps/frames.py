"""Rows as a table: the same columns in the same order for CSV, Parquet and pandas, however far the runs are."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.errors import NotInstalled
from sweeps.results import RunResult
from sweeps.sections import METRICS
from sweeps.stage import dollars_of

if TYPE_CHECKING:
    import pandas as pd

INSTALL = ".venv/bin/python -m pip install pandas pyarrow (the extra `export`)"


def columns(rows: Sequence[RunResult]) -> list[str]:
    """What a cell is, then what was measured, then what it took."""
    cell = dict.fromkeys(key for row in rows for key in row.cell)
    metrics = in_order({name for row in rows for name in row.metrics})
    return [*cell, "seed", "state", *metrics, "steps", "tokens", "usd", "stage"]


def flat(row: RunResult) -> dict[str, Any]:
    """One run by column; lists and mappings of its cell as they are."""
    measured = {"steps": row.steps, "tokens": row.tokens, "usd": dollars_of(row.micro_usd), "stage": row.stage}
    return {**row.cell, "seed": row.seed, "state": row.state, **row.metrics, **measured}


def in_order(metrics: Collection[str]) -> list[str]:
    """The answer first, then what else was measured; what training itself saw is not for the table."""
    known = [name for name in metrics if not name.startswith("train_")]
    order = {metric: place for place, metric in enumerate(metric for each in METRICS.values() for metric in each)}
    return sorted(known, key=lambda name: (name.count("."), order.get(name.rpartition(".")[2], len(order)), name))


def frame(results: Sequence[RunResult]) -> "pd.DataFrame":
    """A pandas DataFrame with a row for each run. Raises NotInstalled."""
    return framed(columns(results), map(flat, results))


def framed(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    """A pandas DataFrame with these columns; what a row does not have is missing there. Raises NotInstalled."""
    try:
        import pandas as pd
    except ImportError:
        raise NotInstalled(f"a DataFrame needs pandas, which is not installed: {INSTALL}") from None
    return pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=list(names))
