"""What the rows mean for the question, as the terminal says it."""

from io import StringIO

from rich.console import Console

from scheduler.cli.answers import answer
from scheduler.cli.console.output import Output
from sweeps.results import RunResult
from sweeps.stage import Json

SPEC: dict[str, Json] = {
    "experiment": "compare",
    "equal": {"tokens": 1000},
    "evaluate": [{"name": "task_completion", "options": {"environment": "offline:tool_use"}}],
    "best": {"metric": "task_completion", "mode": "max"},
}


def run(method: str | None, seed: int, value: float | None) -> RunResult:
    metrics = {} if value is None else {"task_completion": value}
    return RunResult({"method": method}, seed, "failed" if value is None else "succeeded", metrics)


def said(*rows: RunResult) -> list[list[str]]:
    """Word by word."""
    written = StringIO()
    answer(Output("table", Console(file=written, width=120)), SPEC, rows)
    return [line.split() for line in written.getvalue().splitlines()]


def test_a_method_that_failed_at_some_seeds_or_at_all_stands_in_the_table_as_missing() -> None:
    lines = said(run(None, 0, 0.0), run("sl", 0, 0.5), run("sl", 1, None), run("rl", 0, None), run("rl", 1, None))
    assert ["sl", "0.5000", "1", "(1", "missing)", "0", "$0.0000"] in lines
    assert ["rl", "-", "0", "(2", "missing)", "-", "-"] in lines
