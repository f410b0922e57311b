"""`make bench-statistics`: how often the 95 % interval of the minimum data holds the truth, where the truth is known.

    python -m tests.bench.interval_coverage [--experiments N] [--baseline COMMIT]

A thousand simulated experiments of each kind, through `fit_many` and so with the law chosen as for anybody. Fails below
0.92 of those that were answered, where fewer than nine in ten were, and where the median interval of a kind with three
seeds is more than 1.25 times as wide, in the logarithm, as before the error of a law became a part of it
(`tests/sweeps/interval_widths.csv`). `--baseline COMMIT` writes those widths: run it on the code of that commit.
"""

import argparse
import csv
import math
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.sweeps.planted import BEYOND, EVERY, SEEDS, WITHIN, Accuracy, Coverage, Kind

EXPERIMENTS = 1_000
LEAST, ANSWERED, WIDER = 0.92, 0.9, 1.25
WIDTHS = Path(__file__).parents[1] / "sweeps" / "interval_widths.csv"
Measured = tuple[Kind | Accuracy, float, Coverage]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def read_widths() -> dict[tuple[str, float], float]:
    """Read the median high/low of each kind and size, as they were before."""
    with WIDTHS.open(newline="", encoding="utf-8") as file:
        return {(row["kind"], float(row["size"])): float(row["width"]) for row in csv.DictReader(file)}


def write_widths(measured: list[Measured], commit: str) -> None:
    """Write the median high/low of each kind and size."""
    with WIDTHS.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("commit", "kind", "size", "width"))
        table.writerows((commit, kind.name, f"{size:g}", f"{coverage.width:.6g}") for kind, size, coverage in measured)


def compare_widths(measured: Measured, before: Mapping[tuple[str, float], float]) -> float:
    """Divide the logarithm of a median high/low by the one before.

    Not a number for other numbers of seeds than three, and where half of the intervals before had no upper end.
    """
    kind, size, coverage = measured
    old = before.get((kind.name, size), math.nan)
    return math.log(coverage.width) / math.log(old) if kind.seeds == SEEDS and math.isfinite(old) else math.nan


def list_shortfalls(measured: Measured, before: Mapping[tuple[str, float], float]) -> Iterator[str]:
    """List what misses its bar, with the figure and the bar."""
    kind, size, coverage = measured
    where, wider = f"{kind.name} at {size:.0f}", compare_widths(measured, before)
    if (kind.name, size) not in before:
        yield f"{where}: the width before is not known"
    if coverage.covered < LEAST:
        yield f"{where}: {coverage.covered:.3f} of the intervals hold, expected {LEAST} or more"
    if coverage.answered < ANSWERED:
        yield f"{where}: {coverage.answered:.3f} are answered, expected {ANSWERED} or more"
    if wider > WIDER:
        yield f"{where}: the median interval is {wider:.2f} times as wide as before, expected {WIDER} or less"


def measure_kinds(experiments: int) -> Iterator[Measured]:
    """Simulate each kind and print a line for each of its sizes."""
    before = read_widths() if WIDTHS.exists() else {}
    columns = f"{'answered':>9} {'covered':>8} {'open':>6} {'high/low':>9} {'x before':>9} {'seconds':>8}"
    say(f"{'kind':40} {'n*':>6} {columns}")
    for kind in EVERY:
        for size in (WITHIN, BEYOND):
            began = time.perf_counter()
            coverage = Coverage.of(kind.fits(experiments, size), size)
            took, wider = time.perf_counter() - began, compare_widths((kind, size, coverage), before)
            shares = f"{coverage.answered:9.3f} {coverage.covered:8.3f} {coverage.open:6.3f} {coverage.width:9.2f}"
            say(f"{kind.name:40} {size:6.0f} {shares} {wider:9.2f} {took:8.1f}")
            yield kind, size, coverage


def main() -> None:
    """Print the table, and fail where a bar is missed."""
    options = argparse.ArgumentParser()
    options.add_argument("--experiments", type=int, default=EXPERIMENTS)
    options.add_argument("--baseline", metavar="COMMIT")
    chosen = options.parse_args()
    measured = list(measure_kinds(chosen.experiments))
    if chosen.baseline:
        write_widths(measured, chosen.baseline)
    before = read_widths()
    wrong = [line for row in measured for line in list_shortfalls(row, before)]
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
