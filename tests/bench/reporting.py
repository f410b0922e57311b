"""`make bench`: how long the report of a thousand-run sweep takes, out of the store and onto the disk, and its size."""

import sys
import tempfile
import time
from pathlib import Path

from scheduler import report_inputs
from scheduler.artefacts import Artefacts
from scheduler.state.store import Store
from sweeps.report.compose import compose
from sweeps.report.html import render_html
from tests.scheduler.kept import lay_comparison
from tests.scheduler.reported import large, lay
from tests.support import redis_server

LIMIT_SECONDS, LIMIT_BYTES = 10.0, 5_000_000


def main() -> None:
    """Fails where it takes longer than people wait, or weighs more than a mail takes."""
    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as server:
        store = Store(server.client())
        lay(store, large())
        fits = [written(store, folder, "large")]
        artefacts = Artefacts(str(Path(folder) / "store"))
        lay_comparison(store, artefacts, {None: 0.1, **{f"m{place}": 0.3 + place / 20 for place in range(10)}}, 100)
        fits.append(written(store, folder, "s"))
    if not all(fits):
        sys.exit(f"at most {LIMIT_SECONDS:g} s and {LIMIT_BYTES:,} bytes are right")


def written(store: Store, folder: str, name: str) -> bool:
    """Write the report of a sweep, and say how long it took and whether that is within the limits."""
    target = Path(folder) / f"{name}.html"
    began, worked = time.perf_counter(), time.process_time()
    known = report_inputs.gather_inputs(store, name, round(time.time() * 1000), url=str(Path(folder) / "store"))
    target.write_text(render_html(compose(known), report_inputs.read_style()), encoding="utf-8")
    seconds, busy = time.perf_counter() - began, time.process_time() - worked
    runs, size = len(known.rows), target.stat().st_size
    rows = sum(
        len(item_rows)
        for item_rows in {
            id(item_rows): item_rows for rows_by_run in known.items.values() for item_rows in rows_by_run.values()
        }.values()
    )
    figures = f"{seconds:.1f} s ({busy:.1f} s of them at work), {size:,} bytes, {rows:,} rows of items"
    sys.stdout.write(f"report of {runs:,} runs: {figures}\n")
    return seconds <= LIMIT_SECONDS and size <= LIMIT_BYTES


if __name__ == "__main__":
    main()
