"""Run an example of `examples/community/` as a newcomer does, and make what its README says of costs.

python -m tests.acceptance.community.example_runs            all of them, in full: name, seconds, conclusion
python -m tests.acceptance.community.example_runs first_run  some of them
python -m tests.acceptance.community.example_runs --costs    write the line of each README about costs again
"""

import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.acceptance.command import ROOT, Desk

EXAMPLES = ROOT / "examples" / "community"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/sweep.yaml"))
LIVE = "Qwen/Qwen3-8B"
VOCABULARY = ROOT / ".tokenizers" / "qwen3"  # of that model: `make tokenizers`
COST = re.compile(r"(?<=<!-- made by a test: make examples-community -->\n).*?(?=\n\n)", re.DOTALL)
CORES, LONGEST = 2, 120  # seconds that an example may take on these cores, if nothing else runs


def copy_new(desk: Desk, name: str) -> Path:
    """Copy an example as `sweep new` does, and return its folder; forget modules, of which others have the names."""
    for module in EXAMPLES.glob("*/*.py"):
        sys.modules.pop(module.stem, None)
    made = desk.call("new", name, name)
    assert made.status == 0, made.err
    return desk.folder / name


def run_example(
    desk: Desk, name: str, *overrides: str, file: str = "sweep.yaml", make: Sequence[str] = ()
) -> dict[str, Any]:
    """Run an example to its end, cut by `overrides`, and return what `sweep -f json results` prints.

    `make` has the words with which `make_data.py` writes its data first, for a twin.
    """
    folder = copy_new(desk, name)
    if make:
        subprocess.run([sys.executable, "make_data.py", *make], cwd=folder, check=True, timeout=60)
    inside = desk.move(folder)
    done = inside.call("run", file, *overrides)
    assert done.status == 0, done.err + done.out[-2000:]
    planned = inside.call("-f", "json", "plan", file, *overrides).json
    return inside.call("-f", "json", "results", planned["sweep"]).json


def plan_live(name: str, desk: Desk) -> dict[str, Any]:
    """Plan an example for the live model, with its vocabulary from `.tokenizers`: nothing is asked of a service."""
    inside = Desk(copy_new(desk, name))  # its own modules, such as an environment, are looked for in the current folder
    planned = inside.call("-f", "json", "plan", "sweep.yaml", f"model={LIVE}", f"tokenizer={VOCABULARY}")
    assert planned.status == 0, planned.err
    return planned.json


def write_cost(plan: dict[str, Any]) -> str:
    """Say in two lines of a README what the plan would cost."""
    totals = plan["totals"]
    date = max(totals["price_dates"])
    return (
        f"On `{LIVE}` this sweep is estimated at ${totals['low_usd']:.2f} to ${totals['usd']:.2f}: "
        f"{totals['stages']} stages and at\nmost {totals['tokens']:,} tokens, at the prices of {date} "
        "(`scheduler/prices.yaml`)."
    )


def _write_costs() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            readme = EXAMPLES / name / "README.md"
            searched = [*sys.path]
            cost = write_cost(plan_live(name, Desk(Path(folder))))
            sys.path[:] = searched
            text = readme.read_text()
            if old := COST.search(text):
                readme.write_text(text[: old.start()] + cost + text[old.end() :])
            print(name, cost, sep=": ")  # noqa: T201 - a command for people


def count_processor_seconds() -> float:
    """Count the processor seconds of this process, which has run the commands, and of the processes that have ended."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _run_all(names: list[str]) -> int:
    """Run examples in full, each from an empty folder and an empty state, and print how each ended."""
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            begun, worked = time.monotonic(), count_processor_seconds()
            try:
                conclusion = run_example(Desk(Path(folder)), name).get("conclusion") or {}
                outcome = str(conclusion.get("sentence", "no conclusion"))
            except AssertionError as error:
                outcome, failed = f"FAILED: {error}", failed + 1
            seconds, worked = time.monotonic() - begun, count_processor_seconds() - worked
            late = "" if worked / CORES <= LONGEST else f"  (longer than {LONGEST} s)"
            print(f"{name:24} {seconds:4.0f} s, {worked / CORES:4.0f} s of {CORES} cores{late}  {outcome}", flush=True)  # noqa: T201
    return failed


if __name__ == "__main__":
    if sys.argv[1:] == ["--costs"]:
        _write_costs()
    else:
        sys.exit(_run_all(sys.argv[1:] or NAMES))
