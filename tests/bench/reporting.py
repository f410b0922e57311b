"""`make bench-reports`: how long reports take, from the store to the disk, and their size; and how long a fit takes.

The reports are of a thousand runs, of as many items, and of forty curves. Fails where one takes longer than people
wait, or weighs more than a mail takes. A fit, with its backtests, has a limit in processor time.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from scheduler import report_inputs
from scheduler.artefacts import Artefacts
from scheduler.state.store import Store
from sweeps.report.compose import compose
from sweeps.report.html import render_html
from sweeps.scaling.fit import fit_scaling
from tests.scheduler.kept import lay_comparison
from tests.scheduler.reported import large, lay
from tests.support import redis_server

LIMIT_SECONDS, LIMIT_BYTES = 10.0, 5_000_000
CURVES, LIMIT_CURVES = 40, 15.0
LIMIT_FIT = 0.3  # seconds of processor time
SIZES = np.array([200 * 2.0**step for step in range(14)])


def main() -> None:
    """Measure the reports and the fit, and fail beyond a limit."""
    within = [time_fit()]
    for question, domains, limit in ((large(), 5, LIMIT_SECONDS), (large(CURVES, seeds=3), CURVES, LIMIT_CURVES)):
        with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
            store = Store(server.client())
            lay(store, question)
            within.append(write_report(store, folder, "large", limit, f" and {domains} curves"))
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store, artefacts = Store(server.client()), Artefacts(str(Path(folder) / "store"))
        lay_comparison(store, artefacts, {None: 0.1, **{f"m{place}": 0.3 + place / 20 for place in range(10)}}, 100)
        within.append(write_report(store, folder, "s", LIMIT_SECONDS))
    if not all(within):
        sys.exit("a limit was passed")


def time_fit() -> bool:
    """Fit a curve of fourteen sizes that bends, which takes longest; say whether that is within the limit."""
    losses = 0.5 + 2 * SIZES**-0.05 * (1 + (SIZES / 20_000) ** 6) ** -0.025
    taken = []
    for _ in range(5):
        worked = time.process_time()
        fit_scaling(SIZES, losses, target=0.9)
        taken.append(time.process_time() - worked)
    sys.stdout.write(f"a fit with its backtests: {min(taken):.2f} s of processor time (limit {LIMIT_FIT:g})\n")
    return min(taken) <= LIMIT_FIT


def write_report(store: Store, folder: str, name: str, limit: float, words: str = "") -> bool:
    """Write the report of a sweep, and say how long it took and whether that is within the limits."""
    target = Path(folder) / f"{name}.html"
    began, worked = time.perf_counter(), time.process_time()
    known = report_inputs.gather_inputs(store, name, round(time.time() * 1000), url=str(Path(folder) / "store"))
    target.write_text(render_html(compose(known), report_inputs.read_style()), encoding="utf-8")
    seconds, busy = time.perf_counter() - began, time.process_time() - worked
    runs, size = len(known.rows), target.stat().st_size
    kept = {id(rows): len(rows) for items in known.items.values() for rows in items.values()}
    took = f"{seconds:.1f} s, {busy:.1f} s of them at work (limits {limit:g} s, {LIMIT_BYTES:,} bytes)"
    sys.stdout.write(f"report of {runs:,} runs{words}: {took}, {size:,} bytes, {sum(kept.values()):,} rows of items\n")
    return busy <= limit and size <= LIMIT_BYTES


if __name__ == "__main__":
    main()
