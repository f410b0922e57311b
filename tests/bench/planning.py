"""`make bench`: what planning and submitting cost as a grid grows, as a ratio in one run.

Each grid is planned and submitted by a process of its own into an empty state folder. Time and memory should grow no
faster than the grid does.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from scheduler.cli.console.options import open_store
from scheduler.cli.submit import write_submission
from scheduler.prepare import build_submission, prepare
from scheduler.settings import read_settings

RUNS = (10_000, 100_000)

GRID = """
sweep: bench-{runs}
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 32, steps: 10}}
data: {{mine: {{source: mine.jsonl, holdout: 0.1}}}}
vary:
  train.learning_rate: {{geom: [1e-4, 1], count: {rates}}}
  train.rank: [2, 4, 8, 16, 32]
  model: [offline/ngram-s, offline/ngram-m]
seeds: 10
evaluate: [nll]
"""


def main() -> None:
    """Measure each size in a child, and compare."""
    measurements = [measured(runs) for runs in RUNS]
    for measurement in measurements:
        spent = f"planned in {measurement['plan']:6.1f} s, submitted in {measurement['submit']:6.1f} s"
        sys.stdout.write(f"{measurement['runs']:>9,} runs: {spent}, at most {measurement['megabytes']:5.0f} MB\n")
    small, large = measurements
    growth = large["runs"] / small["runs"]
    for what in ("plan", "submit", "megabytes"):
        sys.stdout.write(f"{what}: ×{large[what] / small[what]:.1f} for ×{growth:.0f} runs\n")


def measured(runs: int) -> dict[str, float]:
    """Plan and submit in a child process, so that its peak of memory is its own."""
    read, write = os.pipe()
    if child := os.fork():
        os.close(write)
        with os.fdopen(read) as answer:
            document: dict[str, float] = json.load(answer)
        os.waitpid(child, 0)
        return document
    with os.fdopen(write, "w") as answer:
        json.dump(_measure(runs), answer)
    os._exit(0)


def _measure(runs: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Path(folder)
        rows = ({"prompt": f"what is {number}?", "completion": f"it is {number % 13}"} for number in range(300))
        (desk / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (desk / "grid.yaml").write_text(GRID.format(runs=runs, rates=runs // 100))
        settings = read_settings({"SWEEP_HOME": str(desk / "state")})
        began = time.monotonic()
        prepared = prepare(desk / "grid.yaml", [], settings)
        planned = time.monotonic()
        with open_store(settings) as store:
            write_submission(store, prepared, build_submission(prepared), settings)
        submitted = time.monotonic()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"runs": runs, "plan": planned - began, "submit": submitted - planned, "megabytes": megabytes}


if __name__ == "__main__":
    main()
