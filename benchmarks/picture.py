"""Draw the first picture of the README and write its figures, from what is kept: who takes how long for the same.

python -m benchmarks.picture
"""

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.results import read_results
from benchmarks.row import Row as Measured
from scheduler.report_inputs import write_svg
from sweeps.figures.bars import Row, RowPlot
from sweeps.figures.charts import BarChart
from sweeps.report.document import Figure, make_table

ROOT = Path(__file__).parents[1]
PICTURE, README = ROOT / "docs" / "images" / "speed.svg", ROOT / "README.md"
BEGIN, END = "<!-- figures: python -m benchmarks.picture -->\n", "<!-- end of the figures -->\n"
OURS, OTHERS = 0, 7  # colours
TITLE = "64 trainings of ten steps, seconds from the start to the last end"


def draw(kept: Mapping[str, Any]) -> str:
    """Draw a bar for each tool: the median, with a bracket from the least to the most. Raises KeyError for a gap."""
    rows = sorted(_list_rows(kept), key=lambda row: row.value or 0.0)
    words = "; ".join(f"{row.name}: {row.said}" for row in rows)
    plot = RowPlot("speed", TITLE, words, "seconds; a bracket spans all repetitions")
    return write_svg(Figure(BarChart(plot, rows), make_table([])))


def _list_rows(kept: Mapping[str, Any]) -> Iterator[Row]:
    trainings, runners = (
        [Measured.model_validate(row) for row in kept[name]["rows"]] for name in ("trainings", "trial_runners")
    )
    yield _make_row("tinker-sweeps, with evaluation, checkpoints, results and books", trainings[0].ours, OURS)
    yield _make_row("bare SDK threads: the trainings alone", trainings[0].theirs, OTHERS)
    for row in runners:
        yield _make_row(row.against, row.theirs, OTHERS)


def _make_row(name: str, seconds: list[float], kind: int) -> Row:
    middle = statistics.median(seconds)
    return Row(name, middle, min(seconds), max(seconds), f"{middle:.1f} s", kind=kind)


def say(kept: Mapping[str, Any]) -> str:
    """Say the three figures of the README's first screen. Raises KeyError or StopIteration for a gap."""
    bare = Measured.model_validate(kept["trainings"]["rows"][0]).figure
    rows = [Measured.model_validate(row) for row in kept["trial_runners"]["rows"]]
    ray = next(row.figure for row in rows if row.against == "Ray Tune")
    night = Measured.model_validate(kept["makespan"]["rows"][0]).figure
    return (
        f"- 64 trainings, with their evaluations, checkpoints and books, take ×{bare:.2f} the time of bare SDK\n"
        "  threads that only train.\n"
        f"- Ray Tune takes ×{1 / ray:.1f} as long for these trainings alone.\n"
        f"- A night of 500 stages in 16 slots ends within {100 * (night - 1):.1f} % of the shortest that is possible.\n"
    )


def write_readme(kept: Mapping[str, Any]) -> str:
    """Return the README with its figures as they are kept."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}{say(kept)}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    results = read_results()
    PICTURE.write_text(draw(results), encoding="utf-8")
    README.write_text(write_readme(results), encoding="utf-8")
