"""Read means and differences of methods from what `sweep -f json results` prints."""

from typing import Any


def read_means(results: dict[str, Any], metric: str) -> dict[str | None, float]:
    """Read the mean of each method; None is the untrained model."""
    cells = [cell for cell in results["cells"] if metric in cell["metrics"]]
    return {cell["cell"]["method"]: cell["metrics"][metric]["mean"] for cell in cells}


def find_difference(results: dict[str, Any], metric: str, first: str, other: str) -> dict[str, Any]:
    """Find by how much a method is above another, whichever way round the table has the pair."""
    for pair in results["differences"]:
        if pair["metric"] == metric and {pair["one"], pair["other"]} == {first, other}:
            sign = 1 if pair["one"] == first else -1
            return {**pair, "mean": sign * pair["estimate"]["mean"]}
    raise AssertionError((metric, first, other))
